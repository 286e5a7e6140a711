"""The whole method on one screen: slices in, a focus map out.

As it arrives, each slice of a sweep is brought into the frame of the sweep (core/alignment),
measured (by a depth backend) and checked for motion, so that after the last one only the estimate
remains (the backend again), in slice positions; these become dioptres on the sweep's own spacing
(core/focus/estimate) and select the sharp image (all_in_focus).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sff_ros.core.alignment.aligner import (
    Aligner,
    Alignment,
    AlignmentReport,
    Method,
    SlicePose,
    method_for,
    moved,
)
from sff_ros.core.alignment.motion import MotionMeter
from sff_ros.core.alignment.warp import (
    covered,
    is_still,
    warped,
    warped_map,
    without_rounding,
)
from sff_ros.core.focus.all_in_focus import RunningAllInFocus, compose
from sff_ros.core.focus.estimate import FocusEstimate, to_dioptres
from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.homography import inverse
from sff_ros.core.image import FloatMap, Image, Mask, Warp
from sff_ros.core.optics.field_curvature import field_correction
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.assembler import StackAssembler
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import StackError
from sff_ros.inference.backend import DepthBackend


@dataclass(frozen=True, slots=True)
class SweepSetup:
    """How a sweep was taken and is to be processed; the setup of its first slice applies.

    Attributes:
        camera: of the slices, at the reference focus; None: unknown.
        frame_id: name of its optical frame; empty: none.
        align: how slices are brought into one frame, see config.nodes.InferenceConfig.
        max_missing: how many slices the sweep may lack.
    """

    camera: Intrinsics | None = None
    frame_id: str = ''
    align: Alignment = 'auto'
    max_missing: int = 0


DEFAULT = SweepSetup()


@dataclass(frozen=True, slots=True, eq=False)
class FocusMap:
    """Result of one sweep.

    Attributes:
        stack: the slices it was computed from, in one frame.
        setup: of the sweep.
        estimate: slice position and confidence of each pixel, in the frame of mid-sweep.
        position: (H, W) slice position in the frame of the slices.
        frame: (3, 3) from px of `estimate` to px of the slices.
        alignment: how the slices were brought into that frame.
        camera_px: largest displacement of the image's corners during the sweep, px: RMS of the
            four. Calibrated breathing is not part of it, uncalibrated breathing is.
        moving: share of pixels that moved otherwise, or with the camera if it was not aligned.
    """

    stack: FocalStack
    setup: SweepSetup
    estimate: FocusEstimate
    position: FloatMap
    frame: Warp
    alignment: AlignmentReport
    camera_px: float
    moving: float

    @property
    def dioptres(self) -> FloatMap | None:
        """(H, W) dioptres of the surfaces, ±Inf beyond the sweep's ends; None: focus unknown.

        Corrected for the field curvature of the lens where the camera is calibrated; otherwise
        these are the dioptres of the sharpest slice.
        """
        if not self.stack.has_focus:
            return None
        dioptres = to_dioptres(self.estimate.position, self.stack.focus_dpt)
        field = field_correction(self.setup.camera, self.stack.slices[0].lens.field_dpt)
        return dioptres if field is None else dioptres + field

    def all_in_focus(self) -> Image:
        """Compose the image that is sharp everywhere, of the slices' shape and type."""
        return warped(compose([s.image for s in self.stack.slices], self.position), self.frame)


class ShapeFromFocus:
    """Turns slices into focus maps, one sweep after another.

    All code aligns slices through this class, so that one stack gives one map everywhere.

    Args:
        backend: estimates positions.
    """

    def __init__(self, backend: DepthBackend) -> None:
        self.backend = backend
        self._assembler: StackAssembler[_Measured] = StackAssembler()

    @property
    def counts(self) -> Counter[str]:
        """Counts of sweeps and slices so far, as in StackAssembler."""
        return self._assembler.counts

    def use(self, backend: DepthBackend) -> None:
        """Switch to another backend; drops the current sweep, measured by the previous one."""
        self.reset()
        self.backend = backend

    def reset(self) -> None:
        """Drop the current sweep."""
        self._assembler.reset()

    def add(self, slice_: Slice, setup: SweepSetup = DEFAULT) -> FocusMap | None:
        """Take one slice; return a focus map when its arrival ends a sweep.

        Args:
            slice_: the slice.
            setup: used if the slice is the first of its sweep.

        Raises:
            StackError: the slice was refused; the sweep continues without it.
            ModelError: the backend could not measure the slice, which then counts as missing, or
                could not take the sweep, which is lost.
        """
        accepted = self._assembler.check(slice_)
        # Measured first: a slice that fails here must not be added to its sweep.
        measured = self._measure(slice_, accepted.before, setup)
        sweep = self._assembler.add(accepted, measured, setup.max_missing)
        # If the previous sweep lost its end, this slice both closes it and starts the next.
        return None if sweep is None else self._infer(sweep.payloads)

    def estimate(self, stack: FocalStack, setup: SweepSetup = DEFAULT) -> FocusMap:
        """Compute the focus map of a whole stack at once; the current sweep is not affected.

        Raises:
            StackError: the camera is for another image size.
            ModelError: the backend cannot take a stack of this kind.
        """
        sweep: list[_Measured] = []
        for slice_ in stack.slices:
            sweep.append(self._measure(slice_, sweep[-1] if sweep else None, setup))
        return self._infer(sweep)

    def _measure(self, slice_: Slice, before: _Measured | None, setup: SweepSetup) -> _Measured:
        """Align and measure a slice; its sweep is changed only once nothing can fail any more."""
        trail = _Trail.of_first(slice_, setup) if before is None else before.trail
        pose = trail.aligner.find(slice_)
        aligned = moved(slice_, pose.warp)
        responses = self.backend.measure(aligned.image)
        trail.take(pose, aligned, responses)
        return _Measured(slice_, aligned, trail)

    def _agreed(self, sweep: Sequence[_Measured]) -> Sequence[_Measured]:
        """Return the sweep without motion that most of its slices do not confirm."""
        trail = sweep[0].trail
        if trail.setup.align != 'auto':
            return sweep
        dropped, poses = trail.aligner.agreed()
        if not dropped:
            return sweep
        again = _Trail(trail.setup, trail.aligner.method, dropped)
        measured = []
        for m, pose in zip(sweep, poses, strict=True):
            aligned = moved(m.slice_, pose.warp)
            again.take(pose, aligned, self.backend.measure(aligned.image))
            measured.append(_Measured(m.slice_, aligned, again))
        return measured

    def _infer(self, sweep: Sequence[_Measured]) -> FocusMap:
        sweep = self._agreed(sweep)
        stack, trail = FocalStack(tuple(m.aligned for m in sweep)), sweep[0].trail
        indices = [s.index for s in stack.slices]
        volume = FocusVolume(
            responses=trail.responses,
            axis=stack.focus_dpt if stack.has_focus else np.array(indices, float),
            size=stack.shape,
            pooling=self.backend.spec.pooling,
        )
        found = self.backend.infer(volume, trail.context.image)
        motion = trail.motion.motion
        confidence = found.confidence * motion.trust
        if trail.covered is not None:
            confidence *= trail.covered
        frame = without_rounding(inverse(trail.aligner.frame_at(stack.stamp_ns)))
        return FocusMap(
            stack=stack,
            setup=trail.setup,
            estimate=FocusEstimate(
                warped_map(found.position, frame), warped_map(confidence, frame, beyond=0.0)
            ),
            position=found.position,
            frame=frame,
            alignment=trail.aligner.report(frame),
            camera_px=max(trail.aligner.motion_px(stack.shape), motion.camera_px),
            moving=motion.moving,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Measurements of one slice; passed through the assembler with it.

    Attributes:
        slice_: the slice as it came.
        aligned: the slice in the frame of its sweep.
        trail: of its sweep, all that is accumulated from it.
    """

    slice_: Slice
    aligned: Slice
    trail: _Trail


class _Trail:
    """State that is accumulated from slice to slice through one sweep.

    Attributes:
        setup: of the sweep.
        aligner, motion, context: updated by each slice.
        covered: (H, W), where all slices so far have an image; None: everywhere.
    """

    def __init__(self, setup: SweepSetup, method: Method, dropped: int = 0) -> None:
        self.setup = setup
        self.aligner = Aligner(method, dropped)
        self.motion = MotionMeter()
        self.context = RunningAllInFocus()
        self.covered: Mask | None = None
        # With room to grow. Stacking the slices' own arrays after the last slice would take time
        # when it is shortest.
        self._volume: Responses = np.empty((0, 0, 0, 0), np.float32)
        self._slices = 0

    @property
    def responses(self) -> Responses:
        """(S, C, h, w) of the slices so far."""
        return self._volume[: self._slices]

    @classmethod
    def of_first(cls, slice_: Slice, setup: SweepSetup) -> _Trail:
        """Begin a sweep.

        Raises:
            StackError: the camera is for another image size.
        """
        height, width = slice_.image.shape[:2]
        camera = setup.camera
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise StackError(
                f'the camera is for {camera.width}x{camera.height}, the slice is {width}x{height}'
            )
        return cls(setup, method_for(setup.align, slice_))

    def take(self, pose: SlicePose, aligned: Slice, responses: Responses) -> None:
        """Add a slice."""
        if self._slices == len(self._volume):
            room = min(aligned.count, 2 * self._slices + 16)
            grown = np.empty((room, *responses.shape), np.float32)
            if self._slices:
                grown[: self._slices] = self.responses
            self._volume = grown
        self._volume[self._slices] = responses
        self._slices += 1
        self.aligner.take(pose)
        self.context.add(aligned.image, responses)
        if not is_still(pose.warp):
            height, width = aligned.image.shape[:2]
            seen = covered((pose.warp,), (height, width))
            self.covered = seen if self.covered is None else self.covered & seen
        self.motion.add(aligned.image, self.covered)
