"""The calibration of a lens from sweeps over a board at several distances.

The board's pose gives the distance of each of its corners, and the sweep the code at which that
corner is sharpest. The image scale also changes with the lens, and is fitted to the corners too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sff_ros.core.calibration.board_pose import BoardViews, Poses, find_poses
from sff_ros.core.calibration.breathing_fit import Breathing, fit_breathing
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.calibration.corner_focus import SharpPoints, find_points
from sff_ros.core.calibration.table_fit import LensFit, fit_lens
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CalibrationError

ROUNDS = 2  # the second uses the backlash and the dioptres, in which focus curves are symmetric
FEWEST_POINTS = 40
LEAST_SPAN = 1.3  # of the nearest to the farthest corner, in dioptres


@dataclass(frozen=True, slots=True, eq=False)
class LensReport:
    """A calibration and the data behind it.

    Attributes:
        calibration: without settling and identity, which are not measured with a board.
        fit: the table and how well it fits.
        points: what was fitted.
        poses: the board in each sweep.
        breathing: scale against position code.
        names: of the sweeps that show the board.
        unseen: names of those that do not.
    """

    calibration: LensCalibration
    fit: LensFit
    points: SharpPoints
    poses: Poses
    breathing: Breathing
    names: tuple[str, ...]
    unseen: tuple[str, ...]


def calibrate_lens(every: Sequence[BoardViews], board: Board) -> LensReport:
    """Calibrate a lens: code <-> dioptres, backlash, breathing, and intrinsics at its reference.

    Args:
        every: sweeps over the board, which holds still during each; at several distances and
            tilts, from both sides if the backlash is to be measured.
        board: as printed.

    Raises:
        CalibrationError: the sweeps differ in image size, or the board was not seen, or always at
            one distance, or never tilted, or too few corners had a peak; the message says what to
            do.
    """
    _check_sizes([view.sweep for view in every])
    views = [view for view in every if view.is_seen]
    unseen = tuple(view.sweep.name for view in every if not view.is_seen)
    if not views:
        raise CalibrationError(
            f'no sweep shows the board of {board.columns}x{board.rows} squares: is it in the '
            'image, flat, lit, and the one that --board names?'
        )
    codes = np.concatenate([view.sweep.codes for view in views])
    middle, span = float(codes.min() + codes.max()) / 2, float(np.ptp(codes))
    backlash, fit = 0.0, None
    for _ in range(ROUNDS):
        position_codes = [view.sweep.codes - view.sweep.side * backlash / 2 for view in views]
        corners = (view.corners for view in views)
        seen = list(zip(position_codes, corners, strict=True))
        breathing = fit_breathing(seen, middle, span)
        poses = find_poses(views, position_codes, breathing, board)
        points = find_points(views, position_codes, breathing, poses, fit)
        _check(points)
        fit = fit_lens(points.dioptres, points.codes, points.side, points.weight, points.off_axis)
        backlash = fit.backlash
    assert fit is not None
    names = tuple(view.sweep.name for view in views)
    calibration = _calibration(fit, breathing, poses)
    return LensReport(calibration, fit, points, poses, breathing, names, unseen)


def _calibration(fit: LensFit, breathing: Breathing, poses: Poses) -> LensCalibration:
    order = np.argsort(fit.position_codes)
    position_codes = fit.position_codes[order]
    table = LensTable(
        tuple(position_codes.tolist()),
        tuple(fit.dioptres[order].tolist()),
        tuple(breathing.scale_at(position_codes).tolist()),
    )
    return LensCalibration(
        table,
        poses.intrinsics,
        backlash=fit.backlash,
        field_dpt=fit.field_dpt,
        centre_px=breathing.centre_px,
        residual_dpt=fit.rms_dpt,
    )


def _check_sizes(sweeps: Sequence[CodeSweep]) -> None:
    """Refuse sweeps of several image sizes: pixels of one are not those of another."""
    for sweep in sweeps:
        if sweep.size != sweeps[0].size:
            sizes = [f'{s.name} is {s.size[0]}x{s.size[1]}' for s in (sweeps[0], sweep)]
            raise CalibrationError(
                f'sweeps differ in image size: {", ".join(sizes)}; a calibration is for one size'
            )


def _check(points: SharpPoints) -> None:
    """Refuse points that cannot make a table."""
    count = len(points.codes)
    if count < FEWEST_POINTS:
        raise CalibrationError(
            f'only {count} corners were sharpest inside their sweep, at least {FEWEST_POINTS} are '
            'needed: hold the board where the lens can focus, and sweep a little beyond'
        )
    near, far = float(points.dioptres.max()), float(points.dioptres.min())
    if near < LEAST_SPAN * far:
        raise CalibrationError(
            f'the board was always {1 / near:.2f} to {1 / far:.2f} m away: hold it at several '
            'distances, from the nearest to the farthest that the lens is to be used at'
        )
