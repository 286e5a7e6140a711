"""Depth edges against outlines in the image: moved, kept, and unchanged."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.focus import peak as focus_peak
from sff_ros.core.focus.edges import REACH, sharpen_edges
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.image import FloatMap, Image
from sff_ros.core.optics.rendering import Layer, render, split_layer
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import StackError
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

HEIGHT, WIDTH, SLICES = 96, 128, 15
EDGE = 64  # first column of the surface on the right
FAR, NEAR = 3.0, 11.0
CURVE = 1.2  # half width of a focus curve, slices


def step_at(column: int, left: float = FAR, right: float = NEAR) -> FloatMap:
    """Return (H, W) with one upright step."""
    row = np.where(np.arange(WIDTH) < column, left, right).astype(np.float32)
    return np.repeat(row[None], HEIGHT, axis=0)


def image_of(column: int, left: float, right: float) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH))
    return np.clip(step_at(column, left, right) + noise, 0, 255).astype(np.uint8)


def sharpened(position: FloatMap, image: Image) -> FocusEstimate:
    sure, deviation = np.full_like(position, 0.8), np.full_like(position, 0.1)
    return sharpen_edges(FocusEstimate(position, sure, deviation), image, CURVE)


@pytest.mark.parametrize('shift', [-3, -2, 0, 2, 3])
@pytest.mark.parametrize(('left', 'right'), [(FAR, NEAR), (NEAR, FAR)])
def test_a_step_moves_to_the_outline(shift: int, left: float, right: float) -> None:
    """To a pixel: pixels on the watershed itself are not reassigned."""
    found = sharpened(step_at(EDGE + shift, left, right), image_of(EDGE, 60, 150))
    wrong = found.position != step_at(EDGE, left, right)
    assert wrong.sum() / HEIGHT <= min(abs(shift), 1.1)


def test_nothing_is_left_between_two_surfaces() -> None:
    ramp = step_at(EDGE)
    ramp[:, EDGE - 2 : EDGE + 2] = np.linspace(FAR, NEAR, 6, dtype=np.float32)[1:-1]
    found = sharpened(ramp, image_of(EDGE, 60, 150)).position
    assert set(np.unique(found)) == {FAR, NEAR}


@pytest.mark.parametrize('value', [0, 110, 255])
def test_without_an_outline_a_step_stays(value: int) -> None:
    before = step_at(EDGE)
    found = sharpened(before, np.full((HEIGHT, WIDTH), value, np.uint8))
    np.testing.assert_array_equal(found.position, before)


def test_where_the_outline_is_against_the_map_it_is_trusted_less() -> None:
    """An outline too faint for colour to separate the surfaces."""
    before = step_at(EDGE + 3)
    found = sharpened(before, step_at(EDGE, 110, 113).astype(np.uint8))
    np.testing.assert_array_equal(found.position, before)
    trust = np.median(found.confidence, axis=0) / 0.8
    assert trust[EDGE + 1 : EDGE + 3] == pytest.approx(0.3)
    assert np.delete(trust, np.s_[EDGE : EDGE + 3]) == pytest.approx(1)


@pytest.mark.parametrize('slope', [0.1, 0.5, 1.5])
def test_a_slope_is_no_step(slope: float) -> None:
    """Slices per pixel; the steepest changes as much within 3 x 3 pixels as a step."""
    ramp = np.clip((np.arange(WIDTH) - EDGE) * slope + 40, 0, 80).astype(np.float32)
    before = np.repeat(ramp[None], HEIGHT, axis=0)
    found = sharpened(before, image_of(EDGE, 20, 230))
    inner = np.abs(np.arange(WIDTH) - EDGE) < 40 / slope - 8
    np.testing.assert_array_equal(found.position[:, inner], before[:, inner])
    np.testing.assert_array_equal(found.confidence[:, inner], np.float32(0.8))


def test_only_what_is_beside_a_step_changes() -> None:
    rng = np.random.default_rng(1)
    before = step_at(EDGE + 2) + rng.normal(0, 0.1, (HEIGHT, WIDTH)).astype(np.float32)
    found = sharpened(before, image_of(EDGE, 60, 150))
    away = np.abs(np.arange(WIDTH) - (EDGE + 1.5)) > REACH + 2
    np.testing.assert_array_equal(found.position[:, away], before[:, away])


def test_sixteen_bits_and_colour_say_the_same() -> None:
    before, image = step_at(EDGE + 3), image_of(EDGE, 60, 150)
    plain = sharpened(before, image).position
    wide = image.astype(np.uint16) * 257
    np.testing.assert_array_equal(sharpened(before, wide).position, plain)
    colour = sharpened(before, np.dstack([image] * 3)).position
    np.testing.assert_array_equal(colour, plain)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(StackError, match=r'\(48, 64\) px, the map \(96, 128\)'):
        sharpened(step_at(EDGE), np.zeros((48, 64), np.uint8))


# Two textured planes, the right one nearer, taken by a thin lens.


def texture(seed: int, brightness: float) -> FloatMap:
    noise = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    light = np.clip(brightness + 0.06 * noise, 0.01, 1)
    return np.dstack([light] * 3).astype(np.float32)


@pytest.fixture(scope='module')
def light() -> list[FloatMap]:
    """Return a sweep in grey levels; the blur radius grows by 0.6 px per slice."""
    cover = np.where(step_at(EDGE) == NEAR, np.float32(1), np.float32(0))[..., None]
    behind = np.dstack([texture(1, 0.12), np.ones_like(cover)])
    front = np.dstack([texture(2, 0.35) * cover, cover])
    layers = [
        split_layer(Layer(rgba, np.full((HEIGHT, WIDTH), depth, np.float32)), 1.0)
        for rgba, depth in ((behind, FAR), (front, NEAR))
    ]
    rng = np.random.default_rng(3)
    sweep = []
    for focus in range(SLICES):
        radius = partial(radius_at, focus)
        grey = 255 * np.sqrt(render(layers, (0, 0, WIDTH, HEIGHT), radius)[..., 0])
        sweep.append(grey + rng.normal(0, 1, grey.shape).astype(np.float32))
    return sweep


def radius_at(focus: float, depth: float) -> float:
    return 0.6 * abs(depth - focus)


def estimate(light: list[FloatMap], gain: float = 1.0) -> FocusEstimate:
    slices = tuple(
        Slice(
            np.clip(np.rint(gain * grey), 0, 255).astype(np.uint8), LensState(), i, i, len(light)
        )
        for i, grey in enumerate(light)
    )
    setup = SweepSetup(align='none')  # the camera stands still: edges alone are tested
    return ShapeFromFocus(PeakBackend()).estimate(FocalStack(slices), setup).estimate


def wrong_px(estimate: FocusEstimate) -> float:
    """Return the width of the band more than a slice from ground truth, px."""
    return float((np.abs(estimate.position - step_at(EDGE)) > 1).sum() / HEIGHT)


def between_px(estimate: FocusEstimate) -> float:
    """Return the width of the band of false depth between the two surfaces, px."""
    z = estimate.position
    return float(((z > FAR + 0.7) & (z < NEAR - 0.7)).sum() / HEIGHT)


def test_an_occluding_edge_is_found_where_it_is(
    light: list[FloatMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = estimate(light)
    monkeypatch.setattr(focus_peak, 'sharpen_edges', unchanged)
    before = estimate(light)
    assert wrong_px(before) > 2.0
    assert wrong_px(after) < 0.8
    assert between_px(before) > 1.5
    assert between_px(after) < 0.1
    kept = (after.confidence >= 0.3).mean() / (before.confidence >= 0.3).mean()
    assert kept > 0.98


def unchanged(estimate: FocusEstimate, context: Image, width: float) -> FocusEstimate:
    return estimate


def test_an_edge_is_the_same_in_a_reversed_sweep(light: list[FloatMap]) -> None:
    there, back = estimate(light), estimate(light[::-1])
    differs = np.abs(back.position - (SLICES - 1 - there.position)) > 0.01
    assert differs.sum() / HEIGHT < 0.05


@pytest.mark.parametrize('gain', [0.5, 2.0])
def test_an_edge_is_the_same_at_any_exposure(light: list[FloatMap], gain: float) -> None:
    dim = [np.float32(0.7) * grey for grey in light]
    differs = np.abs(estimate(dim, gain).position - estimate(dim).position) > 1
    assert differs.sum() / HEIGHT < 0.4
