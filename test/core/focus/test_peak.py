"""The classical estimate on rendered stacks of known depth: accuracy, invariances, confidence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rendered import HEIGHT, SLICES, WIDTH, estimate, even, plane, render, texture

from sff_ros.core.metrics import error_at_coverage


@pytest.mark.parametrize(
    ('growth_px', 'mae'), [(0.25, 0.15), (0.35, 0.1), (0.6, 0.04), (1.0, 0.1), (3.0, 0.2)]
)
def test_a_plane_is_found_and_stays_a_plane(growth_px: float, mae: float) -> None:
    ground_truth = plane(3, 11)
    result = estimate(render(ground_truth, growth_px=growth_px, noise=1.5))
    error = result.position - ground_truth
    assert np.abs(error).mean() < mae
    slope = np.polyfit(np.arange(WIDTH), result.position.mean(axis=0), 1)[0]
    assert slope == pytest.approx(8 / (WIDTH - 1), rel=0.05)


def test_reversing_the_sweep_mirrors_the_positions() -> None:
    stack = render(plane(2, 12))
    there, back = estimate(stack), estimate(stack[::-1])
    np.testing.assert_allclose(back.position, SLICES - 1 - there.position, atol=1e-3)
    np.testing.assert_allclose(back.confidence, there.confidence, atol=1e-3)


def test_only_the_spacing_of_the_axis_counts() -> None:
    stack = render(plane(2, 12))
    plain = estimate(stack)
    places = np.arange(SLICES, dtype=np.float64)
    for scale, start in ((-1.0, 20.0), (0.2, 0.3)):
        other = estimate(stack, scale * places + start)
        np.testing.assert_allclose(other.position, plain.position, atol=1e-3)


@pytest.mark.parametrize('gain', [0.5, 2.0])
def test_exposure_changes_nothing(gain: float) -> None:
    ground_truth, sharp = plane(3, 11), texture(contrast=12) * np.float32(0.7)
    plain = estimate(render(ground_truth, sharp=sharp))
    other = estimate(render(ground_truth, sharp=sharp, gain=gain))
    assert np.abs(other.position - plain.position).mean() < 0.05
    assert np.abs(other.confidence - plain.confidence).mean() < 0.02


def test_flicker_changes_little() -> None:
    ground_truth = plane(3, 11)
    stack = render(ground_truth, growth_px=0.35)
    flicker = [(0.96 + 0.04 * (i % 2)) * image for i, image in enumerate(stack)]
    result = estimate([np.rint(image).astype(np.uint8) for image in flicker])
    assert np.abs(result.position - estimate(stack).position).mean() < 0.02


@pytest.mark.parametrize(('count', 'mae'), [(5, 0.45), (9, 0.15), (41, 0.05), (100, 0.05)])
def test_any_count_of_slices(count: int, mae: float) -> None:
    axis, ground_truth = even(0, 14, count), plane(3, 11)
    result = estimate(render(ground_truth, axis), axis)
    found = np.interp(result.position, np.arange(count), axis)
    assert np.abs(found - ground_truth).mean() < mae


def test_uneven_spacing() -> None:
    axis = np.array([0, 0.5, 1, 1.6, 2.4, 3.2, 4, 5, 6, 7, 8.3, 9.6, 11, 12.5, 14.0])
    ground_truth = plane(2, 12)
    result = estimate(render(ground_truth, axis), axis)
    found = np.interp(result.position, np.arange(SLICES), axis)
    assert np.abs(found - ground_truth).mean() < 0.15


@pytest.mark.parametrize(('depth', 'end'), [(-2.0, 0.0), (16.0, 14.0)])
def test_a_surface_beyond_the_sweep_lies_at_its_end(depth: float, end: float) -> None:
    result = estimate(render(np.full((HEIGHT, WIDTH), depth, np.float32)))
    assert (result.position == end).mean() > 0.99
    assert np.median(result.confidence) < 0.2


def test_a_bracketed_surface_never_lies_at_an_end() -> None:
    result = estimate(render(plane(2, 12)))
    assert 0 < result.position.min() < result.position.max() < SLICES - 1


@pytest.mark.parametrize('value', [0, 128, 255])
def test_a_constant_stack_is_answered_with_no_confidence(value: int) -> None:
    result = estimate([np.full((40, 50), value, np.uint8)] * 7)
    assert result.position.shape == (40, 50)
    assert np.isfinite(result.position).all()
    assert result.confidence.max() == 0


def test_noise_alone_is_not_believed() -> None:
    rng = np.random.default_rng(0)
    stack = [rng.normal(120, 2, (96, 128)).astype(np.uint8) for _ in range(SLICES)]
    assert np.percentile(estimate(stack).confidence, 95) < 0.05


def test_a_patch_without_texture_is_filled_and_marked() -> None:
    sharp, ground_truth = texture(), plane(3, 11)
    sharp[26:70, 40:88] = 110
    result = estimate(render(ground_truth, sharp=sharp))
    patch = np.zeros((HEIGHT, WIDTH), bool)
    patch[44:52, 58:72] = True
    textured = np.ones((HEIGHT, WIDTH), bool)
    textured[18:78, 32:96] = False
    assert np.abs(result.position - ground_truth)[patch].mean() < 1.0
    assert result.confidence[patch].mean() < 0.2
    assert result.confidence[textured].mean() > 0.8


def test_few_slices_with_texture_everywhere_are_believed() -> None:
    axis, ground_truth = np.array([0.0, 3, 6, 9, 12]), plane(3, 9)
    assert np.median(estimate(render(ground_truth, axis), axis).confidence) > 0.5


def test_confidence_sorts_the_errors() -> None:
    ground_truth = np.where(np.arange(WIDTH)[None] < WIDTH // 2, 3.0, 11.0)
    ground_truth = ground_truth.repeat(HEIGHT, axis=0).astype(np.float32)
    sharp = texture()
    sharp[: HEIGHT // 3] = 110
    result = estimate(render(ground_truth, noise=2.0, sharp=sharp))
    error = error_at_coverage(result.position, ground_truth, result.confidence, (1.0, 0.6))
    assert error[0.6] < 0.5 * error[1.0]


@pytest.mark.parametrize('shape', [(16, 16), (17, 33), (33, 101, 3), (50, 63)])
def test_any_size_is_answered_at_that_size(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    result = estimate([rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(5)])
    assert result.position.shape == shape[:2]
    assert np.isfinite(result.position).all()
    assert 0 <= result.confidence.min() <= result.confidence.max() <= 1


def test_sixteen_bits_say_the_same_as_eight() -> None:
    stack = render(plane(3, 11))
    wide = estimate([image.astype(np.uint16) * 257 for image in stack])
    np.testing.assert_allclose(wide.position, estimate(stack).position, atol=1e-3)


@pytest.mark.parametrize(
    ('name', 'mae'), [('relief_1', 0.075), ('relief_3', 0.072), ('relief_5', 0.18)]
)
def test_rendered_reliefs(shared_stacks: Path, name: str, mae: float) -> None:
    folder = shared_stacks / name
    images = [cv2.imread(str(f), 0) for f in sorted(folder.glob('slice_*.jpg'))]
    ground_truth = np.load(folder / 'truth' / 'index.npy')
    result = estimate([np.asarray(image, np.uint8) for image in images])
    assert np.nanmean(np.abs(result.position - ground_truth)) < mae
