"""Moves the lens of a device, and knows where it is and when it will be at rest."""

from __future__ import annotations

import math
import threading

from sff_ros.cameras.lens_device import LensDevice
from sff_ros.core.optics.lens_dynamics import LensDynamics


class LensActuator:
    """Commands a lens in position codes: its backlash is compensated here.

    One thread may lead the lens while another asks where it is.

    Args:
        device: moved, not closed.
        backlash: width of the hysteresis, codes.
        lag_s: how far a steadily moving lens is behind its commands, s.
        settle_s: from a command until the lens is at rest, s.
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
        """When the lens is at rest, on the device's clock."""
        return self._ready_ns

    def goes_to(self, position_code: float) -> bool:
        """Return whether the lens was commanded to a position, up to a step of its codes."""
        is_known = not math.isnan(self.commanded)
        step = max(self._device.codes.step, 1e-6)
        return is_known and abs(self.goal - position_code) <= step

    def rest_at(self, position_code: float) -> None:
        """Send the lens to a position, unless it is there or on its way.

        Raises:
            CameraError: the lens refused.
        """
        is_known = not math.isnan(self.commanded)
        if not is_known:
            self._command(self._device.codes.low)  # from where the backlash is known
        step = self._device.codes.step
        if not is_known or abs(position_code - self.goal) > step / 2 + 1e-9:
            self.lead_to(position_code)

    def lead_to(self, position_code: float) -> None:
        """Send a lens on its way to the next position.

        Raises:
            CameraError: the lens refused.
        """
        self._command(self._dynamics.code_to(position_code))

    def at(self, time_ns: int) -> tuple[float, float]:
        """Return the command in force at a time, and the position code of the lens."""
        with self._lock:
            return self._dynamics.commanded_at(time_ns), self._dynamics.at(time_ns)

    def _command(self, code: float) -> None:
        """Command the nearest code that the lens takes, and note when it will be at rest."""
        nearest = self._device.codes.nearest(code)
        if nearest == self.commanded:
            return
        with self._lock:
            self._device.move(nearest)  # raises where it is refused: then nothing is noted
            commanded_ns = self._device.now_ns()
            self._dynamics.command(commanded_ns, nearest)
        self._ready_ns = commanded_ns + self._settle_ns
