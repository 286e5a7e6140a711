"""The whole method on one screen: slices in, a focus map out.

As it arrives, each slice of a sweep is brought into the frame of the sweep (core/alignment),
measured (by a depth backend) and checked for motion, so that after the last one only the estimate
remains (the backend again), in slice positions; these become dioptres on the sweep's own spacing
(core/focus/estimate) and select the sharp image (all_in_focus).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sff_ros.core.alignment.aligner import Alignment, AlignmentReport, moved
from sff_ros.core.alignment.warp import warped, warped_map, without_rounding
from sff_ros.core.focus.all_in_focus import compose
from sff_ros.core.focus.deviation import in_dioptres
from sff_ros.core.focus.estimate import FocusEstimate, to_dioptres
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.homography import inverse
from sff_ros.core.image import FloatMap, Image, Warp
from sff_ros.core.optics.field_curvature import field_correction
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.assembler import StackAssembler
from sff_ros.core.sweep.blank import BlankSlice, Light, light_of
from sff_ros.core.sweep.stack import MIN_SLICES, FocalStack, Slice
from sff_ros.errors import StackError
from sff_ros.files.stack import RecordedStack
from sff_ros.inference.backend import DepthBackend
from sff_ros.sweep_trail import SweepTrail


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
        estimate: slice position of each pixel and its error, in the frame of mid-sweep.
        position: (H, W) slice position in the frame of the slices.
        frame: (3, 3) from px of `estimate` to px of the slices.
        alignment: how the slices were brought into that frame.
        camera_px: largest displacement of the image's corners during the sweep, px: RMS of the
            four. Calibrated breathing is not part of it, uncalibrated breathing is.
        moving: share of pixels that moved otherwise, or with the camera if it was not aligned.
        left_out: slices that have no image (core/sweep/blank).
    """

    stack: FocalStack
    setup: SweepSetup
    estimate: FocusEstimate
    position: FloatMap
    frame: Warp
    alignment: AlignmentReport
    camera_px: float
    moving: float
    left_out: tuple[BlankSlice, ...]

    @property
    def index(self) -> FloatMap:
        """(H, W) position of `estimate` among all slices of the sweep, missing ones counted."""
        if not self.stack.missing:
            return self.estimate.position
        indices = [s.index for s in self.stack.slices]
        among_all = np.interp(self.estimate.position, np.arange(len(indices)), indices)
        return among_all.astype(np.float32)

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

    @property
    def deviation_dpt(self) -> FloatMap | None:
        """(H, W) standard deviation of `dioptres`, with the lens's residual; None: likewise."""
        if not self.stack.has_focus:
            return None
        found, residual_dpt = self.estimate, self.stack.slices[0].lens.residual_dpt
        return in_dioptres(found.deviation, found.position, self.stack.focus_dpt, residual_dpt)

    def all_in_focus(self) -> Image:
        """Compose the image that is sharp everywhere, of the slices' shape and type."""
        return warped(compose(self.stack.images, self.position), self.frame)


class ShapeFromFocus:
    """Turns slices into focus maps, one sweep after another.

    All code aligns slices through this class, so that one stack gives one map everywhere.

    A slice without an image, beside others that have one, is missing (core/sweep/blank).

    Args:
        backend: estimates positions.
        on_blank: called with each such slice and the number of its sweep.
    """

    def __init__(
        self,
        backend: DepthBackend,
        on_blank: Callable[[BlankSlice, int], None] = lambda _, __: None,
    ) -> None:
        self.backend = backend
        self._on_blank = on_blank
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
        before = accepted.before
        measured = self._measure(slice_, before, setup)
        if measured is None:
            sweep = self._assembler.skip(accepted)
        else:
            if before is not None and measured.trail is not before.trail:
                self._assembler.blank_so_far()
            sweep = self._assembler.add(accepted, measured, setup.max_missing)
        # If the previous sweep lost its end, this slice both closes it and starts the next.
        return None if sweep is None else self._infer(sweep.payloads)

    def estimate(self, stack: FocalStack | RecordedStack, setup: SweepSetup = DEFAULT) -> FocusMap:
        """Compute the focus map of a whole stack; the current sweep is not affected.

        The images of a recorded stack are read one after another, and once more for the
        all-in-focus image: memory holds one of them at a time.

        Raises:
            StackError: the camera is for another image size, an image was removed, or too few
                slices are not blank.
            ModelError: the backend cannot take a stack of this kind.
        """
        slices = stack.slices if isinstance(stack, FocalStack) else stack.slices()
        sweep: list[_Measured] = []
        for slice_ in slices:
            measured = self._measure(slice_, sweep[-1] if sweep else None, setup)
            if measured is None:
                continue
            if isinstance(stack, RecordedStack):
                warp = measured.trail.aligner.poses[-1].warp
                deferred = stack.deferred(measured.aligned, warp)
                measured = replace(measured, slice_=deferred, aligned=deferred)
            if sweep and measured.trail is not sweep[-1].trail:
                sweep.clear()
            sweep.append(measured)
        if len(sweep) < MIN_SLICES:
            blank = ', '.join(map(str, sweep[-1].trail.blank))
            raise StackError(
                f'a stack needs {MIN_SLICES} slices or more, {len(sweep)} have an image: {blank}'
            )
        return self._infer(sweep, stack if isinstance(stack, RecordedStack) else None)

    def _measure(
        self, slice_: Slice, before: _Measured | None, setup: SweepSetup
    ) -> _Measured | None:
        """Align and measure a slice; its sweep is changed only once nothing can fail any more.

        Returns:
            None if the slice is blank. Of a new trail if all slices before it are.
        """
        light = light_of(slice_.image)
        blank: list[BlankSlice] = []
        if before is not None:
            setup = before.setup
            if colour := light.blank_beside(before.light):
                self._leave_out(before.trail, [BlankSlice(slice_.index, colour)], slice_.sweep)
                return None
            blank = before.trail.blank_before(light)
        if before is None or blank:
            trail = SweepTrail.of_first(slice_, setup.camera, setup.align)
        else:
            trail = before.trail
        pose = trail.aligner.find(slice_)
        aligned = moved(slice_, pose.warp)
        responses = self.backend.measure(aligned.image)
        if before is not None and blank:
            trail.blank += before.trail.blank
            self._leave_out(trail, blank, slice_.sweep)
        trail.take(pose, aligned, responses, light)
        raw = slice_ if trail.aligner.searches else aligned  # see SweepTrail.agreed
        return _Measured(raw, aligned, setup, trail, light)

    def _leave_out(self, trail: SweepTrail, slices: Sequence[BlankSlice], sweep: int) -> None:
        """Note blank slices of a sweep."""
        for blank in slices:
            trail.blank.append(blank)
            self._on_blank(blank, sweep)

    def _infer(
        self, sweep: Sequence[_Measured], recorded: RecordedStack | None = None
    ) -> FocusMap:
        trail, aligned = sweep[0].trail, [m.aligned for m in sweep]
        if sweep[0].setup.align == 'auto':
            keep = recorded.deferred if recorded else None
            slices = (recorded.slice(m.aligned.index) if recorded else m.slice_ for m in sweep)
            trail, aligned = trail.agreed(slices, aligned, self.backend.measure, keep)
        stack = FocalStack(tuple(aligned))
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
            setup=sweep[0].setup,
            estimate=FocusEstimate(
                warped_map(found.position, frame),
                warped_map(confidence, frame, beyond=0.0),
                warped_map(found.deviation, frame),
            ),
            position=found.position,
            frame=frame,
            alignment=trail.aligner.report(frame),
            camera_px=max(trail.aligner.motion_px(stack.shape), motion.camera_px),
            moving=motion.moving,
            left_out=tuple(sorted(trail.blank, key=lambda blank: blank.index)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Measurements of one slice; passed through the assembler with it.

    Attributes:
        slice_: the slice as it came; `aligned` where that will not be needed.
        aligned: the slice in the frame of its sweep.
        setup: of its sweep.
        trail: of its sweep, all that is accumulated from it.
        light: of the slice as it came.
    """

    slice_: Slice
    aligned: Slice
    setup: SweepSetup
    trail: SweepTrail
    light: Light
