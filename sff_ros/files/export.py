"""Write maps and point clouds in common formats."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from sff_ros.core.image import FloatMap, RgbImage
from sff_ros.errors import ConfigError
from sff_ros.files.home import expanded
from sff_ros.files.whole_file import write_file


def checked_out(out: Path, images: Path | None) -> Path:
    """Check, before any work, that outputs can be written.

    Args:
        out: folder to write to; it need not exist.
        images: input folder, if any.

    Raises:
        ConfigError: out is a file, the input folder, or no path.
    """
    out = expanded(out)
    existing = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ConfigError(f'--out {out}: {existing} is a file, not a folder')
    if images is not None and out.resolve() == expanded(images).resolve():
        raise ConfigError(f'--out {out} is the input folder: outputs would be read as images')
    return out


def write_npy(path: Path, values: FloatMap) -> None:
    """Write an (H, W) map as a NumPy file of its own type.

    Raises:
        OSError: the file cannot be written.
    """
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_file(path, buffer.getvalue())


def write_tiff(path: Path, values: FloatMap) -> None:
    """Write an (H, W) map as a float32 TIFF; NaN and infinities are kept.

    Raises:
        OSError: the file cannot be written.
    """
    _, data = cv2.imencode('.tiff', np.asarray(values, np.float32))
    write_file(path, data.tobytes())


def write_ply(path: Path, points_m: FloatMap, colour: RgbImage) -> None:
    """Write the finite points as a binary PLY.

    Args:
        path: file to write.
        points_m: (H, W, 3) m, optical frame: x right, y down, z forward.
        colour: (H, W, 3) RGB or (H, W) grey, uint8.

    Raises:
        OSError: the file cannot be written.
    """
    finite = np.isfinite(points_m).all(axis=-1)
    vertices = np.empty(int(finite.sum()), [('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    vertices['xyz'] = points_m[finite]
    vertices['rgb'] = colour[finite][:, None] if colour.ndim == 2 else colour[finite]
    lines = [
        'ply',
        'format binary_little_endian 1.0',
        'comment metres, x right, y down, z forward',
        f'element vertex {len(vertices)}',
        *(f'property float {axis}' for axis in 'xyz'),
        *(f'property uchar {name}' for name in ('red', 'green', 'blue')),
        'end_header',
    ]
    write_file(path, '\n'.join(lines).encode() + b'\n' + vertices.tobytes())
