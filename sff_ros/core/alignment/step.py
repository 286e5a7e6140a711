"""The motion from one slice to the next, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sff_ros.core.alignment.registration import (
    Level,
    Levels,
    Model,
    correlation,
    register,
    share_better,
)
from sff_ros.core.alignment.warp import corner_shift_px
from sff_ros.core.image import Warp

# Least share of the difference of two slices that a warp must explain. In still sweeps, blur
# alone appears to move by up to a pixel, and explains 6 %; a step of half a pixel explains 20 %.
LEAST_EXPLAINED = 0.08
# Share that blur alone does not explain: a knock explains 0.8 and more, blur at most 0.3.
STRONG = 0.5
# Least share of the image in which it must match better. Steps of real sweeps have 0.52 or more,
# mostly 0.9; a moving object that wins the correlation has at most the share it covers.
LEAST_BETTER = 0.5
FARTHEST = 0.3  # of the longer side: largest plausible motion of a corner between two slices
# Correlation of two slices below which the camera may have been knocked too far for the steps of
# the registration; a step of a sweep has 0.95 and more at the coarsest level.
ALIKE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The warp from one slice to the next.

    Attributes:
        warp: (3, 3) from px of the previous slice to px of this one.
        before, after: correlation of the two with the calibrated warp, and with `warp`.
        refused: whether no better warp than the calibrated one was found, so that `warp` is that;
            the identity if not calibrated.
    """

    warp: Warp
    before: float
    after: float
    refused: bool

    @property
    def explained(self) -> float:
        """The share of the difference of the two slices that the warp explains."""
        return (self.after - self.before) / max(1 - self.before, 1e-9)

    @property
    def is_strong(self) -> bool:
        """Whether blur alone cannot have been mistaken for this motion."""
        return not self.refused and self.explained >= STRONG


def look(model: Model, last: Levels, this: Levels, starts: Sequence[Warp]) -> Step:
    """Estimate the warp between two slices; the first start is the calibrated one."""
    alike = [correlation(last[0], this[0], start) for start in starts]
    start = starts[int(np.argmax(alike))]
    if max(alike) < ALIKE:
        far = _far(last[0], this[0])
        if correlation(last[0], this[0], far) > max(alike):
            start = far
    warp = register(last, this, start, model)
    before, after = (correlation(last[-1], this[-1], w) for w in (starts[0], warp))
    step = Step(warp, before, after, refused=False)
    # Two levels coarser is precise enough to decide, at a sixteenth of the cost.
    rough = max(len(last) - 3, 0)
    better = share_better(last[rough], this[rough], warp, than=starts[0])
    if (
        step.explained < LEAST_EXPLAINED
        or better < LEAST_BETTER
        or _reach(warp, this[0]) > FARTHEST
    ):
        return Step(starts[0], before, before, refused=True)
    return step


def _far(first: Level, second: Level) -> Warp:
    """Return the shift between two images by phase correlation, which finds one of any size."""
    one, other = first.image, second.image
    window = cv2.createHanningWindow((one.shape[1], one.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(one - one.mean(), other - other.mean(), window)
    return np.array([[1, 0, x * first.shrink], [0, 1, y * first.shrink], [0, 0, 1]])


def _reach(warp: Warp, level: Level) -> float:
    """Return the largest displacement of a corner by a warp, relative to the longer side."""
    height, width = (side * level.shrink for side in level.image.shape)
    return float(corner_shift_px(warp, (height, width)).max() / max(height, width))
