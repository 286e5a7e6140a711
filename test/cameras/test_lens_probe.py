"""Settling, lag and backlash of the simulated lens, in simulated time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_lens import FakeLens
from simulated_lens_time import simulate

from sff_ros.cameras import lens_probe
from sff_ros.cameras.lens_probe import measure_dynamics, sweep_codes, take_sweep
from sff_ros.cameras.simulated.actuator import SETTLED
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.errors import CalibrationError, CameraError

LENS: dict[str, Any] = {
    'width': 160, 'height': 120, 'pitch_um': 27.6, 'fnumber': 0.8, 'codes': 1023,
    'breathing': 0.03,
    'frame_rate': 60.0,
}  # fmt: skip


@pytest.mark.parametrize(('settle_s', 'backlash'), [(0.06, 24.0), (0.0, 0.0)])
def test_settling_comes_back_within_a_frame(
    monkeypatch: pytest.MonkeyPatch, settle_s: float, backlash: float
) -> None:
    monkeypatch.setattr(lens_probe, 'time', simulate(monkeypatch))
    device = SimulatedLens(SimulatedConfig(**LENS, settle_s=settle_s, backlash=backlash))
    dynamics = measure_dynamics(device, count=21, patient_s=0.12)
    assert dynamics.settling.settle_s == pytest.approx(settle_s, abs=1 / 60)
    # The area under what is left of a critically damped step: 2 / w.
    assert dynamics.settling.lag_s == pytest.approx(2 * settle_s / SETTLED, abs=0.003)
    assert dynamics.backlash == pytest.approx(backlash, abs=1.5)


def test_a_sweep_comes_to_every_code_from_its_side() -> None:
    device = FakeLens(backlash=30.0, realtime=False)
    for rising in (True, False):
        codes = sweep_codes(device, 11, 30.0, rising)
        sweep = take_sweep(device, 'here', codes, 0.05)
        assert sweep.side == (1 if rising else -1)
        positions = np.array([image[0, 0] for image in sweep.images]) / 50
        np.testing.assert_allclose(positions, codes - sweep.side * 15, atol=0.02)


@pytest.mark.parametrize(
    ('backlash', 'ends'), [(None, (60, 940)), (10.0, (12, 988)), (0.0, (1, 999))]
)
def test_codes_leave_room_for_the_backlash(
    backlash: float | None, ends: tuple[float, float]
) -> None:
    up = sweep_codes(FakeLens(), 9, backlash, rising=True)
    assert (up[0], up[-1], len(up)) == (*ends, 9)
    np.testing.assert_array_equal(sweep_codes(FakeLens(), 9, backlash, rising=False), up[::-1])


def test_no_pictures_and_no_texture_are_reported() -> None:
    device = FakeLens(realtime=False)
    with pytest.raises(CalibrationError, match='sharpness changes by 0 % along the sweep'):
        measure_dynamics(device, count=11, patient_s=0.05)
    device.lose = set(range(10_000))
    with pytest.raises(CameraError, match='no image arrives: lost'):
        measure_dynamics(device, count=11, patient_s=0.05)
