from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.depth.filters import TemporalFilter, remove_speckles
from sff_ros.core.image import FloatMap

NAN, INF = float('nan'), float('inf')


def scene(seed: int = 0) -> FloatMap:
    """Return a map of every kind of value."""
    rng = np.random.default_rng(seed)
    dioptres = rng.uniform(0, 12, (40, 50)).astype(np.float32)
    dioptres[rng.random((40, 50)) < 0.1] = NAN
    dioptres[0, :5], dioptres[1, :5] = INF, -INF
    return dioptres


def patch(pixels: int, value: float, background: float = 1.0) -> FloatMap:
    """Return an even map with one patch of so many pixels, three a row."""
    dioptres = np.full((20, 30), background, np.float32)
    for i in range(pixels):
        dioptres[5 + i // 3, 7 + i % 3] = value
    return dioptres


def test_speckle_filter_off_is_identity() -> None:
    dioptres = scene()
    assert remove_speckles(dioptres, 0, 0.1) is dioptres


@pytest.mark.parametrize('size_px', [1, 2, 5, 12])
@pytest.mark.parametrize('more', [-1, 0, 1])
def test_patches_of_fewer_pixels_are_removed(size_px: int, more: int) -> None:
    pixels = size_px + more
    dioptres = patch(pixels, 2.0)
    expected = dioptres.copy()
    if more < 0:
        expected[dioptres == 2.0] = NAN
    result = remove_speckles(dioptres, size_px, 0.1)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float32


@pytest.mark.parametrize(
    ('difference', 'removed'), [(0.09, False), (-0.09, False), (0.11, True), (-0.11, True)]
)
def test_step_separates_patches(difference: float, removed: bool) -> None:
    dioptres = patch(4, 1.0 + difference)
    result = remove_speckles(dioptres, 5, 0.1)
    assert np.count_nonzero(np.isnan(result)) == (4 if removed else 0)


def test_a_slope_is_one_patch_however_high() -> None:
    slope = np.tile(np.linspace(0, 20, 400, dtype=np.float32), (4, 1))
    np.testing.assert_array_equal(remove_speckles(slope, 1000, 0.1), slope)


def test_diagonal_neighbours_do_not_connect() -> None:
    dioptres = patch(0, 0.0)
    dioptres[[4, 5, 6], [4, 5, 6]] = 3.0
    assert np.isnan(remove_speckles(dioptres, 2, 0.1)).sum() == 3


def test_unknown_and_beyond_are_kept_and_join_nothing() -> None:
    dioptres = np.full((20, 30), INF, np.float32)
    dioptres[:10] = -INF
    dioptres[8:12, 3:20] = NAN
    dioptres[15, 4:8] = 2.0
    expected = dioptres.copy()
    expected[15, 4:8] = NAN
    np.testing.assert_array_equal(remove_speckles(dioptres, 5, 10.0), expected)
    np.testing.assert_array_equal(remove_speckles(dioptres, 4, 10.0), dioptres)


@pytest.mark.parametrize('value', [0.0, 29.5, 31.9, 100.0])
def test_macro_distances_are_kept(value: float) -> None:
    dioptres = np.full((20, 30), value, np.float32)
    np.testing.assert_array_equal(remove_speckles(dioptres, 50, 0.1), dioptres)


def test_speckles_in_a_transposed_view() -> None:
    dioptres = patch(4, 2.0).T
    expected = np.where(dioptres == 2.0, np.float32(NAN), dioptres)
    np.testing.assert_array_equal(remove_speckles(dioptres, 5, 0.1), expected)


def test_speckle_filter_leaves_its_input_alone() -> None:
    dioptres = patch(4, 2.0)
    remove_speckles(dioptres, 100, 0.1)
    np.testing.assert_array_equal(dioptres, patch(4, 2.0))


def run(filter_: TemporalFilter, *values: float, weight: float = 0.75) -> list[float]:
    """Feed one pixel over sweeps; return the last answer of each."""
    maps = [np.full((2, 2), value, np.float32) for value in values]
    return [float(filter_.apply(m, weight, 0.1)[1, 0]) for m in maps]


def test_temporal_filter_off_is_identity_and_forgets() -> None:
    filter_ = TemporalFilter()
    dioptres = scene()
    assert filter_.apply(dioptres, 0.0, 0.1) is dioptres
    run(filter_, 1.0)
    filter_.apply(np.ones((2, 2), np.float32), 0.0, 0.1)
    assert run(filter_, 1.05) == pytest.approx([1.05])


def test_first_map_passes() -> None:
    dioptres = scene()
    result = TemporalFilter().apply(dioptres, 0.9, 0.1)
    np.testing.assert_array_equal(result, dioptres)


def test_running_mean_values() -> None:
    assert run(TemporalFilter(), 1.0, 1.08, 1.0) == pytest.approx([1.0, 1.02, 1.015], rel=1e-6)


def test_motion_starts_a_new_mean() -> None:
    assert run(TemporalFilter(), 1.0, 1.2, 1.24, 0.9) == pytest.approx(
        [1.0, 1.2, 1.21, 0.9], rel=1e-6
    )


@pytest.mark.parametrize('gap', [NAN, INF, -INF])
def test_the_past_never_fills_a_gap(gap: float) -> None:
    values = run(TemporalFilter(), 1.0, gap, 1.04)
    assert values == pytest.approx([1.0, gap, 1.04], rel=1e-6, nan_ok=True)


def test_noise_shrinks_as_expected_in_theory() -> None:
    """A running mean of weight w keeps (1 - w) / (1 + w) of the variance."""
    rng = np.random.default_rng(5)
    filter_ = TemporalFilter()
    for _ in range(40):
        noisy = (2 + rng.normal(0, 0.01, (100, 100))).astype(np.float32)
        mean = filter_.apply(noisy, 0.8, 1.0)
    assert mean.std() == pytest.approx(0.01 * np.sqrt(0.2 / 1.8), rel=0.05)
    assert mean.mean() == pytest.approx(2.0, abs=2e-4)
    assert mean.dtype == np.float32


def test_pixels_are_judged_one_by_one() -> None:
    filter_ = TemporalFilter()
    filter_.apply(np.array([[1.0, 1.0, NAN, 1.0]], np.float32), 0.5, 0.1)
    result = filter_.apply(np.array([[1.04, 5.0, 2.0, NAN]], np.float32), 0.5, 0.1)
    np.testing.assert_allclose(result, [[1.02, 5.0, 2.0, NAN]], rtol=1e-6)


def test_reset_and_change_of_size_forget() -> None:
    filter_ = TemporalFilter()
    run(filter_, 1.0)
    filter_.reset()
    assert run(filter_, 1.05) == pytest.approx([1.05])
    other = np.full((3, 2), 1.09, np.float32)
    np.testing.assert_array_equal(filter_.apply(other, 0.75, 0.1), other)


def test_what_was_handed_out_does_not_change_what_is_remembered() -> None:
    filter_ = TemporalFilter()
    given = np.ones((2, 2), np.float32)
    filter_.apply(given, 0.5, 0.1)[...] = 1.05
    given[...] = 1.05
    assert run(filter_, 1.0, weight=0.5) == [1.0]
