"""Read the ground truth of a recorded sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sff_ros.core.image import FloatMap, Floats
from sff_ros.errors import StackError
from sff_ros.files.depth_map import read_map

KINDS = ('index', 'dioptres', 'depth')
SUFFIXES = ('.npy', '.tiff', '.tif')
ROUNDING = 1e-3  # slices


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """The ground truth of a stack.

    Attributes:
        index: (H, W) 0-based slice position, images in natural order; NaN where unknown or
            outside the sweep.
        depth_m: (H, W) metres, NaN where unknown; None if focus distances are unknown.
    """

    index: FloatMap
    depth_m: FloatMap | None


def ground_truth_path(folder: Path) -> Path:
    """Find the ground truth of a stack: truth/ with index, dioptres or depth, npy or tiff.

    Raises:
        StackError: there is none.
    """
    for kind in KINDS:
        for suffix in SUFFIXES:
            path = folder / 'truth' / f'{kind}{suffix}'
            if path.is_file():
                return path
    raise StackError(
        f'{folder}: has no ground truth; expected truth/index.npy (slice position), '
        'truth/dioptres.npy or truth/depth.npy (metres), or .tiff'
    )


def read_ground_truth(
    path: Path,
    shape: tuple[int, int],
    focus_dpt: Floats,
    field: FloatMap | None = None,
) -> GroundTruth:
    """Read the ground truth of a stack in slice positions and, where focus is known, in metres.

    Args:
        path: from `ground_truth_path`.
        shape: (H, W) of the slices.
        focus_dpt: (S,) focus of each slice, dioptres; all NaN where unknown.
        field: (H, W) dioptres by which each pixel focuses nearer than focus_dpt; None: by none.

    Raises:
        StackError: the file is damaged, of another size, outside the sweep or has no known pixel,
            or is metric although focus distances are unknown.
    """
    values = read_map(path)
    if values.shape != shape:
        raise StackError(f'{path}: is {_size(values.shape)}, the slices are {_size(shape)}')
    has_focus = not np.isnan(focus_dpt[0])
    nearer = np.float32(0) if field is None else field
    if path.stem != 'index' and not has_focus:
        raise StackError(f'{path}: needs focus distances, which {path.parents[1]} does not have')
    if path.stem == 'index':
        index = _checked_index(path, values, len(focus_dpt))
        depth_m = _reciprocal(_interpolate(index, focus_dpt) + nearer) if has_focus else None
    else:
        order = np.argsort(focus_dpt)
        dioptres = values if path.stem == 'dioptres' else _reciprocal(values)
        depth_m = _reciprocal(dioptres)
        index = _interpolate(dioptres - nearer, order.astype(float), focus_dpt[order])
    if not np.isfinite(index).any():
        raise StackError(f'{path}: no pixel is known within the sweep')
    return GroundTruth(index, depth_m)


def _checked_index(path: Path, values: FloatMap, count: int) -> FloatMap:
    """Return slice positions, NaN where not finite; reject positions outside the sweep."""
    index = np.where(np.isfinite(values), values, np.float32(np.nan))
    outside = index[(index < -ROUNDING) | (index > count - 1 + ROUNDING)]
    if outside.size:
        raise StackError(f'{path}: position {outside[0]:g} is outside 0..{count - 1}')
    return index


def _interpolate(
    values: FloatMap,
    table: Floats,
    at: Floats | None = None,
) -> FloatMap:
    """Interpolate a table linearly between `at` (default 0, 1 ..); NaN outside of it."""
    at = np.arange(len(table), dtype=float) if at is None else at
    known = np.isfinite(values)
    found = np.interp(np.where(known, values, at[0]), at, table, np.nan, np.nan)
    return np.where(known, found, np.nan).astype(np.float32)


def _reciprocal(values: FloatMap) -> FloatMap:
    """Convert dioptres to metres or back, NaN where not finite or not above 0."""
    valid = np.isfinite(values) & (values > 0)
    return np.where(valid, 1 / np.where(valid, values, 1), np.nan).astype(np.float32)


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
