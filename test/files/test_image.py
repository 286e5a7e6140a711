from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from stack_files import encode, texture

from sff_ros.errors import StackError
from sff_ros.files.image import read_image, write_png

GREY, RGB = (32, 40), (32, 40, 3)
# A smooth image, which JPEG preserves well and cannot compress to a few bytes.
SMOOTH = cv2.GaussianBlur(texture(0, (64, 80, 3)), (0, 0), 3)


@pytest.mark.parametrize(
    ('suffix', 'shape', 'high'),
    [
        ('.png', GREY, 255),
        ('.png', RGB, 255),
        ('.png', GREY, 65535),
        ('.png', RGB, 4095),
        ('.tif', RGB, 255),
        ('.tiff', GREY, 65535),
        ('.bmp', RGB, 255),
        ('.pgm', GREY, 65535),
        ('.ppm', RGB, 255),
    ],
)
def test_lossless_formats_give_every_value_back_as_rgb(
    tmp_path: Path, suffix: str, shape: tuple[int, ...], high: int
) -> None:
    image = texture(3, shape, high)
    path = tmp_path / f'a{suffix}'
    path.write_bytes(encode(image, suffix))
    found = read_image(path)
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize('suffix', ['.jpg', '.webp'])
def test_lossy_formats_keep_colour_order(tmp_path: Path, suffix: str) -> None:
    image = np.full((32, 40, 3), (200, 100, 20), np.uint8)
    path = tmp_path / f'a{suffix}'
    path.write_bytes(encode(image, suffix))
    assert np.abs(read_image(path).astype(int) - image).max() <= 6


def test_a_grey_jpeg_stays_grey(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    path.write_bytes(encode(SMOOTH[..., 0], '.jpg'))
    assert read_image(path).shape == (64, 80)


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    image = texture(1, (32, 40, 4))
    image[..., 3] = 255
    path = tmp_path / 'a.png'
    path.write_bytes(encode(image))
    np.testing.assert_array_equal(read_image(path), image[..., 2::-1])


@pytest.mark.parametrize('image', [texture(1, GREY), texture(2, RGB), texture(3, RGB, 65535)])
def test_write_png_round_trips(tmp_path: Path, image: npt.NDArray[Any]) -> None:
    write_png(tmp_path / 'a.png', image)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), image)


def with_thumbnail(jpeg: bytes) -> bytes:
    """Put a whole JPEG, end marker and all, into an application segment, as cameras do."""
    inner = b'Exif\0\0' + encode(SMOOTH[:16, :16], '.jpg')
    return jpeg[:2] + b'\xff\xe1' + (len(inner) + 2).to_bytes(2, 'big') + inner + jpeg[2:]


FILES = {
    'jpg': encode(SMOOTH, '.jpg'),
    'thumbnail': with_thumbnail(encode(SMOOTH, '.jpg')),
    'progressive': encode(SMOOTH, '.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    'restarts': encode(SMOOTH, '.jpg', [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
    'png': encode(SMOOTH),
    'tif': encode(SMOOTH, '.tif'),
    'bmp': encode(SMOOTH, '.bmp'),
    'webp': encode(SMOOTH, '.webp'),
    'ppm': encode(SMOOTH, '.ppm'),
}


@pytest.mark.parametrize('name', FILES)
def test_whole_files_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / 'a.bin'
    path.write_bytes(FILES[name])
    assert read_image(path).shape == (64, 80, 3)


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('share', [0.02, 0.3, 0.6, 0.95, 'last byte'])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, name: str, share: float | str) -> None:
    data = FILES[name]
    length = len(data) - 1 if isinstance(share, str) else int(len(data) * share)
    path = tmp_path / 'slice_7.bin'
    path.write_bytes(data[:length])
    # Ours, not the decoder's: some versions of OpenCV return a JPEG whose lower part is grey.
    ends = {'\xff': ': the JPEG has no end marker', '\x89': ': the PNG has no end chunk'}
    message = rf'slice_7\.bin: is cut off{ends.get(chr(data[0]), ", damaged or not an image")}'
    with pytest.raises(StackError, match=message):
        read_image(path)


def test_a_jpeg_whose_tail_was_never_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    half = len(FILES['jpg']) // 2
    path.write_bytes(FILES['jpg'][:half] + bytes(half))
    with pytest.raises(StackError, match='no end marker'):
        read_image(path)


def test_a_png_with_one_wrong_byte_is_refused(tmp_path: Path) -> None:
    data = bytearray(FILES['png'])
    data[len(data) // 2] ^= 1
    path = tmp_path / 'a.png'
    path.write_bytes(data)
    with pytest.raises(StackError, match='wrong checksum'):
        read_image(path)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', 'is empty'),
        (b'not an image at all', 'not an image'),
        (encode(texture(0).astype(np.float32), '.tiff'), 'uint8 or uint16, not float32'),
        (encode(texture(0, (32, 40, 4))), 'some pixels are transparent'),
        (encode(texture(0, (15, 40))), 'at least 16 px a side, not 40x15'),
    ],
)
def test_files_that_are_not_slices_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / 'slice_7.png'
    path.write_bytes(data)
    with pytest.raises(StackError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f'{path}: ')
    assert '\n' not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r'gone\.png: cannot be read'):
        read_image(tmp_path / 'gone.png')
