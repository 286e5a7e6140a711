"""Which format is chosen, and images of known colours in each."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.cameras.v4l2.formats import FOURCC, Layout, Offer, choose, decode
from sff_ros.config.cameras import PIXEL_FORMATS
from sff_ros.errors import CameraError

WIDTH, HEIGHT = 48, 32
RGB = np.array([200, 90, 40])
# Full-range RGB as BT.601 in 16..235, the matrix of Rec. ITU-R BT.601-7.
Y = round(16 + (65.481 * 200 + 128.553 * 90 + 24.966 * 40) / 255)
CB = round(128 + (-37.797 * 200 - 74.203 * 90 + 112.0 * 40) / 255)
CR = round(128 + (112.0 * 200 - 93.786 * 90 - 18.214 * 40) / 255)
# Rows of two pixels, as in the name.
CHANNEL = {'R': 0, 'G': 1, 'B': 2}


def layout(name: str, stride: int = 0) -> Layout:
    row = Layout(name, WIDTH, HEIGHT, 0).row
    return Layout(name, WIDTH, HEIGHT, stride or row)


def padded(rows: npt.NDArray[np.uint8], stride: int) -> npt.NDArray[np.uint8]:
    """Return the bytes of rows with arbitrary padding, and none after the last row."""
    full = np.full((len(rows), stride), 77, np.uint8)
    full[:, : rows.shape[1]] = rows
    return full.reshape(-1)[: stride * (len(rows) - 1) + rows.shape[1]]


def mosaic(name: str) -> npt.NDArray[Any]:
    """Return a Bayer image of one colour, with the pattern of the name."""
    two_by_two = np.array([RGB[CHANNEL[c]] for c in name[:4]]).reshape(2, 2)
    flat = np.tile(two_by_two, (HEIGHT // 2, WIDTH // 2))
    return (flat * 4).astype('<u2') if name.endswith('10') else flat.astype(np.uint8)


def rows_of(name: str) -> npt.NDArray[np.uint8]:
    """Return an image of the colour RGB as rows of bytes."""
    if name == 'YUYV':
        return np.tile(np.array([Y, CB, Y, CR], np.uint8), (HEIGHT, WIDTH // 2))
    if name == 'NV12':
        chroma = np.tile(np.array([CB, CR], np.uint8), (HEIGHT // 2, WIDTH // 2))
        return np.vstack((np.full((HEIGHT, WIDTH), Y, np.uint8), chroma))
    if name == 'GREY':
        return np.arange(WIDTH * HEIGHT, dtype=np.uint16).astype(np.uint8).reshape(HEIGHT, WIDTH)
    return mosaic(name).view(np.uint8).reshape(HEIGHT, -1)


@pytest.mark.parametrize('pad', [0, 16])
@pytest.mark.parametrize('name', [name for name in FOURCC if name not in ('MJPG', 'GREY')])
def test_colours_are_decoded(name: str, pad: int) -> None:
    rows = rows_of(name)
    image = decode(padded(rows, rows.shape[1] + pad), layout(name, rows.shape[1] + pad))
    assert image.shape == (HEIGHT, WIDTH, 3)
    if name.endswith('10'):
        assert image.dtype == np.uint16
        assert (image == RGB * 256).all()  # 4 from 8 to 10 bits, 64 from 10 to 16
    else:
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - RGB).max() <= 2


@pytest.mark.parametrize('pad', [0, 16])
def test_grey_is_copied_unchanged(pad: int) -> None:
    rows = rows_of('GREY')
    data = padded(rows, WIDTH + pad)
    image = decode(data, layout('GREY', WIDTH + pad))
    data[:] = 0
    assert (image == rows).all()


def test_white_of_ten_bits_is_nearly_that_of_sixteen() -> None:
    data = np.full(WIDTH * HEIGHT, 1023, '<u2').view(np.uint8)
    assert (decode(data, layout('RGGB10')) == 65472).all()


def test_ten_bits_packed_differently_are_refused() -> None:
    data = np.full(WIDTH * HEIGHT, 1024, '<u2').view(np.uint8)
    with pytest.raises(CameraError, match='RGGB10 pixels reach 1024, 10 bits end at 1023'):
        decode(data, layout('RGGB10'))


@pytest.mark.parametrize('name', FOURCC)
def test_an_image_that_is_cut_off_is_refused(name: str) -> None:
    data = jpeg() if name == 'MJPG' else rows_of(name).reshape(-1)
    decode(data, layout(name))
    with pytest.raises(CameraError, match='are needed' if name != 'MJPG' else 'is cut off'):
        decode(data[:-1], layout(name))


def jpeg(width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """Return a JPEG of the colour RGB."""
    image = np.broadcast_to(RGB[::-1].astype(np.uint8), (height, width, 3))
    _, data = cv2.imencode('.jpg', np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return np.asarray(data, np.uint8).reshape(-1)


def without_tables(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Remove the Huffman tables from a JPEG, as most cameras do."""
    text = data.tobytes()
    while (start := text.find(b'\xff\xc4')) >= 0:
        length = int.from_bytes(text[start + 2 : start + 4], 'big')
        text = text[:start] + text[start + 2 + length :]
    return np.frombuffer(text, np.uint8)


@pytest.mark.parametrize('zeros', [0, 100])
@pytest.mark.parametrize('has_tables', [True, False])
def test_jpeg_is_decoded(has_tables: bool, zeros: int) -> None:
    data = jpeg() if has_tables else without_tables(jpeg())
    image = decode(np.append(data, np.zeros(zeros, np.uint8)), layout('MJPG'))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(image.astype(int) - RGB).max() <= 4


def test_a_damaged_jpeg_is_refused() -> None:
    data = jpeg()
    data[2:40] = 0
    with pytest.raises(CameraError, match=rf'a JPEG of {len(data)} bytes is damaged'):
        decode(data, layout('MJPG'))
    with pytest.raises(CameraError, match='a JPEG is 40x32, not 48x32'):
        decode(jpeg(width=40), layout('MJPG'))


def test_every_format_can_be_configured() -> None:
    assert set(PIXEL_FORMATS) == set(FOURCC)
    assert all(len(code) == 4 for code in FOURCC.values())
    assert len(set(FOURCC.values())) == len(FOURCC)


def offer(name: str, *rates: float, is_continuous: bool = False) -> Offer:
    return Offer(
        name, tuple(Fraction(rate).limit_denominator(1001) for rate in rates), is_continuous
    )


@pytest.mark.parametrize(
    ('wanted', 'frame_rate', 'offers', 'expected'),
    [
        ('auto', 30.0, [offer('MJPG', 15, 30), offer('YUYV', 15, 30)], ('YUYV', 30)),
        ('auto', 30.0, [offer('MJPG', 15, 30), offer('YUYV', 5)], ('MJPG', 30)),
        ('auto', 20.0, [offer('MJPG', 15, 30), offer('YUYV', 5)], ('MJPG', 30)),
        ('auto', 30.0, [offer('YUYV', 29.97, 60)], ('YUYV', Fraction(2997, 100))),
        ('auto', 30.0, [offer('MJPG', 30), offer('GREY', 60)], ('GREY', 60)),
        ('auto', 30.0, [offer('GREY', 30), offer('BGGR10')], ('BGGR10', 30)),
        ('auto', 22.5, [offer('YUYV', 1, 60, is_continuous=True)], ('YUYV', Fraction(45, 2))),
        ('auto', 0.5, [offer('YUYV', 1, 60, is_continuous=True)], ('YUYV', 1)),
        ('MJPG', 15.0, [offer('MJPG', 15, 30), offer('YUYV', 15, 30)], ('MJPG', 15)),
    ],
)
def test_choice(
    wanted: str, frame_rate: float, offers: list[Offer], expected: tuple[str, Any]
) -> None:
    chosen, rate = choose(wanted, frame_rate, offers)
    assert (chosen.name, rate) == expected


@pytest.mark.parametrize(
    ('wanted', 'frame_rate', 'message'),
    [
        ('auto', 61.0, r'frame_rate 61 Hz is not reached .*; YUYV, NV12: 5, 10 Hz; MJPG: 1 .. 60'),
        ('YUYV', 30.0, r'frame_rate 30 Hz is not reached'),
        ('GREY', 5.0, r"pixel_format 'GREY' is not offered at this size; YUYV, NV12: 5, 10 Hz"),
    ],
)
def test_an_impossible_choice_lists_the_alternatives(
    wanted: str, frame_rate: float, message: str
) -> None:
    both = (offer('YUYV', 5, 10), offer('NV12', 5, 10))
    with pytest.raises(CameraError, match=message):
        choose(wanted, frame_rate, [*both, offer('MJPG', 1, 60, is_continuous=True)])
