"""Where a lens is, from what it was commanded and when."""

from __future__ import annotations

import math
from bisect import bisect_right

_KEPT = 256  # commands; a lens is nowhere near what it was commanded that long ago


class LensDynamics:
    """A lens with backlash that follows its commands with a lag of first order.

    Backlash is that of a gear or the friction of a spring: within it nothing moves (the play
    operator of Krasnosel'skii and Pokrovskii, Systems with Hysteresis, 1989). The lag is that of a
    damped actuator: towards each command the distance falls by 1/e every `lag_s`, so that a lens
    that is led steadily is `lag_s` behind.

    Args:
        position_code: where the lens is at first, codes.
        backlash: width of the hysteresis, codes.
        lag_s: time constant, s; 0: at once.
    """

    def __init__(self, position_code: float, backlash: float = 0.0, lag_s: float = 0.0) -> None:
        self._half = backlash / 2
        self._lag_ns = lag_s * 1e9
        self._times = [-(2**63)]
        # The command at each time, where the lens was by then, and where it went.
        self._legs = [(math.nan, position_code, position_code)]

    @property
    def commanded(self) -> float:
        """The last command, codes; NaN before the first."""
        return self._legs[-1][0]

    @property
    def goal(self) -> float:
        """Position code at which the lens comes to rest."""
        return self._legs[-1][2]

    def code_to(self, position_code: float) -> float:
        """Return what to command so that the lens leaves for a position and rests there."""
        return position_code + math.copysign(self._half, position_code - self.goal)

    def command(self, time_ns: int, code: float) -> None:
        """Note a command; times must not step back."""
        position_code = self.at(time_ns)
        goal = min(max(self.goal, code - self._half), code + self._half)
        self._times.append(time_ns)
        self._legs.append((code, position_code, goal))
        if len(self._legs) > 2 * _KEPT:
            del self._times[:_KEPT], self._legs[:_KEPT]

    def commanded_at(self, time_ns: int) -> float:
        """Return the command in force at a time, codes; NaN before the first."""
        return self._legs[self._leg(time_ns)][0]

    def at(self, time_ns: int) -> float:
        """Return the position code of the lens at a time."""
        leg = self._leg(time_ns)
        _, position_code, goal = self._legs[leg]
        if self._lag_ns == 0:
            return goal
        left = math.exp(-(time_ns - self._times[leg]) / self._lag_ns)
        return goal + (position_code - goal) * left

    def _leg(self, time_ns: int) -> int:
        return max(bisect_right(self._times, time_ns) - 1, 0)
