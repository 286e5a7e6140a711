"""The fast renderer compared with the exact one of core."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.optics.rendering import Layer, render, split_layer
from sff_ros.training.drawing.render import FINE_PX, GROWTH, _radius, _radius_index, render_sweep
from sff_ros.training.drawing.scenes import draw_scene
from sff_ros.training.drawing.textures import Textures

SIZE = 96


@pytest.mark.parametrize('blur_px', [0.3, 1.0, 3.0])
@pytest.mark.parametrize('seed', [1, 2])
def test_it_agrees_with_the_exact_renderer(blur_px: float, seed: int) -> None:
    layers = draw_scene(np.random.default_rng(seed), Textures(), SIZE)
    places = (0.0, 5.0, 14.0)
    quick = render_sweep(layers, places, blur_px, SIZE)
    split = [split_layer(layer, 0.25 / blur_px) for layer in layers]
    for place, image in zip(places, quick, strict=True):
        exact = render(split, (0, 0, SIZE, SIZE), lambda u, p=place: blur_px * abs(u - p))  # type: ignore[misc]
        inside = np.s_[24:-24, 24:-24]  # without the unknown area beyond the border
        error = np.abs(np.clip(image, 0, 1) - np.clip(exact, 0, 1))[inside]
        assert error.mean() < 0.012
        assert np.quantile(error, 0.99) < 0.12


def test_a_plane_in_focus_stays_sharp() -> None:
    noise = np.random.default_rng(0).random((SIZE, SIZE, 3)).astype(np.float32)
    rgba = np.dstack([noise, np.ones((SIZE, SIZE), np.float32)])
    layers = [Layer(rgba, np.full((SIZE, SIZE), 4.0, np.float32))]
    sweep = render_sweep(layers, [2.0, 4.0, 6.0], 1.0, SIZE, sigma_px=0.35)
    contrast = sweep[:, 8:-8, 8:-8].std(axis=(1, 2, 3))
    assert contrast[1] > 2 * contrast[0]
    assert contrast[0] == pytest.approx(contrast[2], rel=1e-4)


@pytest.mark.parametrize('radius', [0.0, 0.1, 0.7, 2.0, 9.0, 56.0])
def test_radii_are_kept_to_half_a_step(radius: float) -> None:
    half_step = (FINE_PX + GROWTH * radius) / 2
    assert _radius(_radius_index(radius)) == pytest.approx(radius, abs=1.03 * half_step)


def test_blur_spreads_light_evenly_wherever_it_is_computed_coarsely() -> None:
    spot = np.zeros((SIZE, SIZE, 4), np.float32)
    spot[..., 3] = 1
    spot[46:50, 46:50, :3] = 1
    layers = [Layer(spot, np.zeros((SIZE, SIZE), np.float32))]
    for radius in (3.0, 7.0, 14.0):
        image = render_sweep(layers, [radius], 1.0, SIZE)[0, ..., 0]
        assert image.sum() == pytest.approx(16, rel=0.05)
        y, x = np.nonzero(image > image.max() / 2)
        assert np.ptp(y) == pytest.approx(2 * radius, abs=4)
        assert (y.mean(), x.mean()) == pytest.approx((47.5, 47.5), abs=0.6)
