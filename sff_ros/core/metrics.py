"""Error metrics of a map against ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sff_ros.core.image import AnyFloats, Floats, Mask
from sff_ros.errors import StackError, quoted

# Bumpiness is clipped at this curvature per pixel, as in its source.
BUMPINESS_CLIP = 0.05


@dataclass(frozen=True, slots=True)
class Scores:
    """The errors of one map, over the pixels where ground truth and estimate are finite.

    Attributes:
        mae: mean absolute error, the map's unit.
        rmse: root of the mean squared error, the map's unit.
        abs_rel: mean of |error| / |ground truth|, where the ground truth is not 0.
        delta: share of pixels with max(z / t, t / z) < 1.25, of estimate z and ground truth t;
            where the signs differ or either is 0 the pixel counts as wrong.
        bad: share of pixels with |error| > the threshold.
        bumpiness: see `bumpiness`.
        valid_fraction: share of the pixels with ground truth that have a finite estimate.
    """

    mae: float
    rmse: float
    abs_rel: float
    delta: float
    bad: float
    bumpiness: float
    valid_fraction: float


def score(estimate: AnyFloats, ground_truth: AnyFloats, bad_threshold: float) -> Scores:
    """Compare a map with ground truth; pixels of NaN or infinite ground truth are excluded.

    Args:
        estimate: (H, W), any unit; NaN or infinite where there is no estimate.
        ground_truth: (H, W), the same unit.
        bad_threshold: |error| above which a pixel is bad, the same unit.

    Raises:
        StackError: the shapes differ, or no pixel has finite ground truth.
    """
    error, known, valid = _error(estimate, ground_truth)
    if not valid.any():
        nan = float('nan')
        return Scores(nan, nan, nan, nan, nan, nan, 0.0)
    e, t, z = (
        np.abs(error[valid]),
        ground_truth[valid].astype(float),
        estimate[valid].astype(float),
    )
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
        bumpiness=bumpiness(estimate, ground_truth),
        valid_fraction=float(valid.sum() / known.sum()),
    )


def bumpiness(estimate: AnyFloats, ground_truth: AnyFloats) -> float:
    """Return 100 x the mean curvature of the error, clipped at 0.05.

    Curvature is the Frobenius norm of the Hessian of (estimate - ground truth): Honauer et al., A
    Dataset and Evaluation Methodology for 4D Light Fields (ACCV 2016), as adopted for depth
    from focus by Hazirbas et al., Deep Depth From Focus (ACCV 2018). Pixels beside an unknown
    one are excluded; NaN where none is left.

    Raises:
        StackError: the shapes differ, or no pixel has finite ground truth.
    """
    error, _, _ = _error(estimate, ground_truth)
    dy, dx = np.gradient(error)
    dyy, dyx = np.gradient(dy)
    dxy, dxx = np.gradient(dx)
    norm = np.sqrt(dyy**2 + dyx**2 + dxy**2 + dxx**2)
    norm = norm[np.isfinite(norm)]
    return float(100 * np.minimum(norm, BUMPINESS_CLIP).mean()) if norm.size else float('nan')


def error_at_coverage(
    estimate: AnyFloats, ground_truth: AnyFloats, confidence: AnyFloats, coverages: Sequence[float]
) -> dict[float, float]:
    """Return the mean absolute error over the most confident pixels, for each coverage.

    Args:
        estimate, ground_truth, confidence: (H, W).
        coverages: shares in (0, 1] of the pixels with finite ground truth and estimate.

    Raises:
        StackError: the shapes differ, no pixel is known, or a coverage is out of (0, 1].
    """
    if any(not 0 < c <= 1 for c in coverages):
        raise StackError(f'coverages must be in (0, 1], not {quoted(list(coverages))}')
    if confidence.shape != estimate.shape:
        raise StackError(f'confidence is {confidence.shape}, the estimate is {estimate.shape}')
    error, _, valid = _error(estimate, ground_truth)
    if not valid.any():
        return dict.fromkeys(coverages, float('nan'))
    order = np.argsort(-confidence[valid], kind='stable')
    running = np.cumsum(np.abs(error[valid])[order])
    counts = {c: max(1, round(c * running.size)) for c in coverages}
    return {c: float(running[n - 1] / n) for c, n in counts.items()}


def _error(estimate: AnyFloats, ground_truth: AnyFloats) -> tuple[Floats, Mask, Mask]:
    """Return the error (NaN where unknown), where ground truth is known, and where both are."""
    if estimate.shape != ground_truth.shape or ground_truth.ndim != 2:
        raise StackError(
            f'the estimate is {estimate.shape}, the ground truth is {ground_truth.shape}'
        )
    known = np.isfinite(ground_truth)
    if not known.any():
        raise StackError('no pixel of the ground truth is known')
    valid = known & np.isfinite(estimate)
    error = np.full(ground_truth.shape, np.nan)
    error[valid] = estimate[valid].astype(float) - ground_truth[valid]
    return error, known, valid
