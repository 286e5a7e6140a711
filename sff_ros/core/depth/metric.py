"""Convert dioptres to metres, with REP 117's values for invalid measurements."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap


def metric_depth(
    dioptres: FloatMap,
    confidence: FloatMap,
    *,
    min_confidence: float = 0.0,
    min_depth_m: float = 0.0,
    max_depth_m: float = np.inf,
) -> FloatMap:
    """Turn dioptres into metres along the optical axis.

    Focus distance is measured along Z (a thin lens images planes onto planes), so this is REP
    118's depth, not a range along the ray.

    Args:
        dioptres: (H, W) dpt; +Inf nearer and -Inf farther than the sweep reaches, NaN unknown.
        confidence: (H, W) in [0, 1].
        min_confidence: below this the depth is unknown.
        min_depth_m, max_depth_m: measurement range, m.

    Returns:
        (H, W) float32 m: NaN unknown, -Inf too near, +Inf too far (REP 117).
    """
    with np.errstate(divide='ignore', over='ignore'):
        depth: FloatMap = np.float32(1) / dioptres
    depth[dioptres <= 0] = np.inf
    depth[(depth < min_depth_m) | (dioptres == np.inf)] = -np.inf
    depth[depth > max_depth_m] = np.inf
    # Written so that a confidence of NaN is unknown too.
    depth[~(confidence >= min_confidence) | np.isnan(dioptres)] = np.nan
    return depth


def metric_deviation(depth_m: FloatMap, deviation_dpt: FloatMap) -> FloatMap:
    """Turn the standard deviation of dioptres D into that of metres Z = 1 / D: Z^2 sigma_D.

    Args:
        depth_m: (H, W) m as of metric_depth.
        deviation_dpt: (H, W) dpt; NaN unknown.

    Returns:
        (H, W) float32 m, NaN where the depth is not finite.
    """
    known = np.where(np.isfinite(depth_m), depth_m, np.float32(np.nan))
    deviation: FloatMap = known * known * deviation_dpt
    return deviation


def to_millimetres(depth_m: FloatMap) -> npt.NDArray[np.uint16]:
    """Turn metres into REP 118's 16-bit millimetres; 0 where invalid or not representable."""
    with np.errstate(over='ignore'):
        millimetres = np.rint(depth_m * np.float32(1000))
    valid = np.isfinite(millimetres) & (millimetres > 0) & (millimetres <= 65535)
    return np.where(valid, millimetres, 0).astype(np.uint16)
