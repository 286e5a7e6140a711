"""Slices and focal stacks, and every check on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image, check_image
from sff_ros.core.sweep.lens_state import MAX_FOCUS_DPT, LensState
from sff_ros.errors import StackError, quoted

MOST_COUNTED = 2**31 - 1  # seven years of ten sweeps a second
MIN_SLICES = 3  # below this a focus curve has no interior peak
MIN_STEP_DPT = 1e-9  # between slices: less than any lens, and enough to divide by


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One image of a sweep.

    Attributes:
        image: (H, W) grey or (H, W, 3) RGB, uint8 or uint16.
        lens: its state during the exposure.
        stamp_ns: time at mid-exposure, ns.
        index: 0-based, in the order of time.
        count: how many slices the sweep has, up to MOST_COUNTED.
        sweep: number of the sweep, growing, 0 .. MOST_COUNTED.
    """

    image: Image
    lens: LensState
    stamp_ns: int
    index: int = 0
    count: int = 1
    sweep: int = 0

    def __post_init__(self) -> None:
        check_image(self.image)
        for name, number in (('count', self.count), ('sweep', self.sweep)):
            if not 0 <= number <= MOST_COUNTED:
                raise StackError(
                    f'{name} of a slice must be 0 .. {MOST_COUNTED}, not {number:.6g}'
                )
        if not 0 <= self.index < self.count:
            raise StackError(f'slice index {self.index:.6g} is outside 0..{self.count - 1}')

    @property
    def focus_dpt(self) -> float:
        """Focus distance of the lens, dioptres; NaN where unknown."""
        return self.lens.focus_dpt

    @property
    def kind(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of the image."""
        return self.image.shape, self.image.dtype


class DeferredSlice(Slice):
    """A slice that does not hold its image, and loads it each time it is asked for.

    Args:
        slice_: whose other attributes it has.
        load: returns its image, always the same.
    """

    __slots__ = ('_kind', '_load')

    _kind: tuple[tuple[int, ...], np.dtype[Any]]
    _load: Callable[[], Image]

    def __init__(self, slice_: Slice, load: Callable[[], Image]) -> None:
        for name in ('lens', 'stamp_ns', 'index', 'count', 'sweep'):
            object.__setattr__(self, name, getattr(slice_, name))
        object.__setattr__(self, '_kind', slice_.kind)
        object.__setattr__(self, '_load', load)

    @property
    def image(self) -> Image:  # type: ignore[override]
        """(H, W) grey or (H, W, 3) RGB, uint8 or uint16."""
        return self._load()

    @property
    def kind(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of the image."""
        return self._kind


def check_same_kind(first: Slice, other: Slice) -> None:
    """Reject a slice that does not fit the first of its sweep.

    Raises:
        StackError: shape, type or slice count differ, or only one knows its focus.
    """
    if first.kind != other.kind:
        (shape, dtype), (others, other_dtype) = first.kind, other.kind
        raise StackError(
            f'slice {other.index} is {others} {other_dtype}, the sweep is {shape} {dtype}'
        )
    if first.count != other.count:
        raise StackError(
            f'slice {other.index} says {other.count} slices, the sweep has {first.count}'
        )
    if np.isnan(first.focus_dpt) != np.isnan(other.focus_dpt):
        raise StackError(
            f'slice {other.index} focuses at {other.focus_dpt} dpt, slice {first.index} at '
            f'{first.focus_dpt}: either every slice knows its focus or none does'
        )


@dataclass(frozen=True, slots=True, eq=False)
class FocalStack:
    """The images of one sweep, in the order of time; focus monotonic in either direction.

    Slices that were lost are absent: `indices` names those present, `count` is what the sweep
    should have had. A slice position inside the package counts the slices present.

    Attributes:
        slices: at least MIN_SLICES slices of one shape and type.
    """

    slices: tuple[Slice, ...]

    def __post_init__(self) -> None:
        if len(self.slices) < MIN_SLICES:
            raise StackError(f'a stack needs {MIN_SLICES} slices or more, not {len(self.slices)}')
        for other in self.slices[1:]:
            check_same_kind(self.slices[0], other)
        if np.any(np.diff([s.index for s in self.slices]) <= 0):
            raise StackError('slices must be in the order of their index, each once')
        check_focus(self.focus_dpt)

    @property
    def focus_dpt(self) -> npt.NDArray[np.float64]:
        """Focus distance of each slice, (S,) dioptres; all NaN where unknown."""
        return np.array([s.focus_dpt for s in self.slices])

    @property
    def has_focus(self) -> bool:
        """Whether focus distances are known."""
        return not np.isnan(self.slices[0].focus_dpt)

    @property
    def missing(self) -> int:
        """How many slices of the sweep were lost."""
        return self.slices[0].count - len(self.slices)

    @property
    def shape(self) -> tuple[int, int]:
        """Image size (H, W), px."""
        height, width = self.slices[0].kind[0][:2]
        return height, width

    @property
    def images(self) -> Sequence[Image]:
        """The image of each slice, loaded when it is asked for."""
        return _Images(self.slices)

    @property
    def stamp_ns(self) -> int:
        """Mid-sweep time, ns: the one stamp of everything computed from this stack."""
        return mid_sweep_ns(self.slices[0].stamp_ns, self.slices[-1].stamp_ns)


class _Images(Sequence[Image]):
    def __init__(self, slices: Sequence[Slice]) -> None:
        self._slices = slices

    def __len__(self) -> int:
        return len(self._slices)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | Sequence[Image]:
        if isinstance(index, slice):
            return _Images(self._slices[index])
        return self._slices[index].image


def mid_sweep_ns(first_ns: int, last_ns: int) -> int:
    """Return the time half way between the first and the last slice, ns."""
    return (first_ns + last_ns) // 2


def check_focus(focus_dpt: npt.NDArray[np.float64]) -> None:
    """Reject focus distances that no single sweep can have; all NaN (unknown) passes.

    Raises:
        StackError: not strictly monotonic, closer than MIN_STEP_DPT, outside of 0 ..
            MAX_FOCUS_DPT, or known for some slices only.
    """
    unknown = np.isnan(focus_dpt)
    if unknown.all():
        return
    if unknown.any():
        raise StackError(f'focus is unknown for slice {int(np.argmax(unknown))} only of some')
    if not ((focus_dpt >= 0) & (focus_dpt <= MAX_FOCUS_DPT)).all():
        raise StackError(
            f'focus must be finite dioptres >= 0, not {quoted(focus_dpt.tolist())}; allowed up to '
            f'{MAX_FOCUS_DPT:g}'
        )
    steps = np.diff(focus_dpt)
    if not ((steps > 0).all() or (steps < 0).all()):
        sign = np.sign(steps[np.flatnonzero(steps)[0]]) if steps.any() else 1.0
        k = int(np.flatnonzero(steps * sign <= 0)[0]) + 1
        raise StackError(
            f'focus must be strictly monotonic: slice {k} is at {focus_dpt[k]:.4g} dpt '
            f'after {focus_dpt[k - 1]:.4g}'
        )
    if (np.abs(steps) < MIN_STEP_DPT).any():
        k = int(np.abs(steps).argmin()) + 1
        raise StackError(
            f'focus of slices {k - 1} and {k} must differ by {MIN_STEP_DPT:g} dpt or more, not '
            f'{abs(steps[k - 1]):.4g}'
        )
