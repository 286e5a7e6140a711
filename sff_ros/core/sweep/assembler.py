"""Assemble slices into complete sweeps; drops are counted by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from sff_ros.core.sweep.stack import MIN_SLICES, Slice, check_focus, check_same_kind
from sff_ros.errors import StackError

# No slice is this late: the clock was set back, or a recording restarted.
_CLOCK_STEP_NS = 2_000_000_000

Payload = TypeVar('Payload')


@dataclass(frozen=True, slots=True, eq=False)
class Accepted(Generic[Payload]):
    """A slice that fits, and has not been added to its sweep yet.

    Attributes:
        slice_: the slice.
        before: payload of the previous slice of its sweep; None if it is the first.
        ends: whether it ends the current sweep by belonging to another one.
    """

    slice_: Slice
    before: Payload | None
    ends: bool


@dataclass(frozen=True, slots=True, eq=False)
class EndedSweep(Generic[Payload]):
    """A finished sweep.

    Attributes:
        slices: MIN_SLICES or more, in the order of time; they make a FocalStack.
        payloads: those added with each of them.
    """

    slices: tuple[Slice, ...]
    payloads: tuple[Payload, ...]


class StackAssembler(Generic[Payload]):
    """Collects the slices of one sweep at a time, with the measurements of each.

    A sweep ends with its last slice, or, if that was lost, with the first slice of another sweep.
    A sweep that lost up to max_missing slices is still used, since the volume has the position of
    each slice; otherwise it is dropped.

    Attributes:
        counts: number of 'sweeps' returned, 'incomplete' ones among them, 'dropped_sweeps',
            'missing_slices', 'blank_slices' among them, 'refused_slices', 'lost_sweeps' (of which
            no slice came).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._slices: list[Slice] = []
        self._payloads: list[Payload] = []
        self._max_missing = 0
        self._newest_ns = -1
        self._sweep: int | None = None

    def check(self, slice_: Slice) -> Accepted[Payload]:
        """Accept a slice, or refuse and count it; the current sweep is not changed.

        Raises:
            StackError: the slice does not fit its sweep, is a duplicate or came late.
        """
        ends = self._starts_sweep(slice_)
        if not ends and not self._begins_anew(slice_):
            try:
                self._check(slice_)
            except StackError:
                self.counts['refused_slices'] += 1
                raise
        starts = ends or not self._slices
        return Accepted(slice_, None if starts else self._payloads[-1], ends)

    def add(
        self, accepted: Accepted[Payload], payload: Payload, max_missing: int = 0
    ) -> EndedSweep[Payload] | None:
        """Add one slice; return a sweep when its arrival ends one.

        Args:
            accepted: by `check`, and nothing was added since.
            payload: measurements of the slice, kept with it.
            max_missing: how many slices the sweep may lack; that of its first slice applies.
        """
        slice_ = accepted.slice_
        finished = self._close() if accepted.ends else None
        if self._sweep is not None and slice_.sweep > self._sweep:
            self.counts['lost_sweeps'] += slice_.sweep - self._sweep - 1
        if not self._slices:
            self._max_missing = max_missing
        self._sweep = slice_.sweep
        self._slices.append(slice_)
        self._payloads.append(payload)
        self._newest_ns = slice_.stamp_ns
        if slice_.index == slice_.count - 1:
            # After a close above this is a lone last slice, which makes no stack.
            finished = self._close() or finished
        return finished

    def skip(self, accepted: Accepted[Payload]) -> EndedSweep[Payload] | None:
        """Count a blank slice as missing from its sweep; return the sweep if it was its last.

        Args:
            accepted: by `check`, not the first of its sweep.
        """
        slice_ = accepted.slice_
        self.counts['blank_slices'] += 1
        self._newest_ns = slice_.stamp_ns
        return self._close() if slice_.index == slice_.count - 1 else None

    def blank_so_far(self) -> None:
        """Count all slices of the current sweep as blank; it begins with the next one."""
        self.counts['blank_slices'] += len(self._slices)
        self._slices.clear()
        self._payloads.clear()

    @property
    def pending(self) -> tuple[Slice, ...]:
        """The slices of the current sweep."""
        return tuple(self._slices)

    def reset(self) -> None:
        """Drop the current sweep, as after a pause."""
        self._slices.clear()
        self._payloads.clear()
        self._newest_ns = -1
        self._sweep = None

    def _begins_anew(self, slice_: Slice) -> bool:
        """Return whether a slice is not late, whatever its stamp.

        It is the first of another sweep, or the clock was set back by much. So what was stamped
        in the future costs the sweeps after it nothing.
        """
        is_first = slice_.index == 0 and slice_.sweep != self._sweep
        return is_first or self._newest_ns - slice_.stamp_ns >= _CLOCK_STEP_NS

    def _starts_sweep(self, slice_: Slice) -> bool:
        """Return whether a slice ends the current sweep by belonging to another one.

        A camera that restarts counts its sweeps from 0 again, so a decreasing index starts a new
        sweep too. A late slice does not.
        """
        if not self._slices:
            return False
        if slice_.stamp_ns <= self._newest_ns:
            return self._begins_anew(slice_)
        last = self._slices[-1]
        return slice_.sweep != last.sweep or slice_.index <= last.index

    def _check(self, slice_: Slice) -> None:
        if slice_.stamp_ns <= self._newest_ns:
            raise StackError(
                f'slice {slice_.index} of sweep {slice_.sweep} came twice or too late'
            )
        if self._slices:
            check_same_kind(self._slices[0], slice_)
            check_focus(np.array([s.focus_dpt for s in (*self._slices, slice_)]))

    def _close(self) -> EndedSweep[Payload] | None:
        """End the current sweep; return None if too many slices are missing."""
        slices, self._slices = self._slices, []
        payloads, self._payloads = self._payloads, []
        missing = slices[0].count - len(slices)
        self.counts['missing_slices'] += missing
        if missing > self._max_missing or len(slices) < MIN_SLICES:
            self.counts['dropped_sweeps'] += 1
            return None
        self.counts['sweeps'] += 1
        self.counts['incomplete'] += missing > 0
        return EndedSweep(tuple(slices), tuple(payloads))
