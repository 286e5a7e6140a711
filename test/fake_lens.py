"""A lens whose pictures say where it was."""

from __future__ import annotations

import numpy as np

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.simulated.frame_clock import FrameClock
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_dynamics import LensMotion
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CameraError, CameraLostError

SIZE = Intrinsics(32, 24)
LEVELS = 50  # a code, of the picture


class FakeLens:
    """Follows the LensDevice protocol; a picture's level is the lens's place times LEVELS.

    Attributes:
        told: every command.
        lose: numbers of the frames that are lost.
    """

    def __init__(
        self,
        high: float = 1000.0,
        step: float = 1.0,
        play: float = 0.0,
        lag_s: float = 0.0,
        rate_hz: float = 100.0,
        nominal: LensTable | None = None,
        realtime: bool = True,
    ) -> None:
        self.identity = 'fake 7'
        self.codes = CodeRange(0.0, high, step)
        self.intrinsics = SIZE
        self.nominal = nominal
        self.told: list[float] = []
        self.lose: set[int] = set()
        self.closed = 0
        self._frames = 0
        self._clock = FrameClock(rate_hz, realtime)
        self.period_ns = self._clock.period_ns
        self._motion = LensMotion(high / 2, play, lag_s)

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def move(self, code: float) -> None:
        if code != self.codes.nearest(code):
            raise CameraError(f'{code} is none of the codes')
        self.told.append(code)
        self._motion.command(self.now_ns(), code)

    def frame(self, not_before_ns: int) -> Frame:
        if self.closed:
            raise CameraLostError('gone')
        stamp_ns = self._clock.expose(not_before_ns)
        middle_ns = stamp_ns - self._clock.epoch_ns
        self._frames += 1
        if self._frames - 1 in self.lose:
            raise CameraError('lost')
        image = np.full((24, 32), round(self._motion.at(middle_ns) * LEVELS), np.uint16)
        exposure_ns = self._clock.exposure_ns
        return Frame(image, middle_ns - exposure_ns // 2, exposure_ns, stamp_ns)

    def close(self) -> None:
        self.closed += 1
