"""How wrong a map is, against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sff_ros.errors import StackError

# In quotes: NumPy before 1.22 cannot take this apart at run time.
Map: TypeAlias = 'npt.NDArray[np.floating[Any]]'

# Bumpiness is cut at this curvature in one pixel, as in its source.
BUMPINESS_CLIP = 0.05


@dataclass(frozen=True, slots=True)
class Scores:
    """The errors of one map, over the pixels where truth and estimate are finite.

    Attributes:
        mae: mean absolute error, the map's unit.
        rmse: root of the mean squared error, the map's unit.
        abs_rel: mean of |error| / |truth|, where the truth is not 0.
        delta: share of pixels with max(estimate / truth, truth / estimate) < 1.25; where the
            signs differ or either is 0 the pixel counts as wrong.
        bad: share of pixels with |error| > the threshold.
        bumpiness: see `bumpiness`.
        valid_fraction: share of the pixels with a truth that have a finite estimate.
    """

    mae: float
    rmse: float
    abs_rel: float
    delta: float
    bad: float
    bumpiness: float
    valid_fraction: float


def score(estimate: Map, truth: Map, bad_threshold: float) -> Scores:
    """Compare a map with the truth; NaN and infinite truth is left out.

    Args:
        estimate: (H, W), any unit; NaN or infinite where it says nothing.
        truth: (H, W), the same unit.
        bad_threshold: |error| above which a pixel is bad, the same unit.

    Raises:
        StackError: the shapes differ, or no pixel has a finite truth.
    """
    error, known, valid = _error(estimate, truth)
    if not valid.any():
        nan = float('nan')
        return Scores(nan, nan, nan, nan, nan, nan, 0.0)
    e, t, z = np.abs(error[valid]), truth[valid].astype(float), estimate[valid].astype(float)
    divisible = t != 0
    same_sign = t * z > 0
    ratio = np.full(t.shape, np.inf)
    ratio[same_sign] = z[same_sign] / t[same_sign]
    ratio = np.maximum(ratio, 1 / ratio, out=ratio)
    return Scores(
        mae=float(e.mean()),
        rmse=float(np.sqrt(np.mean(e * e))),
        abs_rel=float(np.mean(e[divisible] / np.abs(t[divisible]))) if divisible.any() else 0.0,
        delta=float(np.mean(ratio < 1.25)),
        bad=float(np.mean(e > bad_threshold)),
        bumpiness=bumpiness(estimate, truth),
        valid_fraction=float(valid.sum() / known.sum()),
    )


def bumpiness(estimate: Map, truth: Map) -> float:
    """Return 100 x the mean of the error's curvature, cut at 0.05.

    Curvature is the Frobenius norm of the Hessian of (estimate - truth): Honauer et al., A
    Dataset and Evaluation Methodology for 4D Light Fields (ACCV 2016), as taken over for depth
    from focus by Hazirbas et al., Deep Depth From Focus (ACCV 2018). Pixels beside an unknown
    one are left out; NaN where none is left.

    Raises:
        StackError: the shapes differ, or no pixel has a finite truth.
    """
    error, _, _ = _error(estimate, truth)
    dy, dx = np.gradient(error)
    dyy, dyx = np.gradient(dy)
    dxy, dxx = np.gradient(dx)
    norm = np.sqrt(dyy**2 + dyx**2 + dxy**2 + dxx**2)
    norm = norm[np.isfinite(norm)]
    return float(100 * np.minimum(norm, BUMPINESS_CLIP).mean()) if norm.size else float('nan')


def error_at_coverage(
    estimate: Map, truth: Map, confidence: Map, coverages: Sequence[float]
) -> dict[float, float]:
    """Return the mean absolute error over the most confident pixels, for each coverage.

    Args:
        estimate, truth, confidence: (H, W).
        coverages: shares in (0, 1] of the pixels with finite truth and estimate.

    Raises:
        StackError: the shapes differ, or no pixel is known, or a coverage is out of (0, 1].
    """
    if any(not 0 < c <= 1 for c in coverages):
        raise StackError(f'coverages must be in (0, 1], not {list(coverages)}')
    if confidence.shape != estimate.shape:
        raise StackError(f'confidence is {confidence.shape}, the estimate is {estimate.shape}')
    error, _, valid = _error(estimate, truth)
    if not valid.any():
        return dict.fromkeys(coverages, float('nan'))
    order = np.argsort(-confidence[valid], kind='stable')
    running = np.cumsum(np.abs(error[valid])[order])
    counts = {c: max(1, round(c * running.size)) for c in coverages}
    return {c: float(running[n - 1] / n) for c, n in counts.items()}


def _error(
    estimate: Map, truth: Map
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the error (NaN where unknown), where truth is known, and where both are."""
    if estimate.shape != truth.shape or truth.ndim != 2:
        raise StackError(f'the estimate is {estimate.shape}, the truth is {truth.shape}')
    known = np.isfinite(truth)
    if not known.any():
        raise StackError('no pixel of the truth is known')
    valid = known & np.isfinite(estimate)
    error = np.full(truth.shape, np.nan)
    error[valid] = estimate[valid].astype(float) - truth[valid]
    return error, known, valid
