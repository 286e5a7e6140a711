"""Slices of a camera that sweeps without end, and an assembler that is watched."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from sff_ros.core.sweep.assembler import StackAssembler
from sff_ros.core.sweep.stack import FocalStack, Slice

COUNT = 5
PERIOD_NS = 33_000_000


def make(sweep: int, index: int, count: int = COUNT, **changes: Any) -> Slice:
    """Return a slice as a camera that sweeps without end takes it, up and down in turn."""
    step = index if sweep % 2 == 0 else count - 1 - index
    stamp = (sweep * COUNT + index + 1) * PERIOD_NS
    return Slice(
        image=changes.get('image', np.zeros((16, 16), np.uint8)),
        focus_dpt=changes.get('focus_dpt', float(step)),
        stamp_ns=changes.get('stamp_ns', stamp),
        index=index,
        count=count,
        sweep=changes.get('name', sweep),
    )


class Books:
    """An assembler whose payloads are the stamps of their slices, checked on their way out."""

    def __init__(self, max_missing: int = 0) -> None:
        self.max_missing = max_missing
        self._assembler: StackAssembler[int] = StackAssembler()

    @property
    def counts(self) -> Counter[str]:
        return self._assembler.counts

    @property
    def pending(self) -> tuple[Slice, ...]:
        return self._assembler.pending

    def reset(self) -> None:
        self._assembler.reset()

    def add(self, slice_: Slice) -> FocalStack | None:
        pending = self.pending
        accepted = self._assembler.check(slice_)
        assert self.pending == pending
        if accepted.before is not None:
            assert accepted.before == pending[-1].stamp_ns
        ended = self._assembler.add(accepted, slice_.stamp_ns, self.max_missing)
        # The slice joined the sweep of the one whose payload it was given, and no other.
        assert (accepted.before is not None) == (len(pending) > 0 and not accepted.ends)
        if ended is None:
            return None
        assert ended.payloads == tuple(s.stamp_ns for s in ended.slices)
        return FocalStack(ended.slices)
