"""Moves the lens of a device; models its position and when it will be at rest."""

from __future__ import annotations

import math
import threading

from sff_ros.cameras.lens_device import LensDevice
from sff_ros.core.optics.lens_dynamics import LensDynamics


class LensActuator:
    """Commands a lens in position codes; compensates backlash.

    One thread may move the lens while another queries its position.

    Args:
        device: to move; not closed here.
        backlash: width of the hysteresis, codes.
        lag_s: delay of a lens at constant speed behind its commands, s.
        settle_s: time from a command to rest, s.
    """

    def __init__(self, device: LensDevice, backlash: float, lag_s: float, settle_s: float) -> None:
        self._device = device
        self._settle_ns = round(settle_s * 1e9)
        self._dynamics = LensDynamics(device.codes.low, backlash, lag_s)
        self._lock = threading.Lock()
        self._ready_ns = 0

    @property
    def commanded(self) -> float:
        """The last command, codes; NaN before the first."""
        return self._dynamics.commanded

    @property
    def goal(self) -> float:
        """Position code at which the lens comes to rest."""
        return self._dynamics.goal

    @property
    def ready_ns(self) -> int:
        """Time from which the lens is at rest, on the device's clock."""
        return self._ready_ns

    def is_commanded_to(self, position_code: float) -> bool:
        """Return whether the lens was commanded to a position, within one code step."""
        is_known = not math.isnan(self.commanded)
        step = max(self._device.codes.step, 1e-6)
        return is_known and abs(self.goal - position_code) <= step

    def rest_at(self, position_code: float) -> None:
        """Move the lens to a position, unless it is there or already moving there.

        Raises:
            CameraError: the lens refused.
        """
        is_known = not math.isnan(self.commanded)
        if not is_known:
            self._command(self._device.codes.low)  # an end stop makes the backlash known
        step = self._device.codes.step
        if not is_known or abs(position_code - self.goal) > step / 2 + 1e-9:
            self.move_to(position_code)

    def move_to(self, position_code: float) -> None:
        """Command the lens to the next position.

        Raises:
            CameraError: the lens refused.
        """
        self._command(self._dynamics.code_to(position_code))

    def at(self, time_ns: int) -> tuple[float, float]:
        """Return the command in force at a time, and the position code of the lens."""
        with self._lock:
            return self._dynamics.commanded_at(time_ns), self._dynamics.at(time_ns)

    def _command(self, code: float) -> None:
        """Command the nearest valid code; record when the lens will be at rest."""
        nearest = self._device.codes.nearest(code)
        if nearest == self.commanded:
            return
        with self._lock:
            self._device.move(nearest)  # if refused, raises before anything is recorded
            commanded_ns = self._device.now_ns()
            self._dynamics.command(commanded_ns, nearest)
        self._ready_ns = commanded_ns + self._settle_ns
