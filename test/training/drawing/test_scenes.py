"""Random scenes: repeatable, filled, ordered, of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sff_ros.core.optics.rendering import Layer
from sff_ros.errors import ConfigError
from sff_ros.training.drawing.ranges import USUAL, Some
from sff_ros.training.drawing.scenes import BEYOND, LAST, draw_scene, flatten, visible
from sff_ros.training.drawing.shapes import SHAPES
from sff_ros.training.drawing.textures import LEAST_SIDE, Textures, fractal_noise

SIZE = 64


def scene(seed: int) -> list[Layer]:
    return draw_scene(np.random.default_rng(seed), Textures(), SIZE)


def test_the_same_seed_draws_the_same_scene() -> None:
    first, again, other = (visible(scene(seed), SIZE) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize('seed', range(12))
def test_scenes_fill_the_image_inside_the_sweep_and_a_little_beyond(seed: int) -> None:
    layers = scene(seed)
    colour, place = visible(layers, SIZE)
    np.testing.assert_allclose(colour[..., 3], 1, atol=1e-5)
    assert place.min() >= -BEYOND
    assert place.max() <= LAST + BEYOND
    for layer in layers:
        assert layer.rgba.shape[:2] == layer.dioptres.shape
        assert (layer.rgba[..., 3] <= 1 + 1e-6).all()
        assert layer.x >= 0 <= layer.y


def test_calm_surfaces_differ_more_in_colour_than_within() -> None:
    within: dict[float, float] = {}
    for contrast in (0.1, 0.8):
        calm = replace(USUAL, calm=Some(1, contrast, 1.001 * contrast))
        rng = np.random.default_rng(5)
        surfaces = [
            layer.rgba[..., :3][layer.rgba[..., 3] == 1]
            for _ in range(10)
            for layer in draw_scene(rng, Textures(), SIZE, calm)
            if (layer.rgba[..., 3] == 1).any()
        ]
        between = np.std([surface.mean(axis=0) for surface in surfaces])
        within[contrast] = float(np.median([surface.std(axis=0).mean() for surface in surfaces]))
        assert between > 2 * within[contrast]
    assert within[0.1] < 0.25 * within[0.8]


def test_scenes_differ_in_depth_and_some_leave_the_sweep() -> None:
    places = [visible(scene(seed), SIZE)[1] for seed in range(40)]
    beyond = [place.min() < 0 or place.max() > LAST for place in places]
    assert 2 <= sum(beyond) <= 20
    assert np.std([place.mean() for place in places]) > 1


@pytest.mark.parametrize('shape', SHAPES)
def test_outlines_are_soft_and_within_0_and_1(shape: object) -> None:
    assert callable(shape)
    masks = [shape(np.random.default_rng(seed), SIZE) for seed in range(20)]
    values = np.stack(masks)
    assert values.min() >= 0
    assert values.max() == pytest.approx(1)
    assert ((values > 0.02) & (values < 0.98)).any()


def test_flattening_keeps_what_is_seen() -> None:
    layers = scene(5)
    colour, place = visible(layers, SIZE)
    flat_colour, flat_place = visible(flatten(layers, SIZE), SIZE)
    np.testing.assert_allclose(flat_colour, colour, atol=1e-6)
    np.testing.assert_allclose(flat_place, place, atol=0.11)


def test_noise_is_rougher_the_smaller_its_exponent() -> None:
    rough, smooth = (fractal_noise(np.random.default_rng(0), 64, 64, e) for e in (0.5, 2.5))
    assert rough.min() == smooth.min() == 0
    assert np.abs(np.diff(rough)).mean() > 5 * np.abs(np.diff(smooth)).mean()


def test_photographs_appear_on_surfaces(tmp_path: Path) -> None:
    red = np.zeros((LEAST_SIDE, LEAST_SIDE, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / 'red.png'), red)
    textures = Textures((tmp_path,))
    rng = np.random.default_rng(0)
    pure = 0
    for _ in range(60):
        image = textures.draw(rng, 32, 24)
        assert image.shape == (32, 24, 3)
        assert image.min() >= 0
        assert image.max() <= 1
        pure += bool((np.ptp(image, axis=(0, 1)) < 1e-6).all() and image.max() > 0.2)
    assert 20 <= pure <= 45


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'textures: .* has no image of at least 96 px'):
        Textures((tmp_path,))
