"""The whole method on one screen: slices in, a focus map out.

A lens sweeps; each slice is brought into the frame of the sweep (align), measured (focus_volume)
and watched for what moves (motion) as it arrives, so that after the last one only the estimate is
left to do (a depth backend), in slice positions; these become dioptres on the sweep's own spacing
(focus_map) and pick the sharp picture (all_in_focus).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from sff_ros.core.alignment.aligner import (
    Aligner,
    Alignment,
    AlignmentReport,
    Method,
    Place,
    method_for,
    moved,
)
from sff_ros.core.alignment.motion import MotionMeter
from sff_ros.core.alignment.warp import (
    Mask,
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
from sff_ros.core.image import FloatMap, Image, Warp
from sff_ros.core.optics.field_curvature import field_map
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.assembler import StackAssembler
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.inference.backend import DepthBackend


@dataclass(frozen=True, slots=True, eq=False)
class FocusMap:
    """What one sweep says.

    Attributes:
        stack: the slices it was computed from, in one frame.
        estimate: slice position and confidence of each pixel, in the frame of mid-sweep.
        position: (H, W) slice position in the frame of the slices.
        frame: (3, 3) from px of `estimate` to px of the slices.
        alignment: how the slices were brought into that frame.
        camera_px: how far the corners of the picture went during the sweep, px: RMS of the four.
            What a calibration says of breathing is not part of it, what it does not say is.
        moving: share of pixels that moved beside that, or along with it where nothing undid it.
    """

    stack: FocalStack
    estimate: FocusEstimate
    position: FloatMap
    frame: Warp
    alignment: AlignmentReport
    camera_px: float
    moving: float

    @property
    def dioptres(self) -> FloatMap | None:
        """(H, W) dioptres of the sharpest slice, ±Inf beyond the sweep's ends; None: unknown."""
        if not self.stack.has_focus:
            return None
        return to_dioptres(self.estimate.position, self.stack.focus_dpt)

    def dioptres_for(self, camera: Intrinsics) -> FloatMap | None:
        """Return (H, W) dioptres of the surfaces, the field curvature of the lens minded.

        Args:
            camera: at the reference focus; where it is not calibrated nothing is known of the
                field, and these are the dioptres of the sharpest slice.
        """
        dioptres, field_dpt = self.dioptres, self.stack.slices[0].field_dpt
        if dioptres is None or field_dpt == 0 or not camera.is_calibrated:
            return dioptres
        return dioptres + field_map(camera, field_dpt)

    def all_in_focus(self) -> Image:
        """Compose the picture that is sharp everywhere, of the slices' shape and type."""
        return warped(compose([s.image for s in self.stack.slices], self.position), self.frame)


class ShapeFromFocus:
    """Turns slices into focus maps, one sweep after another.

    Whoever aligns slices does it through this class, so that one stack gives one map everywhere.

    Args:
        backend: estimates positions.
        max_missing: how many slices a sweep may lack.
        align: how slices are brought into one frame, see config.nodes.InferenceConfig; from the
            next sweep on it may be changed.
    """

    def __init__(
        self, backend: DepthBackend, max_missing: int = 0, align: Alignment = 'auto'
    ) -> None:
        self.backend = backend
        self.align: Alignment = align
        self.assembler = StackAssembler(max_missing)
        self._sweep: _Sweep | None = None

    @property
    def counts(self) -> Counter[str]:
        """What became of the sweeps and slices so far, by StackAssembler's names."""
        return self.assembler.counts

    def reset(self) -> None:
        """Forget the sweep under way."""
        self.assembler.reset()
        self._sweep = None

    def add(self, slice_: Slice) -> FocusMap | None:
        """Take one slice; return a focus map when its arrival ends a sweep.

        Raises:
            StackError: the slice was refused; the sweep goes on without it.
            ModelError: the backend could not measure the slice, which then counts as missing, or
                could not take the sweep, which is lost.
        """
        before = None if self.assembler.check(slice_) else self._sweep
        sweep = before or _Sweep(method_for(self.align, slice_))
        # Measured first: a slice that fails here must not join its sweep.
        place = sweep.aligner.find(slice_)
        aligned = moved(slice_, place.warp)
        responses = self.backend.measure(aligned.image)
        stack = self.assembler.add(slice_)
        ended, self._sweep = self._sweep, sweep
        sweep.add(place, aligned, responses)
        if stack is None:
            return None
        # Where the sweep before lost its end, this slice both closes it and starts the next.
        return self._infer(stack, sweep if stack.slices[-1] is slice_ else ended or sweep)

    def estimate(self, stack: FocalStack) -> FocusMap:
        """Compute the focus map of a whole stack at once; a sweep under way is not touched.

        Raises:
            ModelError: the backend cannot take a stack of this kind.
        """
        sweep = _Sweep(method_for(self.align, stack.slices[0]))
        for slice_ in stack.slices:
            place = sweep.aligner.find(slice_)
            aligned = moved(slice_, place.warp)
            sweep.add(place, aligned, self.backend.measure(aligned.image))
        return self._infer(stack, sweep)

    def _infer(self, stack: FocalStack, sweep: _Sweep) -> FocusMap:
        indices = [s.index for s in stack.slices]
        volume = FocusVolume(
            responses=np.stack([sweep.responses[index] for index in indices]),
            axis=stack.focus_dpt if stack.has_focus else np.array(indices, float),
            size=stack.shape,
            pooling=self.backend.spec.pooling,
        )
        found = self.backend.infer(volume, sweep.context.image)
        motion = sweep.motion.motion
        confidence = found.confidence * motion.trust
        if sweep.covered is not None:
            confidence *= sweep.covered
        frame = without_rounding(inverse(sweep.aligner.frame_at(stack.stamp_ns)))
        return FocusMap(
            stack=FocalStack(tuple(sweep.slices[index] for index in indices)),
            estimate=FocusEstimate(
                warped_map(found.position, frame), warped_map(confidence, frame, beyond=0.0)
            ),
            position=found.position,
            frame=frame,
            alignment=sweep.aligner.report(frame),
            camera_px=max(sweep.aligner.motion_px(stack.shape), motion.camera_px),
            moving=motion.moving,
        )


class _Sweep:
    """What is known of the slices of one sweep, by index where there is one each."""

    def __init__(self, method: Method) -> None:
        self.aligner = Aligner(method)
        self.motion = MotionMeter()
        self.context = RunningAllInFocus()
        self.covered: Mask | None = None  # None: everywhere, by all slices
        self.slices: dict[int, Slice] = {}
        self.responses: dict[int, Responses] = {}

    def add(self, place: Place, aligned: Slice, responses: Responses) -> None:
        """Take over what is known of the next slice."""
        self.aligner.take(place)
        self.slices[aligned.index] = aligned
        self.responses[aligned.index] = responses
        self.context.add(aligned.image, responses)
        if not is_still(place.warp):
            height, width = aligned.image.shape[:2]
            seen = covered((place.warp,), (height, width))
            self.covered = seen if self.covered is None else self.covered & seen
        self.motion.add(aligned.image, self.covered)
