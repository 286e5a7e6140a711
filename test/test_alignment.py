"""Slices are brought into one frame while they arrive, in whichever direction the lens moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from breathing_sweep import COUNT, camera, shifted, sweep, with_mover

from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.core.alignment.aligner import Alignment
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import StackError
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

INNER = np.s_[24:-24, 32:-32]


def run(slices: list[Slice], how: Alignment) -> FocusMap:
    method, setup = ShapeFromFocus(PeakBackend()), SweepSetup(align=how)
    *early, last = slices
    assert [method.add(slice_, setup) for slice_ in early] == [None] * len(early)
    result = method.add(last, setup)
    assert result is not None
    return result


def errors(result: FocusMap, of: SimulatedOptics) -> npt.NDArray[np.float32]:
    """Return the errors where there is confidence, dioptres."""
    dioptres = result.dioptres
    assert dioptres is not None
    sure = (result.estimate.confidence > 0.5) & np.isfinite(dioptres)
    assert sure.mean() > 0.7
    wrong: npt.NDArray[np.float32] = np.abs(dioptres - 1 / of.true_depth_m)[sure]
    return wrong


def median_error(result: FocusMap, of: SimulatedOptics) -> float:
    return float(np.median(errors(result, of)))


@pytest.mark.parametrize('how', ['auto', 'breathing', 'similarity', 'homography'])
@pytest.mark.parametrize('number', [0, 1])
def test_a_calibrated_lens_that_breathes_is_as_good_as_one_that_does_not(
    how: Alignment, number: int
) -> None:
    still, breathes = camera(0.0), camera(0.05)
    expected = median_error(run(sweep(still), 'none'), still)
    result = run(sweep(breathes, number), how)
    # Fewer and smaller pixels at one end; as much as that makes of it.
    assert median_error(result, breathes) < 1.6 * expected
    assert result.camera_px < 0.5
    assert result.moving < 0.01
    # Nothing but breathing: the frame is that of the reference focus.
    assert np.abs(result.frame - np.eye(3)).max() < 0.5
    raw = run(sweep(breathes, number), 'none')
    assert raw.camera_px > 4
    assert (raw.estimate.confidence > 0.5).mean() < 0.7


def test_up_and_down_give_the_same_frame_where_breathing_is_not_calibrated() -> None:
    """The first slice is once the smallest and once the largest; mid-sweep is the same."""
    breathes = camera(0.05)
    up, down = (run(sweep(breathes, n, calibrated=False), 'similarity') for n in (0, 1))
    # 2.5 % about the middle, either way.
    assert up.frame[0, 0] == pytest.approx(0.975, abs=2e-3)
    assert down.frame[0, 0] == pytest.approx(1.025, abs=2e-3)
    for result in (up, down):
        assert median_error(result, breathes) < 0.025
    images = [result.all_in_focus().astype(float)[INNER] for result in (up, down)]
    assert np.abs(images[0] - images[1]).mean() < 4
    ground_truth = breathes.all_in_focus.astype(float)[INNER]
    assert np.abs(images[0] - ground_truth).mean() < 6


def test_a_drift_is_followed_and_the_frame_is_that_of_mid_sweep() -> None:
    still = camera(0.0)
    result = run(sweep(still, drift_px=1.0), 'similarity')
    expected = median_error(run(sweep(still), 'none'), still)
    assert median_error(result, still) < 1.5 * expected
    # The first slice shows things 7 px farther left.
    assert result.frame[0, 2] == pytest.approx(-7, abs=0.2)
    assert result.camera_px == pytest.approx(14, abs=0.3)
    # The first slice shows what the last does not, and the other way round.
    confidence = result.estimate.confidence
    assert (confidence[:, :6] == 0).all()
    assert (confidence[:, -6:] == 0).all()
    assert (confidence[:, 12:-12] > 0.5).mean() > 0.8


def test_a_drift_on_top_of_breathing_is_followed() -> None:
    breathes = camera(0.05)
    result = run(sweep(breathes, drift_px=0.5), 'similarity')
    assert result.camera_px == pytest.approx(7, abs=0.5)
    assert result.frame[0, 2] == pytest.approx(-3.5, abs=0.3)
    assert median_error(result, breathes) < 0.025
    only = run(sweep(breathes, drift_px=0.5), 'breathing')
    assert only.camera_px == pytest.approx(7, rel=0.2)
    assert only.moving > 0.3


@pytest.mark.parametrize('how', ['none', 'breathing', 'similarity'])
@pytest.mark.parametrize('calibrated', [True, False])
def test_slice_by_slice_is_the_same_as_at_once(how: Alignment, calibrated: bool) -> None:
    slices = sweep(camera(0.05), calibrated=calibrated)
    streamed = run(slices, how)
    at_once = ShapeFromFocus(PeakBackend()).estimate(
        FocalStack(tuple(slices)), SweepSetup(align=how)
    )
    for name in ('position', 'confidence', 'deviation'):
        np.testing.assert_array_equal(
            getattr(at_once.estimate, name), getattr(streamed.estimate, name)
        )
    np.testing.assert_array_equal(at_once.all_in_focus(), streamed.all_in_focus())
    np.testing.assert_array_equal(at_once.frame, streamed.frame)
    assert at_once.estimate.position.std() > 1


def test_a_still_sweep_is_not_resampled() -> None:
    slices = sweep(camera(0.0), calibrated=False)
    result = run(slices, 'similarity')
    assert result.stack.slices == tuple(slices)
    plain = run(slices, 'none')
    np.testing.assert_array_equal(result.estimate.position, plain.estimate.position)
    np.testing.assert_array_equal(result.estimate.confidence, plain.estimate.confidence)


def unknown(slices: list[Slice], shifts_px: list[float]) -> list[Slice]:
    """Return slices whose focus is unknown, each shifted to the right."""
    return [
        replace(slice_, lens=LensState(), image=shifted(slice_.image, by))
        for slice_, by in zip(slices, shifts_px, strict=True)
    ]


def test_auto_ignores_a_small_motion_that_few_steps_show() -> None:
    """One small step of fourteen, as blur may invent it."""
    shifts = [0.0] * 9 + [0.12] * 6
    slices = unknown(sweep(camera(0.0)), shifts)
    followed, result = run(slices, 'similarity'), run(slices, 'auto')
    assert followed.alignment.is_moved
    assert followed.alignment.dropped == 0
    assert result.alignment.dropped == 1
    assert result.stack.slices == tuple(slices)
    plain = run(slices, 'none')
    np.testing.assert_array_equal(result.estimate.position, plain.estimate.position)
    assert 'most slices show no motion; 1 of 14 steps' in str(result.alignment)


def test_auto_follows_motion_that_most_steps_show() -> None:
    slices = unknown(sweep(camera(0.0)), [0.6 * k for k in range(COUNT)])
    result = run(slices, 'auto')
    assert result.alignment.dropped == 0
    assert result.camera_px == pytest.approx(14 * 0.6, abs=0.5)


@pytest.mark.parametrize('share', [0.06, 0.12, 0.25])
def test_a_camera_that_is_knocked_once_is_followed(share: float) -> None:
    whole = [slice_.image for slice_ in sweep(camera(0.0, 640, 480))]
    by = round(320 * share)
    slices = [
        replace(slice_, lens=LensState(), image=image[100:340, left : left + 320])
        for slice_, image, left in zip(
            sweep(camera(0.0)), whole, [150] * 6 + [150 + by] * 9, strict=True
        )
    ]
    result = run(slices, 'auto')
    assert result.camera_px == pytest.approx(by, abs=1)
    assert [k for k, step in enumerate(result.alignment.steps) if not step.refused] == [5]
    assert result.moving < 0.02
    assert result.alignment.dropped == 0


@pytest.mark.parametrize('how', ['none', 'auto'])
def test_a_knock_that_is_not_followed_is_reported(how: Alignment) -> None:
    """The lens is calibrated, so auto does not search."""
    slices = sweep(camera(0.0))
    knocked = [
        replace(slice_, image=shifted(slice_.image, 0.0 if k < 7 else 60.0))
        for k, slice_ in enumerate(slices)
    ]
    result = run(knocked, how)
    assert not result.alignment.is_moved
    assert result.moving > 0.5


def test_a_refused_slice_leaves_no_trace() -> None:
    slices = sweep(camera(0.05), calibrated=False)
    method, setup = ShapeFromFocus(PeakBackend()), SweepSetup(align='similarity')
    for slice_ in slices[:5]:
        method.add(slice_, setup)
    small = replace(slices[5], image=slices[5].image[:100, :100])
    for wrong in (slices[3], small):
        with pytest.raises(StackError):
            method.add(wrong, setup)
    (result,) = [r for slice_ in slices[5:] if (r := method.add(slice_, setup)) is not None]
    expected = run(slices, 'similarity')
    np.testing.assert_array_equal(result.estimate.position, expected.estimate.position)
    assert result.camera_px == expected.camera_px


def test_a_lost_slice_is_stepped_over() -> None:
    breathes = camera(0.05)
    slices = [s for s in sweep(breathes, calibrated=False) if s.index not in (0, 6, 7)]
    method, setup = ShapeFromFocus(PeakBackend()), SweepSetup(align='similarity', max_missing=3)
    (result,) = [r for slice_ in slices if (r := method.add(slice_, setup)) is not None]
    assert len(result.stack.slices) == COUNT - 3
    # Half way between slices 1 and 14: at 7.5, where the scale is beyond the middle's.
    assert result.frame[0, 0] == pytest.approx(0.977, abs=3e-3)
    assert result.moving < 0.02


def test_a_change_of_align_waits_for_the_next_sweep() -> None:
    breathes = camera(0.05)
    method = ShapeFromFocus(PeakBackend())
    first, second = sweep(breathes, 0), sweep(breathes, 1)
    for slice_ in first[:5]:
        method.add(slice_, SweepSetup(align='breathing'))
    after = SweepSetup(align='none')
    results = [r for s in (*first[5:], *second) if (r := method.add(s, after)) is not None]
    assert [result.alignment.method for result in results] == ['breathing', 'none']
    assert results[0].camera_px < 0.5
    assert results[1].camera_px > 4


def test_what_moves_has_little_confidence_and_the_rest_keeps_its_own() -> None:
    still = camera(0.0, 640, 480)
    slices = sweep(still, calibrated=False)
    left, top, wide, high = box = (230, 170, 180, 140)
    # Its texture is as sharp as the scene; but for its motion it would be taken for a surface.
    moving = [
        replace(slice_, image=image)
        for slice_, image in zip(slices, with_mover(slices, 1.0, box), strict=True)
    ]
    result, plain = run(moving, 'similarity'), run(slices, 'similarity')
    inside = np.s_[top : top + high, left : left + wide]
    assert (result.estimate.confidence[inside] < 0.5).mean() >= 0.8
    outside = np.ones(result.estimate.confidence.shape, bool)
    outside[top - 40 : top + high + 40, left - 50 : left + wide + 50] = False
    lost = (result.estimate.confidence < 0.5) & (plain.estimate.confidence >= 0.5)
    assert lost[outside].mean() <= 0.02
    assert result.moving == pytest.approx(wide * high / (640 * 480), abs=0.03)
