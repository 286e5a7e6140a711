"""A path-traced sweep against that of the package's own renderer: focus, blur and occlusion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

pytest.importorskip('mitsuba', reason='mitsuba is not installed: see requirements/traced.txt')
from traced_scene import mitsuba_or_skip

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer, render, split_layer
from sff_ros.training.drawing.scenes import LAST
from sff_ros.training.traced.light_field import PIXEL_SIGMA, trace_illumination, trace_sweep
from sff_ros.training.traced.materials import texture
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.solids import frame
from sff_ros.training.traced.surfaces import trace_surfaces
from sff_ros.training.traced.view import View

SIZE, SLICES, SIGMA_PX = 96, 15, 0.7
WALL, CARD = 4.0, 10.0  # positions
EDGE = SIZE // 2  # column where the card begins
INSIDE = np.s_[16:-16]  # blur reaches no farther into the image from its border
LEFT, RIGHT = np.s_[INSIDE, 16 : EDGE - 8], np.s_[INSIDE, EDGE + 8 : -16]
SEAM = np.s_[INSIDE, EDGE - 8 : EDGE + 8]


class Sweeps(NamedTuple):
    """The same scene traced with two seeds, drawn by the package, and its positions."""

    one: FloatMap
    two: FloatMap
    drawn: FloatMap
    place: FloatMap


@pytest.fixture(scope='module')
def view() -> View:
    mitsuba_or_skip()
    return View(SIZE, 150.0, 0.04, np.linspace(1.0, 3.0, SLICES), SIGMA_PX)


@pytest.fixture(scope='module')
def sweeps(view: View) -> Sweeps:
    """Return a card in front of a wall, traced twice and drawn."""
    rng = np.random.default_rng(7)
    wall = _screen(rng, view, EDGE, SIZE, WALL)
    card = _screen(rng, view, EDGE + SIZE, SIZE, CARD)
    behind, _ = _surfaces(view, {'wall': wall})
    front, place = _surfaces(view, {'wall': wall, 'card': card})
    scene = mitsuba().load_dict({'type': 'scene', 'wall': wall, 'card': card})
    light = trace_illumination(scene, view, 16, 1)
    one, two = (trace_sweep(scene, view, light, 128, seed)[0] for seed in (1, 1000))
    alpha = (place > (WALL + CARD) / 2).astype(np.float32)[..., None]
    layers = [
        split_layer(Layer(np.dstack([colour, cover]), np.full_like(place, at)), 1.0)
        for colour, cover, at in (
            (behind, np.ones_like(alpha), WALL),
            (front * alpha, alpha, CARD),
        )
    ]
    sigma_px = math.sqrt(SIGMA_PX**2 - PIXEL_SIGMA**2)  # the layers are of whole pixels already
    drawn = np.stack(
        [
            render(layers, (0, 0, SIZE, SIZE), _radius_at(view, focus), sigma_px)
            for focus in np.linspace(0, LAST, SLICES).tolist()
        ]
    )
    return Sweeps(one, two, drawn, place)


def test_surfaces_are_where_they_were_put(sweeps: Sweeps) -> None:
    np.testing.assert_allclose(sweeps.place[:, :EDGE], WALL, atol=1e-3)
    np.testing.assert_allclose(sweeps.place[:, EDGE:], CARD, atol=1e-3)


@pytest.mark.parametrize(('where', 'expected'), [(LEFT, WALL), (RIGHT, CARD)])
def test_a_plane_is_sharpest_at_its_position(sweeps: Sweeps, where: Any, expected: float) -> None:
    ours = np.array(
        [_energy(a[where], b[where]) for a, b in zip(sweeps.one, sweeps.two, strict=True)]
    )
    theirs = np.array([_energy(image[where], image[where]) for image in sweeps.drawn])
    peak = int(ours.argmax())
    assert peak == expected
    below, at, above = np.log(ours[peak - 1 : peak + 2])
    assert (below - above) / (2 * (below - 2 * at + above)) == pytest.approx(0, abs=0.05)
    near = np.abs(np.arange(SLICES) - peak) <= 3
    np.testing.assert_allclose(ours[near], theirs[near], rtol=0.04)  # as wide: blur_px is right


def test_blur_and_occlusion_are_those_of_the_package(sweeps: Sweeps) -> None:
    traced = (sweeps.one + sweeps.two) / 2
    for where, most in ((LEFT, 0.01), (RIGHT, 0.01), (SEAM, 0.02)):
        for ours, theirs in zip(traced, sweeps.drawn, strict=True):
            assert np.abs(ours[where] - theirs[where]).mean() < most


def _screen(
    rng: np.random.Generator, view: View, x_px: float, half_px: float, place: float
) -> Any:
    """Return a square that shines with a texture, towards the camera, and is lit by nothing."""
    half = view.length(half_px, place)
    image = cv2.GaussianBlur(rng.random((256, 256, 3), np.float32), (0, 0), 2.0)
    image = np.clip(0.5 + 4 * (image - 0.5), 0, 0.95)
    return {
        'type': 'rectangle',
        'to_world': frame(
            np.diag([-1.0, 1.0, -1.0]),
            np.array([half, half, 1]),
            view.point(x_px, view.size / 2, place),
        ),
        'bsdf': {'type': 'diffuse', 'reflectance': 0.0},
        'emitter': {'type': 'area', 'radiance': texture(image)},
    }


def _surfaces(view: View, shapes: dict[str, Any]) -> tuple[FloatMap, FloatMap]:
    """Return light in focus, and positions."""
    scene = mitsuba().load_dict({'type': 'scene', **shapes})
    seen = trace_surfaces(scene, view, trace_illumination(scene, view, 16, 1), 1)
    return seen.own, seen.place


def _radius_at(view: View, focus: float) -> Callable[[float], float]:
    return lambda place: view.blur_px * abs(place - focus)


def _energy(one: FloatMap, two: FloatMap) -> float:
    """Return the mean squared step between neighbours, free of the noise of either image."""
    steps = (np.diff(one, axis=axis) * np.diff(two, axis=axis) for axis in (0, 1))
    return sum(float(step.mean()) for step in steps)
