"""Slices brought into one frame: compensates breathing and camera motion.

Where the lens is calibrated, its breathing is known (LensState.warp). The remaining motion between
a slice and the previous one is estimated from the images, on top of that. Both are applied in one
resampling, since each one blurs a little, and blur is what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sff_ros.core.alignment.registration import Levels, Model, pyramid
from sff_ros.core.alignment.step import Step, look
from sff_ros.core.alignment.warp import corner_shift_px, is_still, warped, without_rounding
from sff_ros.core.homography import area_scale, inverse, product
from sff_ros.core.image import Warp
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import ConfigError, quoted

Method = Literal['none', 'breathing', 'similarity', 'homography']
Alignment = Literal['auto', 'none', 'breathing', 'similarity', 'homography']
# Motion estimated in addition to the calibrated breathing.
MODELS: dict[Method, Model | None] = {
    'none': None,
    'breathing': None,
    'similarity': 'similarity',
    'homography': 'homography',
}
ALIGNMENTS: tuple[Alignment, ...] = ('auto', *MODELS)


def as_alignment(name: str) -> Alignment:
    """Return a string as the name of an alignment.

    Raises:
        ConfigError: there is no such alignment.
    """
    if name == 'auto':
        return 'auto'
    if name not in MODELS:
        raise ConfigError(f'align is {quoted(name)}; allowed: {", ".join(ALIGNMENTS)}')
    return name


def alignment_of(name: str, lenses: Sequence[LensState]) -> Alignment:
    """Return how to align a recorded stack.

    Args:
        name: of the alignment.
        lenses: state of the lens at each slice.

    Raises:
        ConfigError: there is no such alignment, or the stack lacks what it needs.
    """
    how = as_alignment(name)
    if how == 'breathing' and all(lens.warp is None for lens in lenses):
        raise ConfigError(
            'align is breathing, but the breathing of the images is unknown; give scales in '
            'stack.yaml, or use auto'
        )
    return how


def method_for(how: Alignment, first: Slice) -> Method:
    """Return how to align a sweep; the meaning of 'auto'.

    A lens whose focus distances are known is calibrated, and a slice with a warp specifies its
    breathing: estimating it from the images as well would cost 20 ms a slice of VGA. The
    breathing of any other lens is unknown, so a similarity is estimated.

    Args:
        how: as configured.
        first: the first slice of the sweep.
    """
    if how != 'auto':
        return how
    calibrated = first.lens.warp is not None or not np.isnan(first.focus_dpt)
    return 'breathing' if calibrated else 'similarity'


@dataclass(frozen=True, slots=True, eq=False)
class SlicePose:
    """Pose of one slice in its sweep.

    Attributes:
        warp: (3, 3) from px of the frame to px of the slice.
        motion: (3, 3) the same without the calibrated breathing: from px of the frame to px of
            the image at the reference focus.
        stamp_ns: of the slice.
        step: from the previous slice; None for the first, and where none is estimated.
        levels: image pyramid to compare the next slice with; empty once taken.
    """

    warp: Warp
    motion: Warp
    stamp_ns: int
    step: Step | None = None
    levels: Levels = ()


class Aligner:
    """Follows the image through one sweep; its frame is the first slice's.

    Where breathing is calibrated, that is the image at the reference focus at the time of the
    first slice.

    Args:
        method: 'none': slices are not resampled; 'breathing': only the calibrated breathing is
            removed; else also a motion of this kind, estimated from the images.

    Attributes:
        method: as given.
        poses: of the slices so far.
        dropped: how many steps were found, and not taken since most of the others found none.
    """

    def __init__(self, method: Method, dropped: int = 0) -> None:
        self.method: Method = method
        self.dropped = dropped
        self._breathes = method != 'none'
        self._model = MODELS[method]
        self._last: Levels = ()
        self.poses: list[SlicePose] = []

    @property
    def searches(self) -> bool:
        """Whether motion is estimated from the images."""
        return self._model is not None

    def find(self, slice_: Slice) -> SlicePose:
        """Estimate the pose of the next slice; `take` then adds it to the sweep."""
        breathing = slice_.lens.warp if self._breathes else None
        known: Warp = np.eye(3) if breathing is None else breathing
        if self._model is None:
            return SlicePose(known, np.eye(3), slice_.stamp_ns)
        levels = tuple(pyramid(slice_.image))
        if not self.poses:
            return SlicePose(known, np.eye(3), slice_.stamp_ns, levels=levels)
        last = self.poses[-1]
        from_last = inverse(last.warp)
        # Motion other than breathing often continues: extrapolated, it is often the better start.
        starts = [
            product(known, last.motion, from_last),
            product(known, self._pace, last.motion, from_last),
        ]
        step = look(self._model, self._last, levels, starts)
        warp = product(step.warp, last.warp)
        motion = last.motion if step.refused else product(inverse(known), warp)
        return SlicePose(warp / warp[2, 2], motion / motion[2, 2], slice_.stamp_ns, step, levels)

    def take(self, pose: SlicePose) -> None:
        """Add a pose returned by `find` to the sweep."""
        self._last = pose.levels
        self.poses.append(replace(pose, levels=()))

    def add(self, slice_: Slice) -> Warp:
        """Take the next slice; return (3, 3) from px of the frame to px of it."""
        self.take(self.find(slice_))
        return self.poses[-1].warp

    def agreed(self) -> tuple[int, list[SlicePose]]:
        """Return the poses without the steps that most of the sweep does not confirm.

        A motion of the lens or the hand shows in most steps. If most were refused, the others are
        taken for blur that resembles motion, except where the match is beyond doubt: a knock.

        Returns:
            How many steps were dropped, and the poses of all slices.
        """
        steps = [pose.step for pose in self.poses if pose.step is not None]
        refused = sum(step.refused for step in steps)
        weak = [step for step in steps if not step.refused and not step.is_strong]
        if 2 * refused <= len(steps) or not weak:
            return 0, self.poses
        poses = self.poses[:1]
        for pose in self.poses[1:]:
            known, last = product(pose.warp, inverse(pose.motion)), poses[-1]
            step = pose.step
            if step is None or not step.is_strong:
                motion, warp = last.motion, product(known, last.motion)
                if step is not None and not step.refused:
                    still = product(warp, inverse(last.warp))
                    step = Step(still, step.before, step.before, refused=True)
            else:
                warp = product(step.warp, last.warp)
                motion = product(inverse(known), warp)
            warp, motion = warp / warp[2, 2], motion / motion[2, 2]
            poses.append(SlicePose(warp, motion, pose.stamp_ns, step))
        return len(weak), poses

    def frame_at(self, stamp_ns: int) -> Warp:
        """Return (3, 3) from px of the frame to px of the image at a time within the sweep.

        Motion is interpolated linearly between slices. So the frame of mid-sweep is the same for
        a sweep up and the next sweep down, and under a constant drift for all sweeps.
        """
        if len(self.poses) < 2:
            return np.eye(3)
        stamps = [pose.stamp_ns - stamp_ns for pose in self.poses]  # exact, unlike ns as float
        after = int(np.clip(np.searchsorted(stamps, 0), 1, len(stamps) - 1))
        start, end = stamps[after - 1], stamps[after]
        share = float(np.clip(-start / (end - start), 0, 1)) if end > start else 0.0
        one, other = self.poses[after - 1].motion, self.poses[after].motion
        frame: Warp = (1 - share) * one + share * other
        return frame

    def report(self, frame: Warp) -> AlignmentReport:
        """Return how the slices so far were brought into a frame.

        Args:
            frame: (3, 3) from px of that frame to px of the aligner's own.
        """
        return AlignmentReport(
            self.method,
            tuple(without_rounding(product(pose.warp, frame)) for pose in self.poses),
            tuple(pose.step for pose in self.poses if pose.step is not None),
            not all(np.allclose(pose.warp, pose.motion, atol=1e-6) for pose in self.poses),
            self.dropped,
        )

    def motion_px(self, shape: tuple[int, int]) -> float:
        """Return the largest displacement of the corners of an image (H, W), RMS of the four.

        Only the estimated motion; breathing is part of it unless it is calibrated.
        """
        shifts = [corner_shift_px(pose.motion, shape) for pose in self.poses]
        return max((float(np.sqrt(np.mean(shift**2))) for shift in shifts), default=0.0)

    @property
    def _pace(self) -> Warp:
        """Motion from the last but one slice to the last, without breathing."""
        if len(self.poses) < 2:
            return np.eye(3)
        return product(self.poses[-1].motion, inverse(self.poses[-2].motion))


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentReport:
    """How the slices of one sweep were brought into one frame.

    Attributes:
        method: how.
        warps: (3, 3) each, from px of the frame to px of a slice.
        steps: from each slice to the next; empty where none was estimated.
        calibrated: whether calibrated breathing was removed.
        dropped: how many steps were found, and not taken since most of the others found none.
    """

    method: Method
    warps: tuple[Warp, ...]
    steps: tuple[Step, ...]
    calibrated: bool
    dropped: int = 0

    @property
    def is_moved(self) -> bool:
        """Whether any slice was resampled."""
        return not all(is_still(warp) for warp in self.warps)

    def __str__(self) -> str:
        ignored = []
        if self.dropped:
            ignored = [
                f'most slices show no motion; {self.dropped} of {len(self.steps)} steps that '
                'seemed to were ignored'
            ]
        if not self.is_moved:
            return '; '.join(ignored) or 'none needed, or none found'
        scales = [_scale(warp) for warp in self.warps]
        still = [k for k, warp in enumerate(self.warps) if is_still(warp)]
        frame = f'slice {still[0]}' if still else 'mid-sweep'
        if self.calibrated:
            frame = 'the reference focus'
        refused = sum(step.refused for step in self.steps)
        kept = f', {refused} of {len(self.steps)} steps refused' if refused else ''
        found = f'slices of scale {min(scales):.3f} to {max(scales):.3f} of {frame}{kept}'
        return '; '.join([found, *ignored])


def _scale(warp: Warp) -> float:
    """Return the scale of a warp, the square root of its area factor."""
    return float(np.sqrt(area_scale(warp)))


def moved(slice_: Slice, warp: Warp) -> Slice:
    """Return a slice resampled into a frame; `warp` is from px of the frame to px of it."""
    if slice_.lens.warp is None and is_still(warp):
        return slice_
    lens = replace(slice_.lens, warp=None)
    return replace(slice_, image=warped(slice_.image, warp), lens=lens)
