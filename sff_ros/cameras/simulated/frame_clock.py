"""The fixed frame clock of a simulated camera."""

from __future__ import annotations

import time

EXPOSURE = 0.5  # of the frame period


class FrameClock:
    """Frames that start at constant intervals, whether taken or not.

    Args:
        frame_rate: Hz, > 0.
        realtime: wait for the frames; false: jump from frame to frame, with the same stamps.

    Attributes:
        period_ns, exposure_ns: frame period and exposure.
        epoch_ns: offset from this clock to that of time.time_ns().
    """

    def __init__(self, frame_rate: float, realtime: bool = True) -> None:
        self.period_ns = round(1e9 / frame_rate)
        self.exposure_ns = round(EXPOSURE * 1e9 / frame_rate)
        self._realtime = realtime
        self._virtual_ns = 0
        self._start_ns = self.now_ns()
        self.epoch_ns = time.time_ns() - self._start_ns
        self._last = -1

    def now_ns(self) -> int:
        """Return the time on this clock, ns; only differences are meaningful."""
        return time.monotonic_ns() if self._realtime else self._virtual_ns

    def next_start_ns(self, ready_ns: int) -> int:
        """Return the start of the first new frame that starts at ready_ns or later.

        No frame is returned twice.
        """
        frame = -(-(ready_ns - self._start_ns) // self.period_ns)
        self._last = max(frame, self._last + 1)
        return self._start_ns + self._last * self.period_ns

    def finish(self, start_ns: int) -> int:
        """Block until the frame with this start is exposed.

        Returns:
            The time of mid-exposure on the clock of time.time_ns().
        """
        left_ns = start_ns + self.exposure_ns - self.now_ns()
        if not self._realtime:
            self._virtual_ns += max(left_ns, 0)
        elif left_ns > 0:
            time.sleep(left_ns / 1e9)
        return self.epoch_ns + start_ns + self.exposure_ns // 2
