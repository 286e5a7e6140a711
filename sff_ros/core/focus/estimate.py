"""From slice positions to dioptres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats
from sff_ros.errors import ModelError, StackError


@dataclass(frozen=True, slots=True, eq=False)
class FocusEstimate:
    """The output of a depth backend.

    Attributes:
        position: (H, W) float32 slice position in [0, S - 1], finite everywhere. Exactly 0 or
            S - 1 means that the peak was not bracketed: the surface is at or beyond that end.
        confidence: (H, W) float32 in [0, 1]: 0 where the position is a guess.
    """

    position: FloatMap
    confidence: FloatMap

    def __post_init__(self) -> None:
        if self.position.shape != self.confidence.shape or self.position.ndim != 2:
            raise StackError(
                f'position {self.position.shape} and confidence {self.confidence.shape} must be '
                'one (H, W)'
            )
        if self.position.dtype != np.float32 or self.confidence.dtype != np.float32:
            raise StackError(
                f'position and confidence must be float32, not {self.position.dtype} and '
                f'{self.confidence.dtype}'
            )


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
    low = np.clip(position, 0, last - 1, dtype=np.float32)
    low = np.nan_to_num(low, copy=False).astype(np.intp)
    start = focus_dpt.astype(np.float32)
    step = np.diff(start)
    dioptres: FloatMap = start[low] + (position - low.astype(np.float32)) * step[low]
    first_is_near = focus_dpt[0] > focus_dpt[-1]
    dioptres[position <= 0] = np.inf if first_is_near else -np.inf
    dioptres[position >= last] = -np.inf if first_is_near else np.inf
    return dioptres


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
