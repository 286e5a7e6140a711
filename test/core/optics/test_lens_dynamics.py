"""Backlash and lag of a lens."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sff_ros.core.optics.lens_dynamics import LensDynamics

MS = 1_000_000


def test_a_lens_without_faults_is_where_it_was_commanded() -> None:
    lens = LensDynamics(10.0)
    for time_ns, code in ((0, 40.0), (MS, 20.0), (2 * MS, 20.0)):
        lens.command(time_ns, code)
        assert lens.at(time_ns) == lens.goal == lens.commanded == code


def test_backlash_stops_half_of_it_short() -> None:
    lens = LensDynamics(0.0, backlash=6.0)
    steps = [(50.0, 47.0), (52.0, 49.0), (50.0, 49.0), (46.5, 49.0), (46.0, 49.0), (40.0, 43.0)]
    for k, (code, rest) in enumerate(steps):
        lens.command(k, code)
        assert lens.goal == rest


@pytest.mark.parametrize('positions', [(20.0, 60.0, 55.0, 54.0, 80.0), (90.0, 10.0, 11.0)])
def test_code_to_brings_the_lens_there_from_either_side(positions: tuple[float, ...]) -> None:
    lens = LensDynamics(0.0, backlash=7.0)
    for k, position in enumerate(positions):
        lens.command(k, lens.code_to(position))
        assert lens.goal == pytest.approx(position)


def test_a_step_is_nearer_by_1_over_e_after_the_lag() -> None:
    lens = LensDynamics(100.0, lag_s=0.02)
    lens.command(5 * MS, 200.0)
    assert lens.at(5 * MS) == pytest.approx(100)
    assert lens.at(25 * MS) == pytest.approx(200 - 100 / math.e)
    lens.command(25 * MS, 100.0)  # turned around on the way
    assert lens.at(45 * MS) == pytest.approx(100 + (100 - 100 / math.e) / math.e)
    assert lens.at(24 * MS) == pytest.approx(200 - 100 * math.exp(-0.95))  # the past stays


def test_a_lens_that_moves_steadily_is_the_lag_behind() -> None:
    lens = LensDynamics(0.0, lag_s=0.015)
    for k in range(2000):
        lens.command(k * MS // 2, float(k))
    # Half a step less, since commands are held.
    assert lens.at(999 * MS) == pytest.approx(1998 - 30, abs=0.6)


def test_commands_are_known_by_their_time() -> None:
    lens = LensDynamics(0.0, backlash=6.0, lag_s=0.01)
    assert math.isnan(lens.commanded)
    assert math.isnan(lens.commanded_at(MS))
    lens.command(2 * MS, 50.0)
    lens.command(4 * MS, 40.0)
    assert [lens.commanded_at(k * MS) for k in (2, 3, 4, 9)] == [50.0, 50.0, 40.0, 40.0]
    assert math.isnan(lens.commanded_at(MS))


def test_only_the_last_commands_are_kept() -> None:
    lens = LensDynamics(0.0, lag_s=0.01)
    for k in range(10_000):
        lens.command(k * MS, float(k % 50))
    assert len(lens._times) == len(lens._legs) <= 512
    assert np.isfinite(lens.at(10_000 * MS))
