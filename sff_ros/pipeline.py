"""The whole method on one screen: slices in, a focus map out.

A lens sweeps; each slice is measured as it arrives (focus_volume), so that after the last one
only the estimate is left to do (a depth backend), in slice positions; these become dioptres on
the sweep's own spacing (focus_map) and pick the sharp picture (all_in_focus).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from sff_ros.core.all_in_focus import RunningAllInFocus, compose
from sff_ros.core.assembler import StackAssembler
from sff_ros.core.focus_map import FloatMap, FocusEstimate, to_dioptres
from sff_ros.core.focus_volume import FocusVolume, Responses
from sff_ros.core.stack import FocalStack, Image, Slice
from sff_ros.inference.backend import DepthBackend


@dataclass(frozen=True, slots=True, eq=False)
class FocusMap:
    """What one sweep says.

    Attributes:
        stack: the slices it was computed from.
        estimate: slice position and confidence of each pixel.
    """

    stack: FocalStack
    estimate: FocusEstimate

    @property
    def dioptres(self) -> FloatMap | None:
        """(H, W) dioptres, ±Inf beyond the sweep's ends; None where focus is unknown."""
        if not self.stack.has_focus:
            return None
        return to_dioptres(self.estimate.position, self.stack.focus_dpt)

    def all_in_focus(self) -> Image:
        """Compose the picture that is sharp everywhere, of the slices' shape and type."""
        return compose([s.image for s in self.stack.slices], self.estimate.position)


class ShapeFromFocus:
    """Turns slices into focus maps, one sweep after another."""

    def __init__(self, backend: DepthBackend, max_missing: int = 0) -> None:
        self.backend = backend
        self.assembler = StackAssembler(max_missing)
        self._measured = _Measured()

    @property
    def counts(self) -> Counter[str]:
        """What became of the sweeps and slices so far, by StackAssembler's names."""
        return self.assembler.counts

    def reset(self) -> None:
        """Forget the sweep under way."""
        self.assembler.reset()
        self._measured = _Measured()

    def add(self, slice_: Slice) -> FocusMap | None:
        """Take one slice; return a focus map when its arrival ends a sweep.

        Raises:
            StackError: the slice was refused; the sweep goes on without it.
            ModelError: the backend could not measure the slice, which then counts as missing, or
                could not take the sweep, which is lost.
        """
        # Measured first: a slice that fails here must not join its sweep.
        responses = self.backend.measure(slice_.image)
        stack = self.assembler.add(slice_)
        finished = self._measured
        # Where the sweep before lost its end, this slice both closes it and starts the next.
        ends_sweep = stack is not None and stack.slices[-1] is slice_
        if len(self.assembler.pending) <= 1 and not ends_sweep:
            self._measured = _Measured()
        self._measured.add(slice_, responses)
        return None if stack is None else self._infer(stack, finished)

    def estimate(self, stack: FocalStack) -> FocusMap:
        """Compute the focus map of a whole stack at once; a sweep under way is not touched.

        Raises:
            ModelError: the backend cannot take a stack of this kind.
        """
        measured = _Measured()
        for slice_ in stack.slices:
            measured.add(slice_, self.backend.measure(slice_.image))
        return self._infer(stack, measured)

    def _infer(self, stack: FocalStack, measured: _Measured) -> FocusMap:
        indices = [s.index for s in stack.slices]
        volume = FocusVolume(
            responses=np.stack([measured.responses[index] for index in indices]),
            axis=stack.focus_dpt if stack.has_focus else np.array(indices, float),
            size=stack.shape,
            pooling=self.backend.spec.pooling,
        )
        return FocusMap(stack, self.backend.infer(volume, measured.context.image))


class _Measured:
    """What was measured of the slices of one sweep: responses by index, and the context."""

    def __init__(self) -> None:
        self.responses: dict[int, Responses] = {}
        self.context = RunningAllInFocus()

    def add(self, slice_: Slice, responses: Responses) -> None:
        self.responses[slice_.index] = responses
        self.context.add(slice_.image, responses)
