"""Compressed and planar images; test/nodes/test_messages.py tests the other encodings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from sff_ros.core.image_encodings import PAGE, PLANAR, decode, decompress
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


# Y, U, V of ITU-R BT.601, limited range.
YUV = {
    (255, 0, 0): (81, 90, 240),
    (0, 255, 0): (145, 54, 34),
    (0, 0, 255): (41, 240, 110),
    (255, 255, 255): (235, 128, 128),
    (0, 0, 0): (16, 128, 128),
}


def planar(encoding: str, colours: Any, padding: int = 0, after: int = 0) -> Any:
    """Encode an image of 16x16 px squares.

    Args:
        encoding: one of PLANAR.
        colours: (rows, columns) of squares, RGB.
        padding: bytes after each row of luma; twice that after each of the chroma of nv24.
        after: bytes after the last row.
    """
    y, u, v = (
        np.kron([[YUV[c][k] for c in row] for row in colours], np.ones((16, 16))).astype(np.uint8)
        for k in range(3)
    )
    height, width = y.shape
    pair = [v, u] if encoding == 'nv21' else [u, v]
    chroma = np.stack(pair, axis=2)
    if encoding != 'nv24':
        chroma = chroma[::2, ::2]
    rows = [np.pad(y, ((0, 0), (0, padding)), constant_values=77)]
    chroma = chroma.reshape(len(chroma), -1)
    more = padding * chroma.shape[1] // width
    rows.append(np.pad(chroma, ((0, 0), (0, more)), constant_values=77))
    data = b''.join(plane.tobytes() for plane in rows) + bytes(after)
    return SimpleNamespace(
        encoding=encoding,
        width=width,
        height=height,
        step=width + padding,
        is_bigendian=0,
        data=data,
    )


SQUARES = [[*YUV][:4], [*YUV][1:]]


@pytest.mark.parametrize(('padding', 'after'), [(0, 0), (16, 0), (0, PAGE - 1), (32, 2048)])
@pytest.mark.parametrize('encoding', PLANAR)
def test_planar_colours(encoding: str, padding: int, after: int) -> None:
    image = decode(planar(encoding, SQUARES, padding, after))
    assert image.shape == (32, 64, 3)
    assert image.dtype == np.uint8
    for row, line in enumerate(SQUARES):
        for column, colour in enumerate(line):
            square = image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16].astype(int)
            assert np.abs(square - colour).max() <= 3


@pytest.mark.parametrize(
    ('encoding', 'change', 'words'),
    [
        ('nv12', {'width': 63}, 'step 64 does not fit a 63x32 nv12 image of even sides (at least'),
        ('nv21', {'height': 31}, 'does not fit a 64x31 nv21 image of even sides'),
        ('nv21', {'step': 63}, 'step 63 does not fit a 64x32 nv21 image'),
        ('nv24', {'height': 0}, 'does not fit a 64x0 nv24 image (at least 64)'),
        ('nv12', {'data': bytes(3071)}, '3071 bytes are not step 64 x 48 rows of luma and chroma'),
        ('nv24', {'data': bytes(3072)}, '3072 bytes are not step 64 x 96 rows of luma and chroma'),
        ('nv12', {'data': bytes(3072 + PAGE)}, f'{3072 + PAGE} bytes are not step 64 x 48 rows'),
    ],
)
def test_a_malformed_planar_image_is_refused(
    encoding: str, change: dict[str, Any], words: str
) -> None:
    sent = planar(encoding, SQUARES)
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(StackError) as caught:
        decode(sent)
    assert words in str(caught.value)
