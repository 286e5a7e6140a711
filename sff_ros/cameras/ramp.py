"""Moves a lens at constant speed from one focus to another."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from sff_ros.errors import CameraError

STEP_S = 0.005  # between commands


class Ramp(threading.Thread):
    """A thread that moves the focus of a lens, from now until a given time.

    Args:
        command: commands the lens to a focus.
        now_ns: the device's clock.
        ends: first and last focus, dioptres.
        start_ns, end_ns: when to start, at the earliest, and when to arrive.

    A context manager: leaving it stops the ramp, wherever the lens is.
    """

    def __init__(
        self,
        command: Callable[[float], None],
        now_ns: Callable[[], int],
        ends: Sequence[float],
        start_ns: int,
        end_ns: int,
    ) -> None:
        super().__init__(name='ramp', daemon=True)
        self._command = command
        self._now_ns = now_ns
        self._from, self._to = ends
        self._start_ns, self._end_ns = start_ns, end_ns
        self._cancelled = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._cancelled.set()
        self.join()

    def run(self) -> None:
        """Move the lens, a command every few milliseconds."""
        with contextlib.suppress(CameraError):  # a device that is gone is reported by its frames
            while not self._cancelled.wait(STEP_S) and not self.step():
                pass

    def step(self) -> bool:
        """Command the focus that is due now; return whether it is the last.

        Raises:
            CameraError: the lens refused.
        """
        span = max(self._end_ns - self._start_ns, 1)
        part = min(max((self._now_ns() - self._start_ns) / span, 0), 1)
        self._command((1 - part) * self._from + part * self._to)
        return part == 1
