"""Exposure time of an image, from the stamp of its driver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.errors import CameraError, quoted

# Event that is stamped -> frame periods from the earliest start of exposure to the stamp: exposure
# takes at most one period, and so do readout and transfer.
PERIODS_BEFORE = {'start': 0, 'end': 1, 'arrival': 2}
OLDEST_NS = 1_000_000_000  # age of a stamp on arrival
AHEAD_NS = 10_000_000  # largest difference between the clocks of two machines


@dataclass(frozen=True, slots=True)
class Exposure:
    """Exposure time of an image, ns on the wall clock.

    Attributes:
        start_ns: earliest possible start.
        duration_ns: from there to the latest possible end; its middle is the best estimate of
            mid-exposure.
    """

    start_ns: int
    duration_ns: int

    @property
    def middle_ns(self) -> int:
        """Mid-exposure."""
        return self.start_ns + self.duration_ns // 2


def exposure_of(stamp_ns: int, arrival_ns: int, stamps: str, period_ns: int) -> Exposure:
    """Return the exposure time of an image.

    Args:
        stamp_ns: from its header.
        arrival_ns: time of arrival on the wall clock.
        stamps: event that the driver stamps, a key of PERIODS_BEFORE.
        period_ns: frame period.

    Raises:
        CameraError: the stamp cannot be a wall-clock time.
    """
    if stamp_ns == 0:
        raise CameraError('its stamps are zero: let the driver stamp its images')
    age_ns = arrival_ns - stamp_ns
    if not -AHEAD_NS <= age_ns <= OLDEST_NS + period_ns:
        word = 'before' if age_ns > 0 else 'after'
        raise CameraError(
            f'its stamps are {abs(age_ns) * 1e-9:.3f} s {word} the arrival of the images: the '
            'driver must stamp by the wall clock of this machine (not use_sim_time, not time '
            'since boot)'
        )
    periods = PERIODS_BEFORE[stamps]
    return Exposure(stamp_ns - periods * period_ns, max(periods, 1) * period_ns)


def period_of(stamps_ns: list[int]) -> int:
    """Return the frame period, the median interval between stamps, ns.

    Raises:
        CameraError: the stamps do not increase.
    """
    steps = np.diff(stamps_ns)
    if (steps <= 0).any():
        raise CameraError(f'its stamps do not increase: steps of {quoted(steps.tolist())} ns')
    return int(np.median(steps))
