"""Find the lens code at which each corner of the board is sharpest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.calibration.board_pose import BoardViews, Poses
from sff_ros.core.calibration.breathing_fit import Breathing
from sff_ros.core.calibration.charuco import Points
from sff_ros.core.calibration.extrapolate import along
from sff_ros.core.calibration.table_fit import LensFit
from sff_ros.core.focus.measure import measure_ddl
from sff_ros.core.image import Floats, Image, to_grey
from sff_ros.core.optics.field_curvature import off_axis

WINDOW = 0.7  # side of the window that a corner's sharpness is taken from, squares
# Of the peak height, at which chords of a focus curve are taken.
LEVELS = np.linspace(0.985, 0.5, 40)
FEWEST_CHORDS = 3
SURE = 0.02  # slices: smallest standard error of a peak


@dataclass(frozen=True, slots=True, eq=False)
class SharpPoints:
    """The corners of all sweeps whose sharpest code was found.

    Attributes:
        sweep: (N,) which sweep each is of.
        dioptres: (N,) by the board's pose.
        codes: (N,) of sharpest focus.
        side: (N,) 1 where the lens came from below, -1 from above.
        weight: (N,) 1 / variance of the code.
        off_axis: (N,) tan^2 of the angle to the optical axis.
    """

    sweep: npt.NDArray[np.intp]
    dioptres: Floats
    codes: Floats
    side: npt.NDArray[np.intp]
    weight: Floats
    off_axis: Floats


def find_points(
    views: Sequence[BoardViews],
    position_codes: Sequence[Floats],
    breathing: Breathing,
    poses: Poses,
    before: LensFit | None,
) -> SharpPoints:
    """Find where each corner of each sweep is sharpest.

    Args:
        views, position_codes: of each sweep.
        breathing, poses: of the same.
        before: an earlier fit; blur is even in its dioptres, where focus curves are symmetric.
    """
    parts = []
    for number, (view, axis) in enumerate(zip(views, position_codes, strict=True)):
        curves = _curves(view, axis, breathing, poses, number)
        position, spread = chord_centres(curves, _axis(axis, before))
        good = np.isfinite(position)
        codes = np.interp(position[good], np.arange(len(axis)), view.sweep.codes)
        step = np.interp(position[good], np.arange(len(axis)), np.abs(np.gradient(axis)))
        count = len(codes)
        parts.append(
            np.stack(
                (
                    np.full(count, number),
                    poses.dioptres[number][good],
                    codes,
                    np.full(count, view.sweep.side),
                    1 / (spread[good] * step) ** 2,
                    off_axis(poses.intrinsics, poses.corners[number].px)[good],
                )
            )
        )
    sweep, dioptres, codes, side, weight, off = np.concatenate(parts, axis=1)
    return SharpPoints(sweep.astype(np.intp), dioptres, codes, side.astype(np.intp), weight, off)


def chord_centres(curves: npt.NDArray[np.float32], axis: Floats) -> tuple[Floats, Floats]:
    """Find the middle of symmetric peaks, whatever their shape.

    At each level below the top a symmetric curve has its peak half way between its two
    crossings. Levels that only one flank reaches are skipped, so that a flank cut off by the
    sweep does no harm. (A matched filter over the whole sweep would be biased towards the longer
    flank, by up to a tenth of a dioptre.)

    Args:
        curves: (S, N) responses.
        axis: (S,) strictly monotonic, even in blur.

    Returns:
        (N,) slice position, NaN where fewer than FEWEST_CHORDS levels have both sides; and (N,)
        standard error of it, slices, from the scatter of the levels, SURE at the least.
    """
    position = np.full(curves.shape[1], np.nan)
    spread = np.full(curves.shape[1], np.nan)
    slices = np.arange(len(axis), dtype=float)
    rising = np.sign(axis[-1] - axis[0])
    for n, curve in enumerate(curves.T.astype(float)):
        top = int(np.argmax(curve))
        middles = []
        for level in (curve[top] * LEVELS).tolist():
            left = _crossing(curve[top::-1], axis[top::-1], level)
            right = _crossing(curve[top:], axis[top:], level)
            if left is not None and right is not None:
                middles.append((left + right) / 2)
        if len(middles) >= FEWEST_CHORDS:
            centres = np.interp(np.array(middles) * rising, axis * rising, slices)
            position[n] = np.median(centres)
            spread[n] = max(float(centres.std()) / np.sqrt(len(middles)), SURE)
    return position, spread


def _crossing(curve: Floats, axis: Floats, level: float) -> float | None:
    """Return where a curve that starts above a level first falls below it; None if nowhere."""
    below = np.flatnonzero(curve < level)
    if below.size == 0:
        return None
    k = int(below[0])
    share = (curve[k - 1] - level) / (curve[k - 1] - curve[k])
    return float(axis[k - 1] + share * (axis[k] - axis[k - 1]))


def _curves(
    view: BoardViews, position_codes: Floats, breathing: Breathing, poses: Poses, number: int
) -> npt.NDArray[np.float32]:
    """Return (S, N): how sharp each corner of a sweep is in each slice."""
    corners = poses.corners[number]
    expected = [
        breathing.from_reference(corners.px, p, poses.middle) for p in position_codes.tolist()
    ]
    drift = _drift(view, corners.ids, expected)
    side = max(round(WINDOW * poses.square_px[number]), 3)
    curves = [
        _sharpness(image, at + moved, side)
        for image, at, moved in zip(view.sweep.images, expected, drift, strict=True)
    ]
    return np.array(curves, np.float32)


def _drift(view: BoardViews, ids: npt.NDArray[np.intp], expected: Sequence[Points]) -> Floats:
    """Return (S, 2) px: drift of a hand-held board, interpolated where it is not detected."""
    seen, moved = [], []
    for k, corners in enumerate(view.corners):
        if corners is not None:
            _, here, there = np.intersect1d(ids, corners.ids, return_indices=True)
            seen.append(k)
            moved.append(np.median(corners.px[there] - expected[k][here], axis=0))
    every = np.arange(len(view.corners))
    return np.stack([np.interp(every, seen, axis) for axis in np.array(moved).T], axis=1)


def _sharpness(image: Image, px: Points, side: int) -> npt.NDArray[np.float32]:
    """Return the contrast of an image in windows around points, (N,)."""
    contrast = cv2.blur(_contrast(image), (side, side))
    x, y = px.T.astype(np.float32)
    sampled = cv2.remap(contrast, x[None], y[None], cv2.INTER_LINEAR)
    return np.asarray(sampled[0], np.float32)


def _contrast(image: Image) -> npt.NDArray[np.float32]:
    """Return the response of the finest Laplacian over the mean grey, (H, W)."""
    response: npt.NDArray[np.float32] = measure_ddl(image, 1, (1,))[0]
    return response / np.float32(max(float(to_grey(image).mean()), 1e-6))


def _axis(position_codes: Floats, before: LensFit | None) -> Floats:
    """Return the dioptres of slices by an earlier fit, extrapolated beyond its table."""
    if before is None:
        return position_codes
    return along(position_codes, before.position_codes, before.dioptres)
