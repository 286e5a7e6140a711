"""Compressed images; test/nodes/test_messages.py tests the encodings of sensor_msgs/Image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from sff_ros.core.image_encodings import decompress
from sff_ros.errors import StackError

RGB = np.zeros((20, 30, 3), np.uint8)
RGB[:, :10], RGB[:, 10:20], RGB[:, 20:] = (250, 10, 20), (10, 240, 30), (15, 25, 230)


def encoded(image: Any, ending: str) -> bytes:
    done, data = cv2.imencode(ending, image)
    assert done
    return bytes(data.tobytes())


@pytest.mark.parametrize(
    ('ending', 'tolerance'), [pytest.param('.png', 0, id='png'), pytest.param('.jpg', 6, id='jpg')]
)
def test_colours_end_in_the_right_channel(ending: str, tolerance: int) -> None:
    got = decompress(encoded(RGB[..., ::-1], ending), ending)
    assert got.shape == RGB.shape
    for column in (3, 14, 26):
        assert np.abs(got[10, column].astype(int) - RGB[10, column]).max() <= tolerance


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_grey_stays_grey(dtype: Any) -> None:
    grey = np.arange(600, dtype=dtype).reshape(20, 30)
    got = decompress(encoded(grey, '.png'), 'png')
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, grey)


def test_transparency_is_left_out() -> None:
    bgra = np.dstack((RGB[..., ::-1], np.full((20, 30), 128, np.uint8)))
    np.testing.assert_array_equal(decompress(encoded(bgra, '.png'), 'png'), RGB)


@pytest.mark.parametrize('data', [b'', b'not an image', encoded(RGB, '.png')[:40]])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StackError) as caught:
        decompress(data, 'rgb8; jpeg compressed')
    words = f"{len(data)} bytes of format 'rgb8; jpeg compressed' are not a JPEG or PNG"
    assert str(caught.value) == words
