"""Leads a lens steadily from one focus to another."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from sff_ros.errors import CameraError

STEP_S = 0.005  # between commands


class Ramp(threading.Thread):
    """A thread that leads the focus of a lens, from now until a given time.

    Args:
        lead: commands the lens to focus somewhere.
        now_ns: the device's clock.
        ends: from where to where, dioptres.
        start_ns, end_ns: when to leave, at the earliest, and when to arrive.

    Use it as a context: it ends with it, wherever the lens is by then.
    """

    def __init__(
        self,
        lead: Callable[[float], None],
        now_ns: Callable[[], int],
        ends: Sequence[float],
        start_ns: int,
        end_ns: int,
    ) -> None:
        super().__init__(name='ramp', daemon=True)
        self._lead = lead
        self._now_ns = now_ns
        self._from, self._to = ends
        self._start_ns, self._end_ns = start_ns, end_ns
        self._left = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self.join()

    def run(self) -> None:
        """Lead the lens, a command every few milliseconds."""
        with contextlib.suppress(CameraError):  # frames report a device that is gone
            while not self._left.wait(STEP_S) and not self.step():
                pass

    def step(self) -> bool:
        """Command the focus that is due now; return whether it is the last.

        Raises:
            CameraError: the lens refused.
        """
        span = max(self._end_ns - self._start_ns, 1)
        part = min(max((self._now_ns() - self._start_ns) / span, 0), 1)
        self._lead((1 - part) * self._from + part * self._to)
        return part == 1
