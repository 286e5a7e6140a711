"""Position of a lens from its timed commands."""

from __future__ import annotations

import math
from bisect import bisect_right

_KEPT = 256  # commands; older ones no longer affect the position


class LensDynamics:
    """A lens with backlash that follows its commands with a lag of first order.

    Backlash is that of a gear or of friction: within it nothing moves (the play operator of
    Krasnosel'skii and Pokrovskii, Systems with Hysteresis, 1989). The lag is that of a damped
    actuator: the distance to each command falls to 1/e every `lag_s`, so that a steadily moving
    lens is `lag_s` behind.

    Args:
        position_code: initial position of the lens, codes.
        backlash: width of the hysteresis, codes.
        lag_s: time constant, s; 0: no lag.
    """

    def __init__(self, position_code: float, backlash: float = 0.0, lag_s: float = 0.0) -> None:
        self._half = backlash / 2
        self._lag_ns = lag_s * 1e9
        self._times = [-(2**63)]
        # The command at each time, the position by then, and the final position.
        self._legs = [(math.nan, position_code, position_code)]

    @property
    def commanded(self) -> float:
        """The last command, codes; NaN before the first."""
        return self._legs[-1][0]

    @property
    def goal(self) -> float:
        """Position code at which the lens will come to rest."""
        return self._legs[-1][2]

    def code_to(self, position_code: float) -> float:
        """Return the command that brings the lens to a position."""
        return position_code + math.copysign(self._half, position_code - self.goal)

    def command(self, time_ns: int, code: float) -> None:
        """Record a command; times must not decrease."""
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
