"""The fixed frame clock of a camera that has no hardware."""

from __future__ import annotations

import time

EXPOSURE = 0.5  # of the frame period


class FrameClock:
    """Frames that start at even intervals, whether or not anybody takes them.

    Args:
        frame_rate: frames a second, > 0.
        realtime: wait for the frames; false: jump from frame to frame, stamps advance all the
            same.

    Attributes:
        period_ns, exposure_ns: from frame to frame, and of one.
        epoch_ns: what to add to a time on this clock for one in the domain of time.time_ns().
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
        """Return the time on this clock, ns; only differences mean something."""
        return time.monotonic_ns() if self._realtime else self._virtual_ns

    def expose(self, ready_ns: int) -> int:
        """Block until the first new frame that starts at ready_ns or later is exposed.

        Args:
            ready_ns: time on this clock from which a frame is good.

        Returns:
            The time of mid-exposure in the domain of time.time_ns().
        """
        frame = -(-(ready_ns - self._start_ns) // self.period_ns)
        self._last = max(frame, self._last + 1)
        start_ns = self._start_ns + self._last * self.period_ns
        left_ns = start_ns + self.exposure_ns - self.now_ns()
        if not self._realtime:
            self._virtual_ns += max(left_ns, 0)
        elif left_ns > 0:
            time.sleep(left_ns / 1e9)
        return self.epoch_ns + start_ns + self.exposure_ns // 2
