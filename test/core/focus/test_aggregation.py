"""The dense map: planes kept, edges kept, holes filled, noise averaged."""

from __future__ import annotations

import numpy as np

from sff_ros.core.focus.aggregation import aggregate

H, W = 60, 80
RAMP = np.repeat(np.linspace(2, 12, W, dtype=np.float32)[None], H, axis=0)
STEP = np.where(np.arange(W)[None] < W // 2, 3.0, 10.0).repeat(H, 0).astype(np.float32)


def known(value: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((H, W), value, np.float32)


def test_a_plane_stays_a_plane() -> None:
    np.testing.assert_allclose(aggregate(RAMP, known(10.0)).position, RAMP, atol=0.03)


def test_noise_is_averaged() -> None:
    noisy = RAMP + np.random.default_rng(0).normal(0, 0.5, (H, W)).astype(np.float32)
    error = aggregate(noisy, known(4.0)).position - RAMP
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_a_step_stays_sharp() -> None:
    noisy = STEP + np.random.default_rng(1).normal(0, 0.2, (H, W)).astype(np.float32)
    error = np.abs(aggregate(noisy, known(25.0)).position - STEP)
    assert error.max() < 1.5
    assert error[:, W // 2 - 1 : W // 2 + 1].mean() < 0.4


def test_a_hole_takes_the_plane_around_it() -> None:
    information, position = known(20.0), RAMP.copy()
    information[20:40, 30:50], position[20:40, 30:50] = 0, 0
    error = np.abs(aggregate(position, information).position - RAMP)
    assert error[20:40, 30:50].max() < 0.6


def test_without_information_the_answer_is_finite() -> None:
    result = aggregate(RAMP, known(0.0))
    assert np.isfinite(result.position).all()
    assert result.information.max() == 0
