"""What is accumulated from slice to slice through one sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sff_ros.core.alignment.aligner import Aligner, Alignment, Method, SlicePose, method_for, moved
from sff_ros.core.alignment.motion import MotionMeter
from sff_ros.core.alignment.warp import covered, is_still
from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.measure import Responses
from sff_ros.core.image import Image, Mask, Warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.blank import BlankSlice, Light
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import StackError
from sff_ros.files.memory import check_room


class SweepTrail:
    """State of one sweep.

    Args:
        method: how its slices are aligned.
        dropped: steps of their alignment that were ignored.

    Attributes:
        aligner, motion, context: updated by each slice.
        covered: (H, W), where all slices so far have an image; None: everywhere.
        lights: of the slices so far, by their index; last_light: of the last one.
        blank: slices that were left out.
    """

    def __init__(self, method: Method, dropped: int = 0) -> None:
        self.aligner = Aligner(method, dropped)
        self.motion = MotionMeter()
        self.context = RunningAllInFocus()
        self.covered: Mask | None = None
        # With room to grow. Stacking the slices' own arrays after the last slice would take time
        # when it is shortest.
        self._volume: Responses = np.empty((0, 0, 0, 0), np.float32)
        self.lights: dict[int, Light] = {}
        self.last_light: Light | None = None
        self.blank: list[BlankSlice] = []

    @classmethod
    def of_first(cls, first: Slice, camera: Intrinsics | None, align: Alignment) -> SweepTrail:
        """Begin a sweep with its first slice.

        Raises:
            StackError: the camera is for another image size.
        """
        height, width = first.image.shape[:2]
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise StackError(
                f'the camera is for {camera.width}x{camera.height}, the slice is {width}x{height}'
            )
        return cls(method_for(align, first))

    @property
    def responses(self) -> Responses:
        """(S, C, h, w) of the slices so far."""
        return self._volume[: len(self.lights)]

    def blank_before(self, light: Light) -> list[BlankSlice]:
        """Return all slices so far if the last is blank beside the next one; else none."""
        last = self.last_light.blank_beside(light) if self.last_light else None
        if last is None:
            return []
        return [
            BlankSlice(index, own.blank_beside(light) or last)
            for index, own in self.lights.items()
        ]

    def take(self, pose: SlicePose, aligned: Slice, responses: Responses, light: Light) -> None:
        """Add a slice.

        Args:
            pose: of the slice.
            aligned: resampled by it.
            responses: of the aligned slice.
            light: of the slice as it came.

        Raises:
            StackError: it is the first, and the sweep would not fit into memory.
        """
        count = len(self.lights)
        if not count:
            height, width = aligned.kind[0][:2]
            check_room(aligned.count, responses.nbytes + aligned.image.nbytes, (height, width))
        if count == len(self._volume):
            room = min(aligned.count, 2 * count + 16)
            grown = np.empty((room, *responses.shape), np.float32)
            if count:
                grown[:count] = self.responses
            self._volume = grown
        self._volume[count] = responses
        self.lights[aligned.index] = self.last_light = light
        self.aligner.take(pose)
        self.context.add(aligned.image, responses)
        if not is_still(pose.warp):
            height, width = aligned.image.shape[:2]
            seen = covered((pose.warp,), (height, width))
            self.covered = seen if self.covered is None else self.covered & seen
        self.motion.add(aligned.image, self.covered)

    def agreed(
        self,
        slices: Iterable[Slice],
        aligned: list[Slice],
        measure: Callable[[Image], Responses],
        keep: Callable[[Slice, Warp], Slice] | None = None,
    ) -> tuple[SweepTrail, list[Slice]]:
        """Return the sweep without motion that most of its slices do not confirm.

        If there is any, the slices are aligned and measured again.

        Args:
            slices: all of the sweep, as they came.
            aligned: the same in the frame of the sweep.
            measure: of the backend.
            keep: turns an aligned slice and its warp into what is kept of it; None: the slice.

        Returns:
            Trail and aligned slices; those given if all motion is confirmed.
        """
        dropped, poses = self.aligner.agreed()
        if not dropped:
            return self, aligned
        again, kept = SweepTrail(self.aligner.method, dropped), []
        again.blank = self.blank
        for slice_, pose in zip(slices, poses, strict=True):
            there = moved(slice_, pose.warp)
            again.take(pose, there, measure(there.image), self.lights[slice_.index])
            kept.append(there if keep is None else keep(there, pose.warp))
        return again, kept
