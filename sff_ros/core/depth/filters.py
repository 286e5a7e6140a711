"""Spatial and temporal filters of a focus map, in dioptres; each can be switched off.

Limits of confidence and range are applied by `metric_depth`.
"""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.core.image import FloatMap

# filterSpeckles works on 16-bit integers: 1/1024 dpt a count reaches 30 dpt either way.
_COUNTS_PER_DPT = 1024
_UNKNOWN = -32768


def remove_speckles(dioptres: FloatMap, size_px: int, step_dpt: float) -> FloatMap:
    """Set small patches that stand out from their surroundings to NaN.

    Args:
        dioptres: (H, W) dpt; NaN and Inf are no part of a patch and stay as they are.
        size_px: patches of fewer pixels are removed; 0 = off.
        step_dpt: neighbours that differ by more belong to different patches.
    """
    if size_px == 0:
        return dioptres
    known = np.isfinite(dioptres)
    counts = np.clip(np.where(known, dioptres, 0) * _COUNTS_PER_DPT, -32767, 32767)
    labels = np.where(known, np.rint(counts), _UNKNOWN).astype(np.int16, order='C')
    step = max(1, round(step_dpt * _COUNTS_PER_DPT))
    # OpenCV removes patches of up to maxSpeckleSize pixels, that size included.
    cv2.filterSpeckles(labels, _UNKNOWN, size_px - 1, step)
    return np.where(known & (labels == _UNKNOWN), np.float32(np.nan), dioptres)


class TemporalFilter:
    """A running mean of the dioptres of one pixel over sweeps, which motion resets.

    A pixel that is unknown now stays unknown: old depth is never shown as new.
    """

    def __init__(self) -> None:
        self._mean: FloatMap | None = None

    def reset(self) -> None:
        """Discard the mean, as after a change of camera or a pause."""
        self._mean = None

    def apply(self, dioptres: FloatMap, weight: float, step_dpt: float) -> FloatMap:
        """Blend one map into the mean.

        Args:
            dioptres: (H, W) dpt; NaN and Inf pass through.
            weight: of the past, 0 (off) to below 1.
            step_dpt: a larger change is motion and starts a new mean.

        Returns:
            (H, W) the running mean.
        """
        if weight == 0:
            self._mean = None
            return dioptres
        past = self._mean
        if past is None or past.shape != dioptres.shape:
            blended = dioptres.copy()
        else:
            with np.errstate(invalid='ignore'):
                still = np.abs(dioptres - past) <= step_dpt
                mean = np.float32(weight) * past + np.float32(1 - weight) * dioptres
            blended = np.where(still, mean, dioptres)
        self._mean = blended
        return blended.copy()
