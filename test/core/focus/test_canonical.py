"""Any sweep, resampled to 15 even positions and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from rendered import even, plane, render

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.canonical import (
    EVIDENCE_CHANNELS,
    POSITIONS,
    CanonicalSweep,
    canonical_places,
    from_canonical,
    resampling,
    to_canonical,
)
from sff_ros.core.focus.measure import POOLING, FocusVolume, measure_contrast
from sff_ros.core.focus.peak import gather_evidence

AXES = {
    'even 15': even(0, 14, 15),
    'even 8': even(1.0, 3.5, 8),
    'even 60': even(1.0, 3.5, 60),
    'falling': even(3.5, 1.0, 15),
    'uneven': np.cumsum([0.0, *np.linspace(1, 3, 14)]),
    'three': even(0, 1, 3),
}


def sweep_of(stack: list[npt.NDArray[np.uint8]], axis: npt.NDArray[np.float64]) -> CanonicalSweep:
    context = RunningAllInFocus()
    responses = []
    for image in stack:
        responses.append(measure_contrast(image, POOLING))
        context.add(image, responses[-1])
    height, width = stack[0].shape[:2]
    volume = FocusVolume(np.stack(responses), axis, (height, width), POOLING)
    return to_canonical(volume, gather_evidence(volume), context.image)


@pytest.mark.parametrize('name', AXES)
def test_weights_of_resampling_are_a_mean(name: str) -> None:
    weights = resampling(canonical_places(AXES[name]))
    assert weights.shape == (POSITIONS, len(AXES[name]))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_an_even_sweep_of_15_is_left_alone() -> None:
    np.testing.assert_allclose(resampling(canonical_places(AXES['even 15'])), np.eye(15))


@pytest.mark.parametrize('name', ['even 8', 'three'])
def test_sparse_slices_are_interpolated_linearly(name: str) -> None:
    places = canonical_places(AXES[name])
    values = np.random.default_rng(0).random(len(places))
    expected = np.interp(np.arange(POSITIONS), places, values)
    np.testing.assert_allclose(resampling(places) @ values, expected)


def test_every_slice_of_a_long_sweep_counts_alike() -> None:
    share = resampling(canonical_places(AXES['even 60'])).sum(axis=0)
    inner = share[6:-6]
    np.testing.assert_allclose(inner, inner.mean(), rtol=0.12)


@pytest.mark.parametrize('name', AXES)
def test_positions_go_there_and_back(name: str) -> None:
    axis = AXES[name]
    places = canonical_places(axis).astype(np.float32)
    inner = from_canonical(places[None, 1:-1], axis)
    np.testing.assert_allclose(inner[0], np.arange(1, len(axis) - 1), atol=1e-5)


@pytest.mark.parametrize(
    ('position', 'slice_'),
    [(-0.6, 0.0), (-0.4, 1e-3), (0.0, 1e-3), (3.5, 1.75), (14.4, 6.999), (14.6, 7.0)],
)
def test_only_what_is_beyond_an_end_is_exactly_there(position: float, slice_: float) -> None:
    got = from_canonical(np.full((1, 1), position, np.float32), even(0, 1, 8))
    assert got[0, 0] == pytest.approx(slice_, abs=1e-6)
    assert (got[0, 0] in (0, 7)) == (slice_ in (0.0, 7.0))


@pytest.mark.parametrize('name', ['even 15', 'even 8', 'even 60', 'uneven'])
def test_evidence_is_in_canonical_positions(name: str) -> None:
    axis = AXES[name]
    ground_truth = plane(4.0, 10.0)
    sweep = sweep_of(render(ground_truth, canonical_places(axis)), axis)
    assert sweep.responses.shape == (POSITIONS, 4, 48, 64)
    assert sweep.evidence.shape == (EVIDENCE_CHANNELS, 48, 64)
    error = np.abs(sweep.evidence[0] - ground_truth[::2, ::2])[4:-4, 4:-4]
    assert error.mean() < 0.2
    assert (sweep.evidence[2:6] >= 0).all()
    assert (sweep.evidence[2:6] <= 1).all()


def test_exposure_changes_next_to_nothing() -> None:
    axis = even(0, 14, 15)
    bright = sweep_of(render(plane(4, 10), noise=0.0, gain=1.0), axis)
    dark = sweep_of(render(plane(4, 10), noise=0.0, gain=0.5), axis)
    assert np.abs(dark.context - bright.context).mean() < 0.005
    assert np.abs(dark.responses - bright.responses).mean() < 0.01 * bright.responses.mean() + 0.01
    assert np.abs(dark.evidence[0] - bright.evidence[0]).mean() < 0.05


def test_a_grey_image_becomes_three_equal_planes() -> None:
    sweep = sweep_of(render(plane(4, 10)), even(0, 14, 15))
    np.testing.assert_array_equal(sweep.context[0], sweep.context[2])
    assert sweep.context.mean() == pytest.approx(1, abs=1e-3)
