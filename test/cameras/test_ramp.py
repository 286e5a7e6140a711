"""The thread that leads a lens; where it leads is tested with the lens, on simulated time."""

from __future__ import annotations

import itertools
import threading

import pytest
from programs import wait

from sff_ros.cameras.ramp import Ramp
from sff_ros.errors import CameraLostError


def is_running() -> bool:
    return 'ramp' in [thread.name for thread in threading.enumerate()]


def test_it_leads_from_end_to_end_and_is_done() -> None:
    led: list[float] = []
    ticks = itertools.chain((90, 100), itertools.count(125, 25))  # 10 too early
    with Ramp(led.append, lambda: next(ticks), (1.0, 3.0), 100, 200):
        wait(lambda: not is_running(), 'the end of the ramp')
    assert led == [1.0, 1.0, 1.5, 2.0, 2.5, 3.0]


def test_it_ends_with_its_block() -> None:
    led: list[float] = []
    with Ramp(led.append, lambda: 150, (1.0, 3.0), 100, 200):
        wait(lambda: len(led) > 2, 'three turns')
    assert not is_running()
    assert set(led) == {2.0}


@pytest.mark.filterwarnings('error')
def test_a_device_that_is_gone_ends_it_quietly() -> None:
    turns: list[float] = []

    def fail(focus: float) -> None:
        turns.append(focus)
        raise CameraLostError('gone')

    with Ramp(fail, lambda: 150, (1.0, 3.0), 100, 200):
        wait(lambda: turns and not is_running(), 'the end of the ramp')
    assert turns == [2.0]
