"""Read a map of one number per pixel: depth, disparity or slice positions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.errors import StackError

MAP_SUFFIXES = ('.npy', '.tiff', '.tif', '.png')


def read_map(path: Path) -> FloatMap:
    """Read an (H, W) map of any numeric type from a NumPy file, a TIFF or a PNG.

    Raises:
        StackError: the file cannot be read, is damaged or is not a map.
    """
    try:
        if path.suffix.lower() == '.npy':
            values = np.load(path, allow_pickle=False)
        else:
            data = np.frombuffer(path.read_bytes(), np.uint8)
            values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except OSError as err:
        raise StackError(f'{path}: cannot be read: {err.strerror}') from err
    except (ValueError, EOFError, cv2.error):
        values = None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in 'fiu':
        raise StackError(f'{path}: is cut off, damaged or holds no numbers')
    if values.ndim != 2:
        raise StackError(f'{path}: a map must be (H, W), not {values.shape}')
    return np.asarray(values, np.float32)
