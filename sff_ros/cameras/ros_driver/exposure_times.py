"""When a picture was exposed, from the stamp that a driver gave it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.errors import CameraError

# What a stamp means -> how many frame periods before it the exposure began, at the earliest:
# exposing takes a period at most, and so does reading out and sending.
PERIODS_BEFORE = {'start': 0, 'end': 1, 'arrival': 2}
OLDEST_NS = 1_000_000_000  # of a stamp when its picture arrives
AHEAD_NS = 10_000_000  # clocks of two machines differ by this at most


@dataclass(frozen=True, slots=True)
class Exposure:
    """When a picture was exposed, ns on the wall clock.

    Attributes:
        start_ns: the earliest time at which it can have begun.
        duration_ns: from there to as late as it can have ended; its middle is the best guess of
            mid-exposure.
    """

    start_ns: int
    duration_ns: int

    @property
    def middle_ns(self) -> int:
        """Mid-exposure."""
        return self.start_ns + self.duration_ns // 2


def exposure_of(stamp_ns: int, arrival_ns: int, stamps: str, period_ns: int) -> Exposure:
    """Return when a picture was exposed.

    Args:
        stamp_ns: of its header.
        arrival_ns: when it came, on the wall clock.
        stamps: when the driver stamps, a key of PERIODS_BEFORE.
        period_ns: from frame to frame.

    Raises:
        CameraError: the stamp cannot be a time of the wall clock; says what it is.
    """
    if stamp_ns == 0:
        raise CameraError('its stamps are zero: let the driver stamp its pictures')
    age_ns = arrival_ns - stamp_ns
    if not -AHEAD_NS <= age_ns <= OLDEST_NS + period_ns:
        word = 'before' if age_ns > 0 else 'after'
        raise CameraError(
            f'its stamps are {abs(age_ns) * 1e-9:.3f} s {word} the arrival of the pictures: the '
            'driver must stamp by the wall clock of this machine (not use_sim_time, not time '
            'since boot)'
        )
    periods = PERIODS_BEFORE[stamps]
    return Exposure(stamp_ns - periods * period_ns, max(periods, 1) * period_ns)


def period_of(stamps_ns: list[int]) -> int:
    """Return the time from frame to frame, the median of those between stamps, ns.

    Raises:
        CameraError: the stamps do not grow.
    """
    steps = np.diff(stamps_ns)
    if (steps <= 0).any():
        raise CameraError(f'its stamps do not grow: steps of {steps.tolist()} ns')
    return int(np.median(steps))
