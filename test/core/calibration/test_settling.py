"""Settling, lag and backlash from sharpness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.calibration.settling import find_flank, judge_steps
from sff_ros.errors import CalibrationError

Floats = npt.NDArray[np.float64]
CODES = np.linspace(0.0, 1000.0, 21)


def steps(lag_s: float, delay_s: float, noise: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Frames of twelve steps there and back of a lens of first order with dead time."""
    rng = np.random.default_rng(2)
    time_s = np.concatenate([(k + 0.5) / 360 + np.arange(18) / 30 for k in range(12)])
    there = np.repeat(np.arange(12) % 2 == 0, 18)
    start, goal = np.where(there, 200.0, 800.0), np.where(there, 800.0, 200.0)
    left = np.exp(-np.maximum(time_s - delay_s, 0) / lag_s) if lag_s else time_s * 0
    position_code = goal + (start - goal) * left + rng.normal(0, noise, len(time_s))
    return time_s, position_code, start, goal


@pytest.mark.parametrize(
    ('lag_s', 'delay_s', 'noise'), [(0.02, 0.0, 0.0), (0.02, 0.01, 3.0), (0.05, 0.0, 3.0)]
)
def test_settling_and_lag_are_recovered(lag_s: float, delay_s: float, noise: float) -> None:
    found = judge_steps(*steps(lag_s, delay_s, noise))
    # Of a step of first order 2 % are left after ln 50 = 3.91 lags.
    assert found.settle_s == pytest.approx(delay_s + 3.912 * lag_s, abs=0.012)
    assert found.lag_s == pytest.approx(delay_s + lag_s, abs=0.003)


def test_an_instant_lens_has_neither() -> None:
    found = judge_steps(*steps(0.0, 0.0, 1.0))
    assert (found.settle_s, found.lag_s) == (0, 0)


def test_a_lens_that_does_not_rest_is_refused() -> None:
    with pytest.raises(CalibrationError, match='does not come to rest within'):
        judge_steps(*steps(0.02, 0.0, 150.0))


@pytest.mark.parametrize('peak', [100.0, 700.0])
def test_the_longest_flank_gives_the_position_code(peak: float) -> None:
    sharp = 0.2 + 1 / (1 + ((CODES - peak) / 200) ** 2)
    flank = find_flank(CODES, sharp)
    rising = peak == 700.0
    assert (np.diff(flank.sharpness) > 0).all() == rising
    # From a tenth to nine tenths of the way up to the peak at 700, or down from that at 100.
    assert (flank.codes[0], flank.codes[-1]) == ((300, 600) if rising else (200, 550))
    inside = np.array([flank.codes[1] + 7, flank.codes[-2] - 13])
    found = flank.position_codes(np.interp(inside, CODES, sharp))
    np.testing.assert_allclose(found, inside, atol=1e-6)


def test_a_scene_without_texture_is_refused() -> None:
    with pytest.raises(CalibrationError, match='sharpness changes by 5 % along the sweep'):
        find_flank(CODES, np.linspace(0.95, 1.0, 21))
