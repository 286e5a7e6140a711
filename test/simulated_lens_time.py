"""Simulated time for lenses: their frame clock, and the ramp that leads them along."""

from __future__ import annotations

import pytest
from simulated_time import SimulatedTime

from sff_ros.cameras import continuous
from sff_ros.cameras.ramp import STEP_S, Ramp
from sff_ros.cameras.simulated import frame_clock


def simulate(monkeypatch: pytest.MonkeyPatch) -> SimulatedTime:
    """Put lens cameras and simulated frames on simulated time.

    A ramp is no thread then: it takes its turn whenever STEP_S have passed. What a thread adds,
    that its turns may be late, is what the real one does on a busy machine.
    """
    clock = SimulatedTime()

    class SteppedRamp(Ramp):
        def __enter__(self) -> None:
            clock.every(STEP_S, self._turn)

        def __exit__(self, *_: object) -> None:
            clock.no_more(self._turn)

        def _turn(self) -> None:
            if self.step():
                clock.no_more(self._turn)

    monkeypatch.setattr(continuous, 'Ramp', SteppedRamp)
    monkeypatch.setattr(frame_clock, 'time', clock)
    return clock
