"""The lens that takes codes: what it does to images, and when."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.cameras.lens_device import Frame
from sff_ros.cameras.simulated.actuator import Actuator
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.calibration.settling import sharpness
from sff_ros.errors import CameraError, CameraLostError

SMALL = SimulatedConfig(
    width=160, height=120, pitch_um=27.6, fnumber=0.8, codes=1023, noise=0.0, realtime=False
)


def lens(**changes: Any) -> SimulatedLens:
    return SimulatedLens(dataclasses.replace(SMALL, **changes))


def at(device: SimulatedLens, code: float, wait_s: float = 0.0) -> Frame:
    device.move(code)
    return device.frame(device.now_ns() + round(wait_s * 1e9))


def grey(frame: Frame) -> npt.NDArray[np.float64]:
    levels: npt.NDArray[np.float64] = np.asarray(frame.image, float).mean(axis=2)
    return levels


@pytest.mark.parametrize('settle_s', [0.02, 0.1])
def test_a_step_is_within_a_hundredth_after_settling(settle_s: float) -> None:
    actuator = Actuator(0.0, 0.0, settle_s)
    actuator.command(0, 100.0)
    times = np.linspace(0, 2 * settle_s, 401)
    place = np.array([actuator.at(round(t * 1e9)) for t in times.tolist()])
    assert (np.diff(place) >= 0).all()  # critically damped: it does not overshoot
    assert place[200] == pytest.approx(99.0, abs=0.05)
    # Behind a ramp it is twice its time constant behind.
    lag_s = float(np.trapezoid(100 - place, times) / 100 if hasattr(np, 'trapezoid') else 0)
    if lag_s:
        assert lag_s == pytest.approx(2 * settle_s / 6.638, rel=0.01)


def test_an_actuator_turns_around_on_its_way() -> None:
    actuator = Actuator(0.0, 10.0, 0.05)
    actuator.command(0, 100.0)
    before = actuator.at(10_000_000)
    actuator.command(10_000_000, 0.0)
    assert actuator.at(10_000_000) == pytest.approx(before)
    assert actuator.at(5_000_000) < before  # frames of the leg before can still be asked for
    assert actuator.at(12_000_000) > before  # inertia
    assert actuator.at(500_000_000) == pytest.approx(5.0)  # backlash


def test_codes_bend_and_reach_both_ends() -> None:
    device = lens(bend=0.1)
    reach = device.optical.reach
    assert device.true_dioptres(0) == pytest.approx(reach.far_dpt)
    assert device.true_dioptres(1023) == pytest.approx(reach.near_dpt)
    half = (device.true_dioptres(511.5) - reach.far_dpt) / (reach.near_dpt - reach.far_dpt)
    assert half == pytest.approx(0.6)


def test_pictures_are_those_of_the_place_at_mid_exposure() -> None:
    device = lens(settle_s=0.05, backlash=40.0)
    at(device, 0, 0.5)
    early, late = at(device, 800), device.frame(device.now_ns() + 500_000_000)
    still = lens()
    expected = still.optical.image(still.true_dioptres(780)).astype(float).mean(axis=2)
    assert np.abs(grey(late) - expected).mean() < 0.2
    assert np.abs(grey(early) - expected).mean() > 1
    assert late.stamp_ns - early.stamp_ns > 500_000_000
    assert late.exposure_ns == round(0.5e9 / 30)


def test_frames_begin_at_the_time_asked_for() -> None:
    device = lens()
    for wait_ns in (0, 40_000_000, 100_000_000):
        asked = device.now_ns() + wait_ns
        frame = device.frame(asked)
        assert 0 <= frame.start_ns - asked <= device.period_ns


def test_the_ball_moves_and_comes_back() -> None:
    device = lens(ball_speed=60.0)
    places = []
    for _ in range(60):
        frame = device.frame(0)
        image = grey(frame)[40:68]
        background = grey(Frame(device.optical.image(2.0), 0, 1, 0))[40:68]
        places.append(float(np.abs(image - background).sum()))
    still = lens()
    assert np.abs(grey(still.frame(0)) - grey(still.frame(0))).max() == 0
    assert max(places) > 3 * min(places)


def test_vibration_shifts_the_picture() -> None:
    device = lens(vibration_px=2.0, vibration_rate=3.0)
    images = [grey(device.frame(0))[20:100, 20:140] for _ in range(10)]
    assert max(np.abs(a - images[0]).mean() for a in images) > 2


def test_the_board_is_seen_at_each_of_its_places() -> None:
    device = lens(scene='board', width=640, height=480, pitch_um=6.9, breathing=0.0)
    board = Board(square_m=0.025)
    spans = []
    for _ in range(8):
        said = device.next_board()
        distance_m = float(said.removesuffix(' m'))
        assert 0.3 <= distance_m <= 0.8
        corners = board.find(device.optical.image(1 / distance_m))
        assert corners is not None, said
        spans.append(distance_m)
    assert max(spans) > 2 * min(spans)


def test_the_plane_fills_the_picture() -> None:
    device = lens(scene='plane', plane_m=0.4)
    np.testing.assert_allclose(device.optical.true_depth_m, 0.4, rtol=1e-6)
    sharp = [sharpness(device.optical.image(d)) for d in (1.3, 2.5, 3.4)]
    assert sharp[1] > 1.5 * max(sharp[0], sharp[2])


def test_what_it_refuses() -> None:
    device = lens(drop_rate=1.0)
    for code in (-1.0, 1024.0, 3.5, math.nan):
        with pytest.raises(CameraError, match=r'is not one of 0 \.\. 1023 in steps of 1'):
            device.move(code)
    with pytest.raises(CameraError, match='was lost'):
        device.frame(0)
    device.close()
    device.close()
    with pytest.raises(CameraLostError, match='closed'):
        device.frame(0)
