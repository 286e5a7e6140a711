"""Time that passes only when somebody sleeps: a busy machine cannot make it late."""

from __future__ import annotations

import threading
from collections.abc import Callable

EPOCH_NS = 1_700_000_000_000_000_000  # of time_ns when time begins


class SimulatedTime:
    """Stands for the module `time` in the modules under test.

    Sleeping takes no time and is over at the very moment asked for. While a thread sleeps, those
    who asked `every` are called at theirs.
    """

    def __init__(self) -> None:
        self._now_ns = 1_000_000_000
        self._lock = threading.RLock()
        self._callers: dict[Callable[[], None], tuple[int, int]] = {}  # due and period, ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def time_ns(self) -> int:
        return EPOCH_NS + self._now_ns

    def monotonic(self) -> float:
        return self.monotonic_ns() * 1e-9

    def time(self) -> float:
        return self.time_ns() * 1e-9

    def perf_counter(self) -> float:
        return self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and call in turn whoever is due meanwhile."""
        with self._lock:
            end_ns = self._now_ns + round(seconds * 1e9)
            while due := [c for c, (due_ns, _) in self._callers.items() if due_ns <= end_ns]:
                caller = min(due, key=lambda c: self._callers[c][0])
                due_ns, period_ns = self._callers[caller]
                self._now_ns = max(self._now_ns, due_ns)
                self._callers[caller] = due_ns + period_ns, period_ns
                caller()
            self._now_ns = max(self._now_ns, end_ns)

    def every(self, seconds: float, caller: Callable[[], None]) -> None:
        """Call from now on, each time that so much time has passed."""
        period_ns = round(seconds * 1e9)
        self._callers[caller] = self._now_ns + period_ns, period_ns

    def no_more(self, caller: Callable[[], None]) -> None:
        """Stop calling; what is not called is left as it is."""
        self._callers.pop(caller, None)
