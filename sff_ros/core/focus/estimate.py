"""From slice positions to dioptres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats
from sff_ros.errors import ModelError, StackError

# A sweep has no peaks if less than FEWEST of it has a confidence of PEAK; nothing of it is sure if
# less has one of SURE, what is published by default.
PEAK, SURE, FEWEST = 0.3, 0.5, 0.01
NO_PEAKS = (
    'sharpness does not change along the sweep: does the lens move, is there light and texture?'
)
NOTHING_SURE = (
    f'hardly any pixel reaches a confidence of {SURE}: are there more than 4 slices, less noise?'
)


@dataclass(frozen=True, slots=True, eq=False)
class FocusEstimate:
    """The output of a depth backend.

    Attributes:
        position: (H, W) float32 slice position in [0, S - 1], finite everywhere. Exactly 0 or
            S - 1 means that the peak was not bracketed: the surface is at or beyond that end.
        confidence: (H, W) float32 in [0, 1]: 0 where the position is a guess.
        deviation: (H, W) float32 standard deviation of the position, slices, finite and >= 0;
            calibrated for positions of a confidence that is published by default.
    """

    position: FloatMap
    confidence: FloatMap
    deviation: FloatMap

    def __post_init__(self) -> None:
        maps = self.position, self.confidence, self.deviation
        if len({values.shape for values in maps}) > 1 or self.position.ndim != 2:
            raise StackError(
                f'position {maps[0].shape}, confidence {maps[1].shape} and deviation '
                f'{maps[2].shape} must be one (H, W)'
            )
        if any(values.dtype != np.float32 for values in maps):
            raise StackError(
                f'position, confidence and deviation must be float32, not {maps[0].dtype}, '
                f'{maps[1].dtype} and {maps[2].dtype}'
            )

    @property
    def doubt(self) -> str:
        """Why hardly a pixel is published by default, for a user; '' if more than a few are."""
        for least, reason in ((PEAK, NO_PEAKS), (SURE, NOTHING_SURE)):
            if float((self.confidence >= least).mean()) < FEWEST:
                return reason
        return ''


def to_dioptres(position: FloatMap, focus_dpt: Floats) -> FloatMap:
    """Convert slice positions into dioptres, for any sweep spacing.

    Positions are interpolated linearly in dioptres between slices. A position of exactly 0 or
    S - 1 is a peak that the sweep did not bracket.

    Args:
        position: (H, W) slice positions in [0, S - 1]; NaN stays NaN.
        focus_dpt: (S,) focus distance of each slice, strictly monotonic, dioptres.

    Returns:
        (H, W) dioptres; +Inf where the surface is at or beyond the near end of the sweep, -Inf
        at or beyond its far end.
    """
    last = len(focus_dpt) - 1
    low = _interval(position, last + 1)
    start = focus_dpt.astype(np.float32)
    step = np.diff(start)
    dioptres: FloatMap = start[low] + (position - low.astype(np.float32)) * step[low]
    first_is_near = focus_dpt[0] > focus_dpt[-1]
    dioptres[position <= 0] = np.inf if first_is_near else -np.inf
    dioptres[position >= last] = -np.inf if first_is_near else np.inf
    return dioptres


def local_step(position: FloatMap, at: Floats) -> FloatMap:
    """Return the distance between the two slices around a position, in the unit of `at`.

    Args:
        position: (H, W) slice positions in [0, S - 1].
        at: (S,) place of each slice, strictly monotonic.

    Returns:
        (H, W), > 0.
    """
    step: FloatMap = np.abs(np.diff(at)).astype(np.float32)[_interval(position, len(at))]
    return step


def _interval(position: FloatMap, count: int) -> npt.NDArray[np.intp]:
    """Return (H, W) the slice below each position that has one above; 0 where it is NaN."""
    low = np.nan_to_num(np.clip(position, 0, count - 2, dtype=np.float32), copy=False)
    below: npt.NDArray[np.intp] = low.astype(np.intp)
    return below


def check_finite(stage: str, *arrays: npt.NDArray[np.floating[Any]]) -> None:
    """Reject values that are not finite before they become a wrong position.

    Args:
        stage: name of the computation.
        arrays: of any shape.

    Raises:
        ModelError: names the stage and the number of values that are not finite.
    """
    for array in arrays:
        if np.isfinite(array.sum()):  # NaN and Inf propagate into it; faster than each value
            continue
        wrong = array.size - int(np.count_nonzero(np.isfinite(array)))
        if wrong:
            raise ModelError(f'{stage}: {wrong} of {array.size} values are NaN or Inf')
