"""Simulated time for lenses: their frame clock, and the ramp that leads them along."""

from __future__ import annotations

import pytest
from simulated_time import SimulatedTime

from sff_ros.cameras import lens_camera
from sff_ros.cameras.ramp import STEP_S, Ramp
from sff_ros.cameras.simulated import frame_clock


class _Once:
    """Stands for the event that ends a ramp's loop: it is set after one turn."""

    def __init__(self) -> None:
        self._turns = 0

    def wait(self, _: float) -> bool:
        self._turns += 1
        return self._turns > 1


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
            self._left = _Once()  # type: ignore[assignment]
            self.run()
            if self._now_ns() >= self._end_ns:
                clock.no_more(self._turn)

    monkeypatch.setattr(lens_camera, 'Ramp', SteppedRamp)
    monkeypatch.setattr(frame_clock, 'time', clock)
    return clock
