"""The mechanics of the simulated lens: inertia and backlash."""

from __future__ import annotations

import math

# (1 + x) exp(-x) = 0.01: a critically damped step is within 1 % after x over its frequency.
SETTLED = 6.638


class Actuator:
    """A critically damped lens with backlash: x'' = w^2 (goal - x) - 2 w x'.

    Args:
        position_code: initial position, codes.
        backlash: width of its hysteresis, codes.
        settle_s: time until 1 % of a step is left; 0: moves instantly.
    """

    def __init__(self, position_code: float, backlash: float, settle_s: float) -> None:
        self._half = backlash / 2
        self._rate = SETTLED / settle_s if settle_s else math.inf
        self._goal = self._position = position_code
        self._speed = 0.0
        self._time_ns = 0
        self._before: tuple[int, float, float, float] = (0, position_code, 0.0, position_code)

    @property
    def goal(self) -> float:
        """Position at which it comes to rest."""
        return self._goal

    def command(self, time_ns: int, code: float) -> None:
        """Command a code; times must not decrease."""
        self._before = (self._time_ns, self._position, self._speed, self._goal)
        self._position, self._speed = self._state(time_ns)
        self._time_ns = time_ns
        self._goal = min(max(self._goal, code - self._half), code + self._half)

    def at(self, time_ns: int) -> float:
        """Return its position at a time not before the last command but one."""
        if time_ns < self._time_ns:
            return _follow(*self._before, self._rate, time_ns)[0]
        return self._state(time_ns)[0]

    def _state(self, time_ns: int) -> tuple[float, float]:
        here = (self._time_ns, self._position, self._speed, self._goal)
        return _follow(*here, self._rate, time_ns)


def _follow(
    start_ns: int, position: float, speed: float, goal: float, rate: float, time_ns: int
) -> tuple[float, float]:
    """Return position and speed at a time after the start."""
    if math.isinf(rate):
        return goal, 0.0
    t = max(time_ns - start_ns, 0) * 1e-9
    away = position - goal
    push = speed + rate * away
    decay = math.exp(-rate * t)
    return goal + (away + push * t) * decay, (speed - rate * push * t) * decay
