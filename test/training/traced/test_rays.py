"""What becomes of rays, without Mitsuba: blur of a thin lens, highlights, illumination."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sff_ros.core.image import FloatMap, Floats
from sff_ros.training.drawing.scenes import LAST
from sff_ros.training.traced.illumination import Illumination
from sff_ros.training.traced.light_field import _images
from sff_ros.training.traced.view import View, draw_view

SIZE, SLICES, COUNT = 64, 15, 20_000
VIEW = View(SIZE, 96.0, 0.06, np.linspace(1.0, 3.0, SLICES), 0.5)


def seen(place: float, bright: float) -> Floats:
    """Return (S, SIZE, SIZE, 4) what a point in the middle becomes, before a dark wall at 0."""
    rng = np.random.default_rng(1)
    lens = _on_lens(rng, COUNT)
    point = np.broadcast_to(VIEW.point(SIZE / 2, SIZE / 2, place), lens.shape)
    pixels = rng.uniform(0, SIZE, (COUNT, 2)).tolist()
    wall = np.stack([VIEW.point(x, y, 0.0) for x, y in pixels])
    origin = np.concatenate([lens, _on_lens(rng, COUNT)])
    goal = np.concatenate([point, wall])
    light = np.zeros(goal.shape, np.float32)
    light[:COUNT] = bright
    rays = SimpleNamespace(o=origin.T, d=(goal - origin).T)
    return _images(VIEW, rng, rays, light, goal.astype(np.float32))


@pytest.mark.parametrize('place', [0.0, 5.0, 12.0])
def test_a_point_becomes_a_disc_that_grows_with_the_distance_from_focus(place: float) -> None:
    images = seen(place, 1.0)[..., 0]
    found = [_variance(image) for image in images]
    assert int(np.argmin(found)) == place
    for k in range(SLICES):
        radius = VIEW.blur_px * abs(k - place)
        if radius < SIZE / 2 - 3:
            assert found[k] == pytest.approx(radius**2 / 4 + VIEW.sigma_px**2, rel=0.03, abs=0.04)


def test_divided_rays_keep_their_light_and_their_disc() -> None:
    place = 4.0
    plain, divided = seen(place, 0.0), seen(place, 30.0)
    for k in range(SLICES):
        # A ray counts as one, in however many parts, and no part gets lost.
        assert divided[k, ..., 0].sum() == pytest.approx(30.0 * COUNT, rel=1e-4)
        assert divided[k, ..., 3].sum() == pytest.approx(plain[k, ..., 3].sum(), rel=1e-3)
        radius = VIEW.blur_px * abs(k - place)
        expected = radius**2 / 4 + VIEW.sigma_px**2
        assert _variance(divided[k, ..., 0]) == pytest.approx(expected, rel=0.03, abs=0.04)


def test_illumination_is_even_where_it_is_and_has_edges_where_it_has() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.uniform(0, SIZE, (400_000, 2))
    slopes = (SIZE / 2 - pixels) / VIEW.focal_px
    points = (np.column_stack([slopes, np.ones(len(slopes))]) * VIEW.distance(6.5)).astype('f4')
    normals = np.tile(np.array([0, 0, -1], np.float32), (len(points), 1))
    expected = np.where(pixels[:, 0] < 30, 0.5, 1.0)  # a shadow
    light = Illumination(VIEW)
    noise = rng.exponential(1.0, (len(points), 3))
    light.add(points, normals, (expected[:, None] * noise).astype(np.float32))
    back = light.at(rng, points, normals).mean(axis=1)
    for x, value in ((12, 0.5), (50, 1.0)):
        near = np.abs(pixels[:, 0] - x) < 8
        assert back[near].mean() == pytest.approx(value, rel=0.02)
        assert back[near].std() < 0.04 * value
    assert back[np.abs(pixels[:, 0] - 24) < 1].mean() == pytest.approx(0.5, rel=0.06)
    assert back[np.abs(pixels[:, 0] - 36) < 1].mean() == pytest.approx(1.0, rel=0.06)


def test_places_and_points_of_a_view_are_inverse() -> None:
    from sff_ros.training.traced.rendering import RANGES

    for seed in range(20):
        view = draw_view(np.random.default_rng(seed), RANGES, SIZE, SLICES)
        assert RANGES.blur_px[0] <= view.blur_px * 1.001
        assert view.blur_px <= RANGES.blur_px[1] * 1.001
        for place in (0.0, 3.3, LAST):
            z = view.point(10.0, 50.0, place)[2]
            assert float(view.place(z)) == pytest.approx(place, abs=1e-6)


def _on_lens(rng: np.random.Generator, count: int) -> Floats:
    r, angle = VIEW.radius * np.sqrt(rng.random(count)), 2 * np.pi * rng.random(count)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle), np.zeros(count)])


def _variance(image: FloatMap | Floats) -> float:
    """Return the variance of a spot along one axis, px^2, mean of both."""
    weights = image / image.sum()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5 - SIZE / 2
    return float((weights * (x**2 + y**2)).sum() / 2)
