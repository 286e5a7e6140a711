"""Read a map of one number per pixel: depth, disparity or slice positions."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.errors import StackError, quoted
from sff_ros.files.whole_file import read_file

MAX_BYTES = 1 << 32  # of a file
MAP_SUFFIXES = ('.npy', '.tiff', '.tif', '.png')


def read_map(path: Path) -> FloatMap:
    """Read an (H, W) map of any numeric type from a NumPy file, a TIFF or a PNG.

    Raises:
        StackError: the file cannot be read, is damaged or is not a map.
    """
    try:
        data = read_file(path, MAX_BYTES)
    except OSError as err:
        raise StackError(f'{path}: cannot be read: {err.strerror}') from err
    try:
        values = _decode(data, path.suffix.lower())
    except Exception as err:  # arbitrary bytes may raise anything, TokenError and MemoryError too
        raise StackError(f'{path}: is cut off, damaged or holds no numbers') from err
    if not isinstance(values, np.ndarray) or values.dtype.kind not in 'fiu':
        raise StackError(f'{path}: is cut off, damaged or holds no numbers')
    if values.ndim != 2:
        raise StackError(f'{path}: a map must be (H, W), not {quoted(values.shape)}')
    with np.errstate(over='ignore'):  # beyond float32 is infinite
        return np.asarray(values, np.float32)


def _decode(data: bytes, suffix: str) -> object:
    if suffix == '.npy':
        buffer = io.BytesIO(data)
        return np.load(buffer, allow_pickle=False)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
