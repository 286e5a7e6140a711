"""Several images in a file, orientation, and 32 bits without alpha."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hand_made_tiff import tiff
from stack_files import encode, texture

from sff_ros.errors import StackError
from sff_ros.files.image import read_image

IMAGE = texture(0, (20, 24))
THUMBNAIL = texture(1, (16, 18))
NEW_SUBFILE_TYPE, ORIENTATION = 254, 274
BGRX = (0xFF0000, 0xFF00, 0xFF)


def saved(folder: Path, data: bytes) -> Path:
    path = folder / 'slice_7.tif'
    path.write_bytes(data)
    return path


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('count', [2, 11])
def test_a_tiff_of_several_images_is_refused(
    tmp_path: Path, count: int, big: bool, order: str
) -> None:
    path = saved(tmp_path, tiff([IMAGE] * count, order=order, big=big))
    with pytest.raises(StackError, match=rf'slice_7\.tif: holds {count} images, a slice is'):
        read_image(path)


@pytest.mark.parametrize('kind', [1, 4, 5])
@pytest.mark.parametrize('first', [False, True])
def test_a_thumbnail_or_mask_in_a_tiff_is_no_image(tmp_path: Path, kind: int, first: bool) -> None:
    pages = [(IMAGE, 0), (THUMBNAIL, kind)]
    pages = pages[::-1] if first else pages
    tags = [{NEW_SUBFILE_TYPE: kind} for _, kind in pages]
    data = tiff([image for image, _ in pages], tags)
    np.testing.assert_array_equal(read_image(saved(tmp_path, data)), IMAGE)


def test_a_tiff_cut_off_after_an_image_is_refused(tmp_path: Path) -> None:
    data = tiff([IMAGE] * 3)
    with pytest.raises(StackError, match=r'slice_7\.tif: is cut off: image 3 is missing'):
        read_image(saved(tmp_path, data[:-60]))


def test_a_tiff_whose_pages_go_in_a_circle_ends(tmp_path: Path) -> None:
    data = bytearray(tiff([IMAGE]))
    data[-4:] = data[4:8]
    np.testing.assert_array_equal(read_image(saved(tmp_path, bytes(data))), IMAGE)


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_tiff_is_read_as_stored_whatever_its_orientation(
    tmp_path: Path, orientation: int, order: str
) -> None:
    data = tiff([IMAGE], [{ORIENTATION: orientation}], order)
    np.testing.assert_array_equal(read_image(saved(tmp_path, data)), IMAGE)


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    exif = b'Exif\0\0II' + struct.pack('<HIHHHIHHI', 42, 8, 1, 274, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + jpeg[2:]


def test_a_jpeg_is_read_as_stored_whatever_its_orientation(tmp_path: Path) -> None:
    jpeg = encode(IMAGE, '.jpg')
    plain = read_image(saved(tmp_path, jpeg))
    np.testing.assert_array_equal(read_image(saved(tmp_path, with_exif(jpeg, 6))), plain)


def with_frames(png: bytes, frames: int) -> bytes:
    """Make a PNG an animation of that many frames, of which the first is stored."""
    chunk = b'acTL' + struct.pack('>II', frames, 0)
    at = png.index(b'IDAT') - 4
    whole = struct.pack('>I', 8) + chunk + struct.pack('>I', zlib.crc32(chunk))
    return png[:at] + whole + png[at:]


def test_animations_are_refused(tmp_path: Path) -> None:
    png = encode(IMAGE)
    webp = b'RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0' + bytes(48)
    for data in (with_frames(png, 2), webp):
        with pytest.raises(StackError, match=r'slice_7\.tif: is an animation of several images'):
            read_image(saved(tmp_path, data))


def bmp_32(
    image: npt.NDArray[np.uint8],
    masks: tuple[int, ...] = BGRX,
    header: int = 40,
    compression: int = 3,
    fourth: int = 0,
) -> bytes:
    """Return a BMP of 32 bits a pixel; `masks` of red, green, blue and perhaps alpha."""
    height, width = image.shape[:2]
    pixels = np.full((height, width, 4), fourth, np.uint8)
    pixels[..., :3] = image[..., ::-1]
    body = struct.pack(f'<{len(masks)}I', *masks) if compression else b''
    body = body.ljust(header - 40, b'\0')
    start = 14 + 40 + len(body)
    return (
        b'BM' + struct.pack('<IHHI', start + pixels.size, 0, 0, start)
        + struct.pack('<IiiHHI20x', header, width, height, 1, 32, compression)
        + body + pixels[::-1].tobytes()
    )  # fmt: skip


@pytest.mark.parametrize(
    ('masks', 'header', 'compression'),
    [(BGRX, 40, 3), (BGRX, 40, 0), (BGRX, 108, 3), (BGRX, 124, 3), (BGRX, 108, 0)],
)
@pytest.mark.parametrize('fourth', [0, 7, 255])
def test_the_unused_byte_of_a_bmp_is_no_alpha(
    tmp_path: Path, masks: tuple[int, ...], header: int, compression: int, fourth: int
) -> None:
    image = texture(2, (20, 24, 3))
    data = bmp_32(image, masks, header, compression, fourth)
    np.testing.assert_array_equal(read_image(saved(tmp_path, data)), image)


def test_alpha_of_a_bmp_counts(tmp_path: Path) -> None:
    image, masks = texture(2, (20, 24, 3)), (*BGRX, 0xFF000000)
    opaque = bmp_32(image, masks, 108, fourth=255)
    np.testing.assert_array_equal(read_image(saved(tmp_path, opaque)), image)
    with pytest.raises(StackError, match='transparent; a slice must be opaque: crop all slices'):
        read_image(saved(tmp_path, bmp_32(image, masks, 108, fourth=7)))


def test_a_bmp_with_colours_elsewhere_is_refused(tmp_path: Path) -> None:
    data = bmp_32(texture(2, (20, 24, 3)), BGRX[::-1])
    with pytest.raises(StackError, match='masks 000000ff, 0000ff00, 00ff0000: save it as 24-bit'):
        read_image(saved(tmp_path, data))


def test_an_image_of_floats_with_alpha_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, encode(np.ones((20, 24, 4), np.float32), '.tiff'))
    with pytest.raises(StackError, match='float32'):
        read_image(path)
