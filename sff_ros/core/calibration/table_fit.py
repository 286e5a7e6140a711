"""Fit a lens table to codes of sharpest focus at known distances."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Floats, Mask
from sff_ros.errors import CalibrationError

KNOTS = 9
ROUNDS = 12  # of reweighting
FIELD_ROUNDS = 4  # each removes most of the remaining curvature
OUTLIER = 4.0  # robust standard deviations beyond which a point is ignored (Tukey's biweight)
# Weight of each second difference of the table over that of a point: it bridges gaps between
# distances and is negligible where there are points.
SMOOTHNESS = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class LensFit:
    """A lens table fitted to points.

    Attributes:
        dioptres: (K,) knots, increasing.
        position_codes: (K,) of the lens at each, strictly monotonic.
        backlash: width of the hysteresis, codes; 0 where all points came from one side.
        field_dpt: field curvature, dioptres at tan^2 = 1 off the axis.
        error_dpt: (N,) of each point: its dioptres by the table, minus those of the board.
        inside: (N,) whether the point was used; outliers are not.
        linear: dioptres = linear[0] * position code + linear[1].
        linear_rms_dpt: RMS residual of that line.
    """

    dioptres: Floats
    position_codes: Floats
    backlash: float
    field_dpt: float
    error_dpt: Floats
    inside: Mask
    linear: tuple[float, float]
    linear_rms_dpt: float

    @property
    def rms_dpt(self) -> float:
        """RMS of the points that were used, dioptres."""
        return float(np.sqrt(np.mean(self.error_dpt[self.inside] ** 2)))


def fit_lens(
    dioptres: Floats,
    codes: Floats,
    side: npt.NDArray[np.intp],
    weight: Floats,
    off_axis: Floats,
) -> LensFit:
    """Fit code = position_code(dioptres - field * off_axis) + side * backlash / 2, robustly.

    Distances are known far better than the code of sharpest focus, so the codes are fitted:
    position_code is linear between even knots, and smooth. The field curvature is fitted to the
    residuals off the axis, and subtracted, in FIELD_ROUNDS rounds.

    Args:
        dioptres: (N,) of each point, from the board's pose.
        codes: (N,) of sharpest focus.
        side: (N,) 1 where the lens came from below, -1 from above.
        weight: (N,) 1 / variance, up to a factor.
        off_axis: (N,) tan^2 of the angle to the optical axis.

    Raises:
        CalibrationError: the table is not monotonic.
    """
    field_dpt = 0.0
    for _ in range(FIELD_ROUNDS):
        fit = _fit_table(dioptres - field_dpt * off_axis, codes, side, weight)
        seen = fit.inside
        away = off_axis[seen] - off_axis[seen].mean()
        if not away.any():
            break
        field_dpt -= float(away @ fit.error_dpt[seen] / (away @ away))
    fit = _fit_table(dioptres - field_dpt * off_axis, codes, side, weight)
    return replace(fit, field_dpt=field_dpt)


def _fit_table(
    dioptres: Floats, codes: Floats, side: npt.NDArray[np.intp], weight: Floats
) -> LensFit:
    """Fit code = position_code(dioptres) + side * backlash / 2."""
    low, high = float(dioptres.min()), float(dioptres.max())
    knots = np.linspace(low, high, KNOTS)
    both = bool((side > 0).any() and (side < 0).any())
    hats = _hats(dioptres, knots)
    system = np.column_stack((hats, side / 2)) if both else hats
    bend = np.zeros((KNOTS - 2, system.shape[1]))
    for k in range(KNOTS - 2):
        bend[k, k : k + 3] = (1, -2, 1)
    bend *= np.sqrt(SMOOTHNESS * weight.sum())
    robust = np.ones(len(codes))
    for _ in range(ROUNDS):
        root = np.sqrt(weight * robust)
        rows = np.vstack((system * root[:, None], bend))
        target = np.concatenate((codes * root, np.zeros(len(bend))))
        solution = np.linalg.lstsq(rows, target, rcond=None)[0]
        left = codes - system @ solution
        scale = 1.4826 * float(np.median(np.abs(left))) + 1e-9
        robust = np.maximum(1 - (left / (OUTLIER * scale)) ** 2, 0) ** 2
    position_codes: Floats = solution[:KNOTS].astype(float)
    steps = np.diff(position_codes)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise CalibrationError(
            'the codes of sharpest focus do not grow with the distance: the board moved during a '
            'sweep, the lens did not settle, or autofocus was on'
        )
    slope = np.diff(knots) / steps
    cell = np.clip(np.searchsorted(knots, dioptres, side='right') - 1, 0, KNOTS - 2)
    inside = robust > 0
    backlash = float(solution[KNOTS]) if both else 0.0
    free = codes - side * backlash / 2
    line = np.polyfit(free[inside], dioptres[inside], 1)
    rest = dioptres[inside] - np.polyval(line, free[inside])
    return LensFit(
        dioptres=knots,
        position_codes=position_codes,
        backlash=max(backlash, 0.0),
        field_dpt=0.0,
        error_dpt=left * slope[cell],
        inside=inside,
        linear=(float(line[0]), float(line[1])),
        linear_rms_dpt=float(np.sqrt(np.mean(rest**2))),
    )


def _hats(x: Floats, knots: Floats) -> Floats:
    """Return (N, K) weights of linear interpolation between even knots."""
    at = (x - knots[0]) / (knots[1] - knots[0])
    hats: Floats = np.maximum(1 - np.abs(at[:, None] - np.arange(len(knots))), 0)
    return hats
