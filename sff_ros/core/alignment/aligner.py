"""Slices brought into one frame: compensates breathing and camera motion.

Where the lens is calibrated, how the image breathes is known (Slice.warp). What is left between
a slice and the one before is searched for in the images, on top of that. Both together are one
resampling, since each one blurs a little, and blur is what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sff_ros.core.alignment.registration import (
    Level,
    Levels,
    Model,
    correlation,
    pyramid,
    register,
    share_better,
)
from sff_ros.core.alignment.warp import corner_shift_px, is_still, warped, without_rounding
from sff_ros.core.homography import inverse, product
from sff_ros.core.image import Warp
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import ConfigError

# What a warp must explain of that by which two slices differ. In sweeps that hold still, blur
# alone seems to move by up to a pixel, and explains 6 %; a step of half a pixel explains 20 %.
LEAST_EXPLAINED = 0.08
# Share of the image in which it must match better. Steps of real sweeps have 0.52 or more,
# mostly 0.9; what moves by itself, and wins the correlation, no more than the share it covers.
LEAST_BETTER = 0.5
FARTHEST = 0.2  # of the longer side that a corner may move from slice to slice: more is a mistake

Method = Literal['none', 'breathing', 'similarity', 'homography']
Alignment = Literal['auto', 'none', 'breathing', 'similarity', 'homography']
# What is looked for beside the calibrated breathing.
MODELS: dict[Method, Model | None] = {
    'none': None,
    'breathing': None,
    'similarity': 'similarity',
    'homography': 'homography',
}
ALIGNMENTS: tuple[Alignment, ...] = ('auto', *MODELS)


def as_alignment(name: str) -> Alignment:
    """Return the name of an alignment as such.

    Raises:
        ConfigError: it is none.
    """
    if name == 'auto':
        return 'auto'
    if name not in MODELS:
        raise ConfigError(f'align is {name!r}; allowed: {", ".join(ALIGNMENTS)}')
    return name


def method_for(how: Alignment, first: Slice) -> Method:
    """Return how to align a sweep; the meaning of 'auto'.

    A lens whose focus distances are known is calibrated, and a slice with a warp says how it
    breathes: searching the images for what that covers would cost 20 ms a slice of VGA. The
    breathing of any other lens is unknown, so that a similarity is searched for.

    Args:
        how: as configured.
        first: the first slice of the sweep.
    """
    if how != 'auto':
        return how
    calibrated = first.warp is not None or not np.isnan(first.focus_dpt)
    return 'breathing' if calibrated else 'similarity'


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How one slice lies to the one before.

    Attributes:
        warp: (3, 3) from px of the slice before to px of this one.
        before, after: correlation of the two as the calibration has it, and warped.
        refused: whether no warp was found that is better than what the calibration says, so that
            `warp` is that; the identity where it says nothing.
    """

    warp: Warp
    before: float
    after: float
    refused: bool


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where one slice of a sweep lies.

    Attributes:
        warp: (3, 3) from px of the frame to px of the slice.
        motion: (3, 3) the same without what the calibration explains: from px of the frame to px
            of the image that the reference focus would show.
        stamp_ns: of the slice.
        step: from the slice before; None for the first, and where none is looked for.
        levels: the image, for the next one to be compared with; empty once it was.
    """

    warp: Warp
    motion: Warp
    stamp_ns: int
    step: Step | None = None
    levels: Levels = ()


class Aligner:
    """Follows the image through one sweep; its frame is the first slice's.

    Where breathing is calibrated that is the image which the reference focus would have shown
    when the first slice was taken.

    Args:
        method: 'none': slices are taken as they are; 'breathing': only what the calibration says;
            else that, and a motion of this kind in the images.

    Attributes:
        method: as given.
        places: of the slices so far.
    """

    def __init__(self, method: Method) -> None:
        self.method: Method = method
        self._breathes = method != 'none'
        self._model = MODELS[method]
        self._last: Levels = ()
        self.places: list[Place] = []

    def find(self, slice_: Slice) -> Place:
        """Find where the next slice lies; the sweep goes on from there once it is taken."""
        known: Warp = slice_.warp if self._breathes and slice_.warp is not None else np.eye(3)
        if self._model is None:
            return Place(known, np.eye(3), slice_.stamp_ns)
        levels = tuple(pyramid(slice_.image))
        if not self.places:
            return Place(known, np.eye(3), slice_.stamp_ns, levels=levels)
        last = self.places[-1]
        from_last = inverse(last.warp)
        # What the image did beside breathing, it goes on doing: often the better start.
        starts = [
            product(known, last.motion, from_last),
            product(known, self._pace, last.motion, from_last),
        ]
        step = _look(self._model, self._last, levels, starts)
        warp = product(step.warp, last.warp)
        motion = last.motion if step.refused else product(inverse(known), warp)
        return Place(warp / warp[2, 2], motion / motion[2, 2], slice_.stamp_ns, step, levels)

    def take(self, place: Place) -> None:
        """Go on from where a slice was found."""
        self._last = place.levels
        self.places.append(replace(place, levels=()))

    def add(self, slice_: Slice) -> Warp:
        """Take the next slice; return (3, 3) from px of the frame to px of it."""
        self.take(self.find(slice_))
        return self.places[-1].warp

    def frame_at(self, stamp_ns: int) -> Warp:
        """Return (3, 3) from px of the frame to px of the image at a time within the sweep.

        Between two slices the image is taken to move evenly. So the frame of mid-sweep is the
        same for a sweep up and the sweep down after it, and for an even drift the same in all.
        """
        if len(self.places) < 2:
            return np.eye(3)
        stamps = [place.stamp_ns - stamp_ns for place in self.places]  # exact, unlike ns as float
        after = int(np.clip(np.searchsorted(stamps, 0), 1, len(stamps) - 1))
        start, end = stamps[after - 1], stamps[after]
        share = float(np.clip(-start / (end - start), 0, 1)) if end > start else 0.0
        one, other = self.places[after - 1].motion, self.places[after].motion
        frame: Warp = (1 - share) * one + share * other
        return frame

    def report(self, frame: Warp) -> AlignmentReport:
        """Return how the slices so far were brought into a frame.

        Args:
            frame: (3, 3) from px of that frame to px of the aligner's own.
        """
        return AlignmentReport(
            self.method,
            tuple(without_rounding(product(place.warp, frame)) for place in self.places),
            tuple(place.step for place in self.places if place.step is not None),
            not all(np.allclose(place.warp, place.motion, atol=1e-6) for place in self.places),
        )

    def motion_px(self, shape: tuple[int, int]) -> float:
        """Return how far the corners of an image (H, W) went: RMS of the four, at the farthest.

        Only what was looked for; where breathing is not calibrated it is part of this.
        """
        shifts = [corner_shift_px(place.motion, shape) for place in self.places]
        return max((float(np.sqrt(np.mean(shift**2))) for shift in shifts), default=0.0)

    @property
    def _pace(self) -> Warp:
        """What the image did from the last but one slice to the last, breathing apart."""
        if len(self.places) < 2:
            return np.eye(3)
        return product(self.places[-1].motion, inverse(self.places[-2].motion))


def _look(model: Model, last: Levels, this: Levels, starts: Sequence[Warp]) -> Step:
    """Look for the warp between two slices; the first start is what is known without looking."""
    start = max(starts, key=lambda w: correlation(last[0], this[0], w))
    warp = register(last, this, start, model)
    before, after = (correlation(last[-1], this[-1], w) for w in (starts[0], warp))
    explained = (after - before) / max(1 - before, 1e-9)
    # Two levels up is fine enough to judge, and a sixteenth of the work.
    rough = max(len(last) - 3, 0)
    better = share_better(last[rough], this[rough], warp, than=starts[0])
    if explained < LEAST_EXPLAINED or better < LEAST_BETTER or _reach(warp, this[0]) > FARTHEST:
        return Step(starts[0], before, before, refused=True)
    return Step(warp, before, after, refused=False)


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentReport:
    """How the slices of one sweep were brought into one frame.

    Attributes:
        method: how.
        warps: (3, 3) each, from px of the frame to px of a slice.
        steps: from each slice to the next; empty where none was searched for.
        calibrated: whether breathing that a calibration knows was undone.
    """

    method: Method
    warps: tuple[Warp, ...]
    steps: tuple[Step, ...]
    calibrated: bool

    @property
    def is_moved(self) -> bool:
        """Whether any slice was resampled."""
        return not all(is_still(warp) for warp in self.warps)

    def __str__(self) -> str:
        if not self.is_moved:
            return 'none needed, or none found'
        scales = [_scale(warp) for warp in self.warps]
        still = [k for k, warp in enumerate(self.warps) if is_still(warp)]
        frame = f'slice {still[0]}' if still else 'mid-sweep'
        if self.calibrated:
            frame = 'the reference focus'
        refused = sum(step.refused for step in self.steps)
        kept = f', {refused} of {len(self.steps)} steps refused' if refused else ''
        return f'slices of scale {min(scales):.3f} to {max(scales):.3f} of {frame}{kept}'


def _scale(warp: Warp) -> float:
    """Return by how much a warp enlarges, the root of its area."""
    return float(np.sqrt(warp[0, 0] * warp[1, 1] - warp[0, 1] * warp[1, 0]))


def moved(slice_: Slice, warp: Warp) -> Slice:
    """Return a slice resampled into a frame; `warp` is from px of the frame to px of it."""
    if slice_.warp is None and is_still(warp):
        return slice_
    return replace(slice_, image=warped(slice_.image, warp), warp=None)


def _reach(warp: Warp, level: Level) -> float:
    """Return how far a warp moves the corner that it moves the most, of the longer side."""
    height, width = (side * level.shrink for side in level.picture.shape)
    return float(corner_shift_px(warp, (height, width)).max() / max(height, width))
