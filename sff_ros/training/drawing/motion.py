"""Motion of objects and of the camera during a sweep, as far as alignment leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats
from sff_ros.core.optics.rendering import Layer
from sff_ros.training.drawing.ranges import SampleRange
from sff_ros.training.drawing.scenes import visible
from sff_ros.training.drawing.textures import Rng

Shifts = npt.NDArray[np.intp]

LARGEST_PX = 96  # over a whole sweep
MOVING = 3  # objects that move together, at most
BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)


def camera_path(rng: Rng, ranges: SampleRange, count: int) -> Floats | None:
    """Return (S, 2) shift of each slice, px, 0 in mid-sweep; None if the camera is at rest."""
    return _path(rng, ranges.camera_jump.draw(rng), ranges.camera_motion.draw(rng), count)


def object_shifts(
    rng: Rng, ranges: SampleRange, layers: Sequence[Layer], count: int
) -> Shifts | None:
    """Return (S, layers, 2) shift of each layer, whole px, 0 in mid-sweep; None if all rest.

    The first layer, the ground, does not move.
    """
    path = _path(rng, ranges.object_jump.draw(rng), ranges.object_motion.draw(rng), count)
    if path is None or len(layers) < 2:
        return None
    number = min(int(rng.integers(1, MOVING + 1)), len(layers) - 1)
    shifts = np.zeros((count, len(layers), 2), np.intp)
    for moving in (1 + rng.choice(len(layers) - 1, number, replace=False)).tolist():
        shifts[:, moving] = np.rint(path)
    return shifts


def _path(rng: Rng, jump: float | None, motion: float | None, count: int) -> Floats | None:
    """Return (S, 2): one jump, steady motion, or both; px."""
    if jump is None and motion is None:
        return None
    slices = np.arange(count, dtype=float)
    jumps_at = int(rng.integers(1, count))
    travel = min(motion or 0.0, LARGEST_PX / count) * slices + (jump or 0.0) * (slices >= jumps_at)
    angle = rng.uniform(0, 2 * np.pi)
    travel -= travel[count // 2]
    return np.stack([travel * np.cos(angle), travel * np.sin(angle)], axis=1)


def moved_places(layers: Sequence[Layer], size: int, shifts: Shifts) -> FloatMap:
    """Return (S, size, size) position of what is visible in each slice."""
    seen = []
    for moves in shifts.tolist():
        moved = [
            replace(layer, x=layer.x + x, y=layer.y + y)
            for layer, (x, y) in zip(layers, moves, strict=True)
        ]
        seen.append(visible(moved, size)[1])
    return np.stack(seen)


def move_camera(
    rng: Rng, sweep: FloatMap, seen: FloatMap, path: Floats
) -> tuple[FloatMap, FloatMap]:
    """Shift all slices, with black, repeated or mirrored borders.

    Args:
        rng: chooses the border.
        sweep: (S, size, size, 3).
        seen: (S, size, size) position of what is visible in each slice.
        path: (S, 2) px.

    Returns:
        Both, shifted; positions are NaN in black borders.
    """
    border = BORDERS[rng.integers(len(BORDERS))]
    size = (sweep.shape[2], sweep.shape[1])
    images, maps = np.empty_like(sweep), np.empty_like(seen)
    for k, (x, y) in enumerate(path.tolist()):
        matrix = np.array([[1, 0, x], [0, 1, y]])
        images[k] = cv2.warpAffine(
            sweep[k], matrix, size, flags=cv2.INTER_LINEAR, borderMode=border
        )
        maps[k] = cv2.warpAffine(
            seen[k], matrix, size, flags=cv2.INTER_NEAREST, borderMode=border,
            borderValue=(np.nan,) * 4,
        )  # fmt: skip
    return images, maps
