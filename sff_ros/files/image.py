"""Read one image file, naming it in errors if damaged; write one."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image, check_image
from sff_ros.errors import StackError

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.pgm', '.ppm')

_JPEG = b'\xff\xd8'
_PNG = b'\x89PNG\r\n\x1a\n'
# Markers with a length field, or end of image: not a stuffed byte, fill, restart or start.
_JPEG_MARKER = re.compile(rb'\xff[^\x00\x01\xd0-\xd8\xff]')
_JPEG_END = b'\xff\xd9'


def read_image(path: Path) -> Image:
    """Read an image as stored: 8 or 16 bits, grey or RGB; EXIF rotation is ignored.

    An alpha channel is dropped if every pixel is opaque.

    Returns:
        (H, W) or (H, W, 3) RGB, uint8 or uint16.

    Raises:
        StackError: the file cannot be read, is cut off or damaged, or is not a valid slice.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise StackError(f'{path}: cannot be read: {err.strerror}') from err
    fault = _fault(data)
    if fault:
        raise StackError(f'{path}: {fault}')
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        stored = None
    if stored is None:
        raise StackError(f'{path}: is cut off, damaged or not an image')
    try:
        image: Image = _as_rgb(stored)
        check_image(image)
    except StackError as err:
        raise StackError(f'{path}: {err}') from None
    return image


def write_png(path: Path, image: Image) -> None:
    """Write an (H, W) grey or (H, W, 3) RGB image of 8 or 16 bits.

    Raises:
        OSError: the file cannot be written.
    """
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.png', stored)
    path.write_bytes(data.tobytes())


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
        if data[start + 4 : start + 8] == b'IEND':
            return ''
        start = end
    return 'is cut off: the PNG has no end chunk'


def _as_rgb(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert OpenCV's channel order to RGB.

    Raises:
        StackError: some pixels are transparent.
    """
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    if channels == 4:
        if (stored[..., 3] != np.iinfo(stored.dtype).max).any():
            raise StackError('some pixels are transparent; a slice must be opaque')
        stored = stored[..., :3]
    if channels < 3:
        return stored
    return np.ascontiguousarray(stored[..., ::-1])
