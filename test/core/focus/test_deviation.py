"""Calibrated standard deviations: units, monotony, quadrature."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.focus.deviation import (
    NETWORK,
    PEAK,
    SPARSE,
    Calibration,
    between_slices,
    in_dioptres,
    in_slices,
)
from sff_ros.core.focus.estimate import local_step

POSITION = np.array([[0.0, 0.5, 1.5, 2.0]], np.float32)
PLACES = np.array([0.0, 2.0, 14.0])


@pytest.mark.parametrize('calibration', [NETWORK, PEAK])
def test_the_more_spread_the_more_deviation(calibration: Calibration) -> None:
    spread = np.geomspace(np.exp(-5), np.exp(3), 50, dtype=np.float32)[None]
    deviation = calibration.apply(spread)
    assert deviation.dtype == np.float32
    assert (np.diff(deviation) > 0).all()
    assert deviation.min() > 0


def test_the_floor_is_added_in_quadrature() -> None:
    deviation = Calibration(2.0, 0.8).apply(np.array([[0.0, 0.3, 100.0]], np.float32))
    np.testing.assert_allclose(deviation, [[0.8, 1.0, 200.0016]], rtol=1e-6)


def test_between_sparse_slices_the_scale_is_wider() -> None:
    scale = np.full((1, 4), 0.3, np.float32)
    places = np.array([0.0, 1.0, 2.0, 5.0])
    position = np.array([[0.2, 1.9, 2.1, 3.0]], np.float32)
    found = between_slices(scale, local_step(position, places))
    wide = np.hypot(0.3, SPARSE * 8)
    np.testing.assert_allclose(found, [[0.3, 0.3, wide, wide]], rtol=1e-6)
    assert found.dtype == np.float32
    dense = between_slices(scale, local_step(position, np.linspace(0, 14, 60)))
    np.testing.assert_array_equal(dense, scale)


def test_canonical_positions_become_slices_by_the_spacing_around() -> None:
    found = in_slices(np.full((1, 4), 0.6, np.float32), local_step(POSITION, PLACES))
    np.testing.assert_allclose(found, [[0.3, 0.3, 0.05, 0.05]], rtol=1e-6)


@pytest.mark.parametrize('order', [1, -1])
def test_slices_become_dioptres_by_the_step_around(order: int) -> None:
    focus_dpt = np.array([1.0, 1.5, 4.5])[::order]
    steps = [0.5, 0.5, 3.0, 3.0] if order == 1 else [3.0, 3.0, 0.5, 0.5]
    found = in_dioptres(np.full((1, 4), 0.2, np.float32), POSITION, focus_dpt, 0.0)
    np.testing.assert_allclose(found, [[0.2 * step for step in steps]], rtol=1e-6)
    assert found.dtype == np.float32


def test_the_residual_of_the_lens_is_added_in_quadrature() -> None:
    focus_dpt = np.array([1.0, 2.0, 3.0])
    found = in_dioptres(np.full((1, 4), 0.03, np.float32), POSITION, focus_dpt, 0.04)
    np.testing.assert_allclose(found, 0.05, rtol=1e-6)


def test_a_scale_gives_the_same_dioptres_at_any_spacing() -> None:
    """Canonical positions are even in dioptres, so that slices between must not matter."""
    scale = np.full((1, 4), 0.7, np.float32)
    focus_dpt = 0.5 + PLACES / 7
    found = in_dioptres(in_slices(scale, local_step(POSITION, PLACES)), POSITION, focus_dpt, 0.0)
    np.testing.assert_allclose(found, 0.1, rtol=1e-6)
