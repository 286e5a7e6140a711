"""Where a lens is, from what it was told and when."""

from __future__ import annotations

import math
from bisect import bisect_right

_KEPT = 256  # commands; a lens is nowhere near what it was told that long ago


class LensMotion:
    """A lens with play that follows its commands with a lag of first order.

    Play is the backlash of a gear or the friction of a spring: within it nothing moves (the play
    operator of Krasnosel'skii and Pokrovskii, Systems with Hysteresis, 1989). The lag is that of a
    damped actuator: towards each command the distance falls by 1/e every `lag_s`, so that a lens
    that is led steadily is `lag_s` behind.

    Args:
        place: where the lens is at first, codes.
        play: width of the play, codes.
        lag_s: time constant, s; 0: at once.
    """

    def __init__(self, place: float, play: float = 0.0, lag_s: float = 0.0) -> None:
        self._half = play / 2
        self._lag_ns = lag_s * 1e9
        self._times = [-(2**63)]
        self._legs = [(place, place)]  # where it was at each time, and where to it went

    @property
    def goal(self) -> float:
        """Where the lens comes to rest, codes."""
        return self._legs[-1][1]

    def code_to(self, place: float) -> float:
        """Return what to tell the lens so that it leaves for a place and rests there, codes."""
        return place + math.copysign(self._half, place - self.goal)

    def command(self, time_ns: int, code: float) -> None:
        """Note what the lens is told; times must not step back."""
        place = self.at(time_ns)
        goal = min(max(self.goal, code - self._half), code + self._half)
        self._times.append(time_ns)
        self._legs.append((place, goal))
        if len(self._legs) > 2 * _KEPT:
            del self._times[:_KEPT], self._legs[:_KEPT]

    def at(self, time_ns: int) -> float:
        """Return where the lens is at a time, codes."""
        leg = max(bisect_right(self._times, time_ns) - 1, 0)
        place, goal = self._legs[leg]
        if self._lag_ns == 0:
            return goal
        return goal + (place - goal) * math.exp(-(time_ns - self._times[leg]) / self._lag_ns)
