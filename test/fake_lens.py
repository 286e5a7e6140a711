"""A lens whose images say where it was."""

from __future__ import annotations

import threading

import numpy as np

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.simulated.frame_clock import FrameClock
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.errors import CameraError, CameraLostError

SIZE = Intrinsics(32, 24)
LEVELS = 50  # a code, of the image
STEPS = 200  # of the integration, a time constant


class Mechanics:
    """A spring that drags a lens against friction, integrated step by step.

    The carriage follows the commanded code only once it is half the backlash away; the lens
    follows the carriage with dx/dt = (carriage - x) / lag.
    """

    def __init__(self, position_code: float, backlash: float, lag_s: float) -> None:
        self._backlash = backlash
        self._lag_ns = lag_s * 1e9
        self._carriage = self._lens = position_code
        self._time_ns = 0.0
        self._commands: list[tuple[int, float]] = []
        self._lock = threading.Lock()

    def command(self, time_ns: int, code: float) -> None:
        """Have the carriage move from a time on."""
        with self._lock:
            self._commands.append((time_ns, code))

    def position_at(self, time_ns: int) -> float:
        """Return where the lens is; times must not step back."""
        with self._lock:
            due = [command for command in self._commands if command[0] <= time_ns]
            del self._commands[: len(due)]
        for when_ns, code in due:
            self._follow(when_ns)
            if code - self._carriage > self._backlash / 2:
                self._carriage = code - self._backlash / 2
            elif self._carriage - code > self._backlash / 2:
                self._carriage = code + self._backlash / 2
        self._follow(time_ns)
        return self._lens

    def _follow(self, time_ns: float) -> None:
        """Let the lens follow the carriage until a time: Heun's method."""
        if self._lag_ns == 0:
            self._lens = self._carriage
        elif time_ns - self._time_ns > 30 * self._lag_ns:
            self._lens = self._carriage  # exp(-30) is left of the way
        else:
            span = (time_ns - self._time_ns) / self._lag_ns
            count = max(round(STEPS * span), 1)
            for _ in range(count):
                speed = self._carriage - self._lens
                ahead = self._carriage - (self._lens + speed * span / count)
                self._lens += (speed + ahead) / 2 * span / count
        self._time_ns = time_ns


class FakeLens:
    """Follows the LensDevice protocol; an image's level is the lens's position times LEVELS.

    Attributes:
        commands: every code that it was commanded.
        lose: numbers of the frames that are lost.
    """

    def __init__(
        self,
        high: float = 1000.0,
        step: float = 1.0,
        backlash: float = 0.0,
        lag_s: float = 0.0,
        rate_hz: float = 100.0,
        nominal: LensCalibration | None = None,
        realtime: bool = True,
    ) -> None:
        self.identity = 'fake 7'
        self.codes = CodeRange(0.0, high, step)
        self.intrinsics = SIZE
        self.nominal = nominal
        self.commands: list[float] = []
        self.lose: set[int] = set()
        self.closed = 0
        self._frames = 0
        self.clock = FrameClock(rate_hz, realtime)
        self.period_ns = self.clock.period_ns
        self._mechanics = Mechanics(high / 2, backlash, lag_s)

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def move(self, code: float) -> None:
        if code != self.codes.nearest(code):
            raise CameraError(f'{code} is none of the codes')
        self.commands.append(code)
        self._mechanics.command(self.now_ns(), code)

    def frame(self, not_before_ns: int) -> Frame:
        if self.closed:
            raise CameraLostError('gone')
        start_ns = self.clock.next_start_ns(not_before_ns)
        stamp_ns = self.clock.finish(start_ns)
        exposure_ns = self.clock.exposure_ns
        self._frames += 1
        if self._frames - 1 in self.lose:
            raise CameraError('lost')
        position_code = self._mechanics.position_at(start_ns + exposure_ns // 2)
        image = np.full((24, 32), round(position_code * LEVELS), np.uint16)
        return Frame(image, start_ns, exposure_ns, stamp_ns)

    def close(self) -> None:
        self.closed += 1
