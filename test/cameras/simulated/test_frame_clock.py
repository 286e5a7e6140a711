from __future__ import annotations

import itertools
import time

import pytest

from sff_ros.cameras.simulated.frame_clock import FrameClock

PERIOD_NS = 20_000_000


def expose(clock: FrameClock, ready_ns: int) -> int:
    """Take a frame; return its stamp."""
    return clock.finish(clock.next_start_ns(ready_ns))


def test_frames_start_on_a_grid_at_or_after_the_time_asked_for() -> None:
    clock = FrameClock(50.0, realtime=False)
    first = expose(clock, 0)
    for ready_ns, frame in ((1, 1), (3 * PERIOD_NS, 3), (3 * PERIOD_NS + 1, 4), (7_777, 5)):
        assert expose(clock, ready_ns) - first == frame * PERIOD_NS
        # Exposed for half a period.
        assert clock.now_ns() == frame * PERIOD_NS + PERIOD_NS // 2


def test_no_frame_is_given_twice() -> None:
    clock = FrameClock(50.0, realtime=False)
    stamps = [expose(clock, 0) for _ in range(3)]
    assert [b - a for a, b in itertools.pairwise(stamps)] == [PERIOD_NS, PERIOD_NS]


@pytest.mark.parametrize('wait_ns', [0, 30_000_000])
def test_real_time_waits_and_stamps_mid_exposure(wait_ns: int) -> None:
    clock = FrameClock(50.0)
    for _ in range(3):
        before = time.time_ns()
        stamp = expose(clock, clock.now_ns() + wait_ns)
        after = time.time_ns()
        # Exposed for 10 ms around the stamp: it neither began too early nor ended after the call.
        assert before + wait_ns - 1_000_000 <= stamp - 5_000_000
        assert stamp + 5_000_000 <= after + 1_000_000


def test_real_time_keeps_to_the_frame_rate() -> None:
    clock = FrameClock(50.0)
    stamps = [expose(clock, clock.now_ns()) for _ in range(4)]
    steps = [b - a for a, b in itertools.pairwise(stamps)]
    assert all(step > 0 and step % PERIOD_NS == 0 for step in steps)
