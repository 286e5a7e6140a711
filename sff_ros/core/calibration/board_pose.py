"""Estimate the board's pose in each sweep, and the camera's intrinsics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.calibration.breathing_fit import Breathing
from sff_ros.core.calibration.charuco import Board, Corners, Points
from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.image import Floats
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError

FEWEST_VIEWS = 3
# Largest relative standard deviation of the focal length; above, metres are inaccurate.
LARGEST_FOCAL_ERROR = 0.01
DISTORTION_GAIN = 0.9  # distortion is kept if it reduces the reprojection error to less than this

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class BoardViews:
    """Detections of the board in the slices of one sweep.

    Attributes:
        sweep: its images.
        corners: S, None where the board was too blurred.
    """

    sweep: CodeSweep
    corners: tuple[Corners | None, ...]

    @property
    def is_seen(self) -> bool:
        """Whether any slice shows the board."""
        return any(view is not None for view in self.corners)


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The board in each sweep, as imaged at the reference focus.

    Attributes:
        intrinsics: at the reference, where the scale is 1.
        focal_error: relative standard deviation of the focal length.
        rms_px: reprojection error.
        corners: of each sweep, at the reference.
        dioptres: of each sweep, (N,) inverse depth along Z of its corners.
        square_px: of each sweep, side of a square in the image.
    """

    intrinsics: Intrinsics
    focal_error: float
    rms_px: float
    corners: tuple[Corners, ...]
    dioptres: tuple[Floats, ...]
    square_px: tuple[float, ...]

    @property
    def middle(self) -> tuple[float, float]:
        """The principal point, px."""
        return self.intrinsics.cx, self.intrinsics.cy


def find_poses(
    views: Sequence[BoardViews],
    position_codes: Sequence[Floats],
    breathing: Breathing,
    board: Board,
) -> Poses:
    """Find the camera and the board's poses together (Zhang, PAMI 2000), at the reference.

    Args:
        views: of each sweep.
        position_codes: of the lens, of each slice of each sweep.
        breathing: scale against position code.
        board: as printed.

    Raises:
        CalibrationError: too few views, or none tilted enough to find the focal length.
    """
    if len(views) < FEWEST_VIEWS:
        raise CalibrationError(
            f'the board is seen in {len(views)} sweep{"s" * (len(views) != 1)}, at least '
            f'{FEWEST_VIEWS} are needed: more distances and tilts'
        )
    width, height = views[0].sweep.size
    middle = ((width - 1) / 2, (height - 1) / 2)
    corners = [
        _at_reference(v, p, breathing, middle) for v, p in zip(views, position_codes, strict=True)
    ]
    solids = [board.points_m(seen.ids).astype(np.float32) for seen in corners]
    flats = [seen.px.astype(np.float32) for seen in corners]
    solved = _solve(solids, flats, (width, height))
    if solved.focal_error > LARGEST_FOCAL_ERROR:
        raise CalibrationError(
            f'the focal length is known to {100 * solved.focal_error:.1f} % only: tilt the board '
            'by 20 to 40 degrees in some sweeps, and let it fill more of the image'
        )
    dioptres, sizes = [], []
    for solid, rotation, translation in zip(
        solids, solved.rotations, solved.translations, strict=True
    ):
        turn = np.asarray(cv2.Rodrigues(rotation)[0], float)
        depth_m = solid @ turn[2] + float(translation[2, 0])
        dioptres.append(1 / depth_m)
        sizes.append(board.square_m * solved.intrinsics.fx / float(depth_m.mean()))
    return Poses(
        solved.intrinsics,
        solved.focal_error,
        solved.rms_px,
        tuple(corners),
        tuple(dioptres),
        tuple(sizes),
    )


def _at_reference(
    views: BoardViews, position_codes: Floats, breathing: Breathing, middle: tuple[float, float]
) -> Corners:
    """Return the median position of each corner that a sweep shows, at the reference."""
    seen: dict[int, list[Points]] = {}
    for corners, position_code in zip(views.corners, position_codes.tolist(), strict=True):
        if corners is not None:
            px = breathing.to_reference(corners.px, position_code, middle)
            for number, point in zip(corners.ids.tolist(), px, strict=True):
                seen.setdefault(number, []).append(point)
    ids = np.array(sorted(seen), np.intp)
    return Corners(ids, np.array([np.median(seen[i], axis=0) for i in ids.tolist()]))


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    intrinsics: Intrinsics
    focal_error: float
    rms_px: float
    rotations: Sequence[Any]
    translations: Sequence[Any]


def _solve(solids: list[Floats32], flats: list[Floats32], size: tuple[int, int]) -> _Solved:
    """Calibrate without and with distortion; keep distortion if it fits clearly better."""
    plain = cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST
    plain |= cv2.CALIB_FIX_ASPECT_RATIO
    straight = _calibrate(solids, flats, size, plain)
    bent = _calibrate(solids, flats, size, cv2.CALIB_FIX_K3 | cv2.CALIB_FIX_ASPECT_RATIO)
    return bent if bent.rms_px < DISTORTION_GAIN * straight.rms_px else straight


def _calibrate(
    solids: list[Floats32], flats: list[Floats32], size: tuple[int, int], flags: int
) -> _Solved:
    start = np.array(
        [[size[0], 0, (size[0] - 1) / 2], [0, size[0], (size[1] - 1) / 2], [0, 0, 1.0]]
    )
    rms, k, distortion, rotations, translations, deviation, *_ = cv2.calibrateCameraExtended(
        solids, flats, size, start, np.zeros(5), flags=flags
    )
    k, bend = np.asarray(k, float), np.ravel(distortion)[:5].astype(float)
    values = tuple(bend.tolist()) if bend.any() else ()
    intrinsics = Intrinsics(*size, k[0, 0], k[1, 1], k[0, 2], k[1, 2], values)
    # Of fx and fy only one is free.
    focal_error = float(np.ravel(deviation)[:2].max()) / k[0, 0]
    return _Solved(intrinsics, focal_error, float(rms), rotations, translations)


def observe(sweep: CodeSweep, board: Board) -> BoardViews:
    """Find the board in each slice of a sweep."""
    return BoardViews(sweep, tuple(board.find(image) for image in sweep.images))
