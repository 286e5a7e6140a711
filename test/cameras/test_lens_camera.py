"""A device with a calibration: dioptres, backlash, settling, continuous sweeps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_lens import LEVELS, SIZE, FakeLens
from simulated_lens_time import simulate

from sff_ros.cameras.lens_camera import UNMEASURED_SETTLE_S, LensCamera
from sff_ros.cameras.ramp import Ramp
from sff_ros.cameras.reach import Codes, Dioptres
from sff_ros.config.cameras import LensConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError, CameraError, CameraLostError, ConfigError

TABLE = LensTable((100.0, 500.0, 900.0), (0.5, 2.5, 4.5), (0.99, 1.0, 1.02))
CAMERA = Intrinsics(32, 24, 40.0, 40.0, 16.0, 12.0)
KNOWN = LensCalibration(
    TABLE, CAMERA, backlash=20.0, settle_s=0.03, lag_s=0.01, field_dpt=1.5, residual_dpt=0.01
)
STILL: dict[str, Any] = {'realtime': False}


def camera(
    device: FakeLens, calibration: LensCalibration | None = KNOWN, **config: Any
) -> LensCamera:
    return LensCamera(device, calibration, LensConfig(**config))


def position_code(slice_: Slice) -> float:
    """Where the lens really was, codes."""
    return float(slice_.image[0, 0]) / LEVELS


def test_slices_are_where_they_say_though_the_lens_has_backlash() -> None:
    device = FakeLens(backlash=20.0, **STILL)
    lens = camera(device)
    for focus in (0.6, 2.5, 2.51, 4.4, 4.4, 1.0, 0.9, 3.0, 0.6):
        slice_ = lens.capture(focus)
        assert slice_.focus_dpt == pytest.approx(focus, abs=0.5 / 200 + 1e-9)
        lens_state = slice_.lens
        assert position_code(slice_) == pytest.approx(lens_state.position_code, abs=1 / LEVELS)
        assert TABLE.to_dioptres(lens_state.position_code) == pytest.approx(slice_.focus_dpt)
        assert lens_state.code == device.commands[-1]
        # Half the backlash beyond, on the side that it came from.
        assert abs(lens_state.code - lens_state.position_code) == 10


def test_the_picture_comes_after_settling_and_at_once_where_nothing_moves() -> None:
    lens = camera(FakeLens(**STILL))
    stamps = [lens.capture(focus).stamp_ns for focus in (1.0, 2.0, 2.0, 1.0, 1.0)]
    # Commanded at the end of an exposure, half a period; 30 ms of settling at 100 frames a second.
    assert np.diff(stamps).tolist() == [40_000_000, 10_000_000, 40_000_000, 10_000_000]


@pytest.mark.parametrize(
    ('calibration', 'config', 'wait_s'),
    [
        (KNOWN, {}, 0.03),
        (KNOWN, {'settle_s': 0.1}, 0.1),
        (dataclasses.replace(KNOWN, settle_s=None), {}, UNMEASURED_SETTLE_S),
        (None, {}, UNMEASURED_SETTLE_S),
    ],
)
def test_how_long_it_waits(
    calibration: LensCalibration | None, config: dict[str, float], wait_s: float
) -> None:
    device = FakeLens(**STILL)
    lens = camera(device, calibration, **config)
    focus = (1.0, 2.0) if calibration else (200.0, 300.0)
    lens.capture(focus[0])
    commanded_ns = device.now_ns()
    slice_ = lens.capture(focus[1])
    begun_ns = slice_.stamp_ns - device.clock.epoch_ns - device.clock.exposure_ns // 2
    assert 0 <= begun_ns - commanded_ns - wait_s * 1e9 < device.period_ns


def test_breathing_and_field_curvature_are_known() -> None:
    slice_ = camera(FakeLens(**STILL)).capture(3.5)
    assert slice_.lens.field_dpt == 1.5
    assert slice_.lens.residual_dpt == 0.01
    warp = slice_.lens.warp
    assert warp is not None
    expected = np.array([[1.01, 0, -0.16], [0, 1.01, -0.12], [0, 0, 1.0]])
    np.testing.assert_allclose(warp, expected, atol=1e-9)


def test_what_is_known_of_a_calibrated_lens() -> None:
    lens = camera(FakeLens(high=800.0))
    assert lens.reach == Dioptres(0.5, TABLE.to_dioptres(790.0))  # half the backlash short
    assert lens.intrinsics == CAMERA
    assert lens.calibration_status == 'calibrated'
    assert lens.ground_truth_m is None
    optics = camera(FakeLens(), focal_mm=8.0, fnumber=2.0, pitch_um=5.0).optics
    assert optics is not None
    assert dataclasses.astuple(optics) == pytest.approx((0.008, 2.0, 5e-6))


def test_a_lens_that_is_not_calibrated_takes_codes() -> None:
    lens = camera(FakeLens(**STILL), None)
    assert (lens.reach, lens.calibration_status) == (Codes(0, 1000), 'uncalibrated')
    slice_ = lens.capture(321.4)
    assert np.isnan(slice_.focus_dpt)
    assert slice_.lens.warp is None
    assert slice_.lens.code == position_code(slice_) == 321
    assert np.isnan(slice_.lens.position_code)  # the backlash is unknown
    with pytest.raises(CameraError, match=r'within 0 \.\. 1000 in lens codes, not 1000\.5'):
        lens.capture(1000.5)


def test_what_the_maker_promises_is_approximate() -> None:
    nominal = LensCalibration(LensTable((0.0, 10.0), (0.0, 10.0)), SIZE)
    lens = camera(FakeLens(high=10.0, step=0.0, nominal=nominal, **STILL), None)
    assert lens.calibration_status == 'approximate'
    assert lens.reach == Dioptres(0, 10)
    assert lens.capture(3.21).focus_dpt == pytest.approx(3.21)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'device': 'fake 8'}, "is for 'fake 8', this camera is 'fake 7'"),
        ({'intrinsics': Intrinsics(64, 48)}, 'is for 64x48, the camera gives 32x24'),
        ({'table': LensTable((2e3, 3e3), (1.0, 2.0))}, 'this lens takes 0 .. 1000'),
    ],
)
def test_the_calibration_of_another_camera_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CalibrationError) as caught:
        camera(FakeLens(), dataclasses.replace(KNOWN, **changes))
    assert message in str(caught.value)


def test_closing_closes_the_device() -> None:
    device = FakeLens()
    lens = camera(device)
    lens.close()
    assert device.closed == 1
    with pytest.raises(CameraError, match='closed'):
        lens.capture(1.0)


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeLens]:
    """Return a function that makes a lens with a lag, in simulated time."""

    def make(**changes: Any) -> FakeLens:
        simulate(monkeypatch)
        return FakeLens(lag_s=0.01, **changes)

    return make


@pytest.mark.parametrize('backlash', [0.0, 20.0])
def test_a_continuous_sweep_takes_a_slice_a_frame_and_knows_where(
    moving: Callable[..., FakeLens], backlash: float
) -> None:
    device = moving(backlash=backlash, rate_hz=40.0)
    lens = camera(device, dataclasses.replace(KNOWN, backlash=backlash))
    plan = tuple(np.linspace(0.6, 4.3, 15).tolist())
    sweeps = [list(lens.sweep_continuously(plan[:: 1 - 2 * (n % 2)], n)) for n in range(4)]
    for number, slices in enumerate(sweeps):
        assert [(s.index, s.count, s.sweep) for s in slices] == [
            (k, 15, number) for k in range(15)
        ]
        focus = np.array([s.focus_dpt for s in slices])
        steps = np.diff(focus) * (1 if number % 2 == 0 else -1)
        assert (steps > 0).all()
        # Once it is on its way it is even; it leaves in time to arrive, 0.4 frames of lag behind.
        assert np.abs(steps[3:-1] / (3.7 / 13.6) - 1).max() < 0.01
        for slice_ in slices:
            # Where the lens was before its first command is unknown: 0.001 dpt at the start.
            assert position_code(slice_) == pytest.approx(slice_.lens.position_code, abs=0.2)
            assert slice_.lens.code in device.commands
        # The lens follows its commands: the code is ahead of the position, and of the backlash.
        ahead = np.array([s.lens.code - s.lens.position_code for s in slices[3:-1]])
        ahead *= 1 if number % 2 == 0 else -1
        assert ahead.min() > backlash / 2
    stamps = [s.stamp_ns for slices in sweeps for s in slices]
    # Triangle: the next sweep begins with the very next frame.
    assert set(np.diff(stamps).tolist()) == {device.period_ns}


def test_a_frame_that_a_continuous_sweep_lost_leaves_its_number_out(
    moving: Callable[..., FakeLens],
) -> None:
    device = moving()
    lens = camera(device)
    plan = tuple(np.linspace(0.6, 4.3, 10).tolist())
    assert len(list(lens.sweep_continuously(plan))) == 10
    # The lens is where the next sweep begins, so its first frame is the next.
    device.lose = {device._frames + 4, device._frames + 5}
    assert [s.index for s in lens.sweep_continuously(plan[::-1])] == [0, 1, 2, 3, 6, 7, 8, 9]
    device.lose = set(range(device._frames, device._frames + 20))
    with pytest.raises(CameraError, match='lost'):
        list(lens.sweep_continuously(plan))


def test_standing_still_after_a_continuous_sweep_waits_for_the_lens(
    moving: Callable[..., FakeLens],
) -> None:
    device = moving()
    lens = camera(device, dataclasses.replace(KNOWN, backlash=0.0, settle_s=0.08))
    plan = tuple(np.linspace(0.6, 4.3, 15).tolist())
    list(lens.sweep_continuously(plan))
    slice_ = lens.capture(4.3)  # the lens was commanded so already, and is still on its way
    assert position_code(slice_) == pytest.approx(slice_.lens.position_code, abs=1)


def test_a_ramp_leads_from_end_to_end_in_its_thread() -> None:
    led: list[float] = []
    start_ns = time.monotonic_ns()
    ramp = Ramp(led.append, time.monotonic_ns, (1.0, 3.0), start_ns, start_ns + 40_000_000)
    with ramp:
        ramp.join(timeout=20)
    assert led == sorted(led)
    assert led[-1] == 3.0
    assert 1.0 <= led[0] <= 3.0


def test_a_continuous_sweep_needs_the_lag() -> None:
    for calibration, verb in ((dataclasses.replace(KNOWN, lag_s=None), 'settle'), (None, 'lens')):
        message = f'was not measured: run `sff calibrate {verb}`, or set mode to step'
        with pytest.raises(ConfigError, match=message):
            list(camera(FakeLens(), calibration).sweep_continuously((1.0, 2.0, 3.0)))


def test_a_device_that_is_gone_ends_a_continuous_sweep(moving: Callable[..., FakeLens]) -> None:
    device = moving()
    lens = camera(device)
    frames = lens.sweep_continuously((1.0, 2.0, 3.0, 4.0))
    next(frames)
    device.closed = 1
    with pytest.raises(CameraLostError):
        next(frames)
