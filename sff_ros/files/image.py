"""Read one image file, naming it in errors if damaged; write one."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image, check_image
from sff_ros.errors import StackError
from sff_ros.files.tiff import axes_of, images_of, only
from sff_ros.files.whole_file import read_file, write_file

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.pgm', '.ppm')

MAX_BYTES = 1 << 32  # of a file; what a classic TIFF can address

_JPEG = b'\xff\xd8'
_PNG = b'\x89PNG\r\n\x1a\n'
# Markers with a length field, or end of image: not a stuffed byte, fill, restart or start.
_JPEG_MARKER = re.compile(rb'\xff[^\x00\x01\xd0-\xd8\xff]')
_JPEG_END = b'\xff\xd9'
_WEBP = (b'RIFF', b'WEBPVP8X')  # the size of the file is in between
_WEBP_ANIMATED = 0b10
_SEVERAL = 'is an animation of several images; a slice is a file with one'
_BGRX = (0xFF0000, 0xFF00, 0xFF)  # the usual masks of red, green and blue in a BMP


def read_image(path: Path, page: int | None = None) -> Image:
    """Read an image as stored: 8 or 16 bits, grey or RGB.

    Rotation by EXIF or a TIFF's Orientation is ignored: intrinsics are those of the sensor. An
    alpha channel is dropped if every pixel is opaque.

    Args:
        path: of the file.
        page: which image of a TIFF, 0 .. `page_count` - 1; None: it must hold one.

    Returns:
        (H, W) or (H, W, 3) RGB, uint8 or uint16.

    Raises:
        StackError: the file cannot be read, is cut off or damaged, holds several images, or is
            not a valid slice.
    """
    try:
        image: Image = _decode(read_file(path, MAX_BYTES), page)
    except OSError as err:
        raise StackError(f'{path}: cannot be read: {err.strerror}') from err
    except StackError as err:
        where = '' if page is None else f'image {page + 1} '
        raise StackError(f'{path}: {where}{err}') from None
    return image


def page_count(path: Path) -> int:
    """Return how many images of one kind a TIFF holds, without thumbnails and masks.

    Raises:
        StackError: the file cannot be read, is cut off or is not a TIFF; or it has several axes,
            such as focus and colour channels, of which only one can be the sweep.
    """
    try:
        data = read_file(path, MAX_BYTES)
        count = len(images_of(data))
    except OSError as err:
        raise StackError(f'{path}: cannot be read: {err.strerror}') from err
    except StackError as err:
        raise StackError(f'{path}: {err}') from None
    if not count:
        raise StackError(f'{path}: is not a TIFF: only these have several pages')
    axes = axes_of(data)
    if len(axes) > 1:
        sizes = ', '.join(f'{name} {size}' for name, size in axes.items())
        raise StackError(f'{path}: has images along several axes ({sizes}): save one sweep alone')
    return count


def write_png(path: Path, image: Image) -> None:
    """Write an (H, W) grey or (H, W, 3) RGB image of 8 or 16 bits.

    Raises:
        OSError: the file cannot be written.
    """
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.png', stored)
    write_file(path, data.tobytes())


def _decode(data: bytes, page: int | None) -> npt.NDArray[Any]:
    """Return the one image, or that page, of a file, whose bytes these are.

    Raises:
        StackError: says what is wrong with it.
    """
    fault = _fault(data)
    if fault:
        raise StackError(fault)
    pages = images_of(data)
    if page is not None and page >= len(pages):
        raise StackError(f'is missing: the file holds {len(pages)}')
    if page is None and len(pages) > 1:
        raise StackError(
            f'holds {len(pages)} images, a slice is a file with one; `sff depth --page all` takes '
            'the images of one TIFF as a sweep'
        )
    if pages:
        data = only(data, pages[page or 0])
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        stored = None
    if stored is None:
        raise StackError('is cut off, damaged or not an image')
    image = _as_rgb(stored, _has_alpha(data))
    check_image(image)
    return image


def _fault(data: bytes) -> str:
    """Return what is wrong with the bytes of a file; empty if no fault is found.

    OpenCV fills the missing part of a truncated JPEG with grey, so its end is checked here; other
    truncated formats are rejected by OpenCV itself.
    """
    if not data:
        return 'is empty'
    if data.startswith(_JPEG):
        return _jpeg_fault(data)
    if data.startswith(_PNG):
        return _png_fault(data)
    if data.startswith(_WEBP[0]) and data[8:16] == _WEBP[1] and len(data) > 20:
        return _SEVERAL if data[20] & _WEBP_ANIMATED else ''
    return ''


def _jpeg_fault(data: bytes) -> str:
    # Segments are skipped by their length: a thumbnail inside has an end marker of its own.
    marker = _JPEG_MARKER.search(data, len(_JPEG))
    while marker is not None and marker.group() != _JPEG_END:
        length = int.from_bytes(data[marker.end() : marker.end() + 2], 'big')
        marker = _JPEG_MARKER.search(data, marker.end() + length)
    return 'is cut off: the JPEG has no end marker' if marker is None else ''


def _png_fault(data: bytes) -> str:
    start = len(_PNG)
    while start + 12 <= len(data):
        # A chunk is its length, its kind, that many bytes and a checksum of kind and bytes.
        end = start + 12 + int.from_bytes(data[start : start + 4], 'big')
        if end > len(data):
            break
        if zlib.crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], 'big'):
            return 'is damaged: a PNG chunk has a wrong checksum'
        kind = data[start + 4 : start + 8]
        if kind == b'acTL' and int.from_bytes(data[start + 8 : start + 12], 'big') > 1:
            return _SEVERAL
        if kind == b'IEND':
            return ''
        start = end
    return 'is cut off: the PNG has no end chunk'


def _has_alpha(data: bytes) -> bool:
    """Return whether a fourth channel is alpha; in a BMP of 32 bits it may be an unused byte.

    Raises:
        StackError: the file is a BMP whose colours are not where OpenCV looks for them.
    """
    if not data.startswith(b'BM') or len(data) < 70:
        return True
    header, bits, compression = struct.unpack_from('<I10xHI', data, 14)
    if bits != 32 or header < 40 or compression == 0:
        return False
    *colours, alpha = struct.unpack_from('<4I', data, 54)
    if tuple(colours) != _BGRX:
        masks = ', '.join(f'{mask:08x}' for mask in colours)
        raise StackError(f'is a 32-bit BMP with the masks {masks}: save it as 24-bit BMP or PNG')
    # Of a header of 40 bytes, which has no place for it, the mask is that of BI_ALPHABITFIELDS.
    return bool(alpha) and (header >= 56 or compression == 6)


def _as_rgb(stored: npt.NDArray[Any], has_alpha: bool) -> npt.NDArray[Any]:
    """Convert OpenCV's channel order to RGB.

    Raises:
        StackError: some pixels are transparent.
    """
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    if channels == 4:
        # Of floats, which are refused anyway, no value is opaque.
        has_alpha = has_alpha and np.issubdtype(stored.dtype, np.integer)
        if has_alpha and (stored[..., 3] != np.iinfo(stored.dtype).max).any():
            raise StackError(
                'some pixels are transparent; a slice must be opaque: crop all slices to what '
                'every one of them shows, or save them without alpha'
            )
        stored = stored[..., :3]
    if channels < 3:
        return stored
    return np.ascontiguousarray(stored[..., ::-1])
