"""Path-traced sweeps against Mitsuba's own thin lens, and against the thin-lens formula."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip('mitsuba', reason='mitsuba is not installed: see requirements/traced.txt')
from traced_scene import mitsuba_or_skip

from sff_ros.core.image import FloatMap
from sff_ros.training.drawing.scenes import LAST
from sff_ros.training.drawing.textures import Textures
from sff_ros.training.traced.light_field import lens_of, trace_illumination, trace_sweep
from sff_ros.training.traced.lobes import PATH
from sff_ros.training.traced.materials import Materials
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.rendering import render_scene
from sff_ros.training.traced.solids import plane, solid
from sff_ros.training.traced.surfaces import trace_surfaces
from sff_ros.training.traced.view import View

SIZE, SLICES = 64, 8
FOCAL_PX, RADIUS = 96.0, 0.06


@pytest.fixture(scope='module')
def view() -> View:
    mitsuba_or_skip()
    return View(SIZE, FOCAL_PX, RADIUS, np.linspace(1.0, 3.0, SLICES), 0.5)


@pytest.fixture(scope='module')
def scene(view: View) -> Any:
    rng = np.random.default_rng(4)
    materials = Materials(rng, Textures())
    parts = [plane(view, (1.0, 3.0, 6.0), materials.matt(SIZE))]
    for kind, x, place in ((materials.glossy, 18, 9.0), (materials.metal, 46, 12.0)):
        parts += solid(rng, view.point(x, 30, place), view.length(12, place), kind(30))
    sky = {'type': 'constant', 'radiance': 0.7}
    window = {
        'type': 'sphere', 'center': [0.6, 0.5, -0.4], 'radius': 0.2,
        'emitter': {'type': 'area', 'radiance': 8.0},
    }  # fmt: skip
    named = {f'part_{k}': part for k, part in enumerate(parts)}
    return mitsuba().load_dict({'type': 'scene', **named, 'sky': sky, 'window': window})


def test_slices_are_those_of_a_thin_lens(view: View, scene: Any) -> None:
    mi = mitsuba()
    light = trace_illumination(scene, view, 64, 1)
    sweep, leftover = trace_sweep(scene, view, light, 128, 1)
    path = mi.load_dict({**PATH, 'hide_emitters': False})
    assert np.median(leftover) < 0.02 * sweep.mean()
    for k in (0, SLICES // 2, SLICES - 1):
        lens = mi.load_dict(lens_of(view, float(view.focus[k]), SIZE))
        image = np.array(mi.render(scene, sensor=lens, integrator=path, spp=256, seed=5))
        ours, theirs = (cv2.GaussianBlur(i, (0, 0), 1.5) for i in (sweep[k], image))
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.02)
        error = np.abs(ours - theirs).mean(axis=2)[4:-4, 4:-4]
        assert np.median(error) < 0.02 * theirs.mean()
        for shift in ((1, 0), (0, 1)):  # a pixel off, or mirrored, would show
            moved = np.abs(np.roll(ours, shift, (0, 1)) - theirs).mean(axis=2)[4:-4, 4:-4]
            assert moved.mean() > 1.2 * error.mean()


def test_blur_grows_as_the_thin_lens_formula_says(view: View) -> None:
    # A small lamp at position 5: the spread of its image is that of a disc of radius r, of the
    # lamp and of the point spread.
    mi, place, lamp_px = mitsuba(), 5.0, 0.6
    lamp = {
        'type': 'sphere', 'center': view.point(SIZE / 2, SIZE / 2, place).tolist(),
        'radius': view.length(lamp_px, place),
        'emitter': {'type': 'area', 'radiance': 20.0},
    }  # fmt: skip
    wall = plane(view, (0.0, 0.0, 0.0), {'type': 'diffuse', 'reflectance': 0.0})
    scene = mi.load_dict({'type': 'scene', 'lamp': lamp, 'wall': wall})
    sweep, _ = trace_sweep(scene, view, trace_illumination(scene, view, 16, 1), 1024, 1)
    for image, p in zip(sweep, np.linspace(0, LAST, SLICES).tolist(), strict=True):
        radius = view.blur_px * abs(p - place)
        expected = radius**2 / 4 + lamp_px**2 / 4 + view.sigma_px**2
        assert _variance(image) == pytest.approx(expected, rel=0.05, abs=0.03)
    # Few rays meet the lamp, but its disc has no speckles.
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    disc = sweep[-1].mean(axis=2)[np.hypot(x, y) < view.blur_px * (LAST - place) - 2.5]
    assert disc.std() < 0.2 * disc.mean()


def _variance(image: FloatMap) -> float:
    """Return the variance of a spot along one axis, px^2, mean of both."""
    weights = image.mean(axis=2).astype(np.float64)
    weights /= weights.sum()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    means = [(weights * axis).sum() for axis in (x, y)]
    parts = [(weights * (a - m) ** 2).sum() for a, m in zip((x, y), means, strict=True)]
    return float(np.mean(parts))


def test_surfaces_add_up_and_lie_where_they_were_put(view: View, scene: Any) -> None:
    mi = mitsuba()
    light = trace_illumination(scene, view, 64, 2)
    seen = trace_surfaces(scene, view, light, 2)
    # The plane is at 1, 3 and 6 in three corners; positions on it are linear in the image.
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    expected = 1 + 2 * x + 5 * y
    on_plane = np.abs(seen.place - expected) < 0.01
    assert on_plane.mean() > 0.5
    assert (seen.place[~on_plane] > expected[~on_plane]).all()
    assert not seen.lamps.any()
    assert (seen.reflected[on_plane].mean(axis=1) < 0.02).mean() > 0.8
    assert seen.reflected[~on_plane].mean() > 0.05
    narrow = View(SIZE, FOCAL_PX, 1e-5, view.focus, view.sigma_px)
    pinhole = mi.load_dict(lens_of(narrow, 2.0, SIZE))
    path = mi.load_dict({**PATH, 'hide_emitters': False})
    image = np.array(mi.render(scene, sensor=pinhole, integrator=path, spp=256, seed=6))
    for where in (on_plane, ~on_plane):
        ours = (seen.own + seen.reflected)[where].mean()
        assert ours == pytest.approx(image[where].mean(), rel=0.02)


@pytest.mark.slow
def test_a_scene_is_the_same_again(view: View) -> None:
    one, two = (render_scene(3, 1, Textures(), 48, 16) for _ in range(2))
    assert one.sweep.shape[1:] == (48, 48, 3)
    np.testing.assert_allclose(one.sweep, two.sweep, atol=1e-3)
    np.testing.assert_array_equal(one.place, two.place)
    assert np.isfinite(one.place).all()
