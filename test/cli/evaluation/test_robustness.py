"""The scenes and scores of the robustness suite, by numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sff_ros.cli.evaluation.drawn_scene import (
    BLUR_PX,
    EVEN,
    DrawnScene,
    Frame,
    away,
    depth_edges,
    exposed,
    position_of,
    seen,
    take,
)
from sff_ros.cli.evaluation.drawn_surfaces import BEYOND, disc, plain, surface
from sff_ros.cli.evaluation.moving_scenes import jump, knocked_camera
from sff_ros.cli.evaluation.robustness import Comparison, compare, joined
from sff_ros.cli.evaluation.robustness_scenes import REFERENCE, SCENES, textured
from sff_ros.cli.evaluation.robustness_scores import (
    ALL,
    DECILES,
    deciles,
    edge_bins,
    score_row,
    score_suite,
)
from sff_ros.core.focus.estimate import FocusEstimate

FRAME = Frame(160, 120, 0)


@pytest.fixture(scope='module')
def drawn() -> dict[str, DrawnScene]:
    return {name: draw(FRAME) for name, draw in SCENES.items()}


def test_every_scene_is_a_stack_with_ground_truth(drawn: dict[str, DrawnScene]) -> None:
    for name, scene in drawn.items():
        count = {'3 slices': 3, '4 slices': 4}.get(name, 15)
        assert len(scene.images) == count, name
        assert {(i.shape, i.dtype) for i in scene.images} == {((120, 160, 3), np.dtype('u1'))}, (
            name
        )
        assert scene.position.shape == scene.judged.shape == scene.knowable.shape == (120, 160)
        assert scene.judged.mean() > 0.02, name
        known = scene.position[np.isfinite(scene.position)]
        assert known.size == 0 or (known.min() >= 0 and known.max() <= count - 1), name
        assert np.isfinite(scene.position[scene.knowable]).all(), name


def test_scenes_are_the_same_each_time_and_differ_by_seed(drawn: dict[str, DrawnScene]) -> None:
    again, other = textured(FRAME), textured(replace(FRAME, seed=1))
    for image, same, differs in zip(
        drawn[REFERENCE].images, again.images, other.images, strict=True
    ):
        np.testing.assert_array_equal(image, same)
        assert (image != differs).mean() > 0.5


def test_a_still_lens_differs_only_by_noise(drawn: dict[str, DrawnScene]) -> None:
    images = np.array(drawn['lens stands still'].images, float)
    assert 1.5 < images.std(axis=0).mean() < 2.5
    assert np.isnan(drawn['lens stands still'].position).all()


def test_plain_means_plain(drawn: dict[str, DrawnScene]) -> None:
    for name, level in {'white background': 255, 'dark background': 7.7}.items():
        scene = drawn[name]
        judged = np.array([image[scene.judged] for image in scene.images], float)
        assert abs(judged.mean() - level) < 1, name
        assert judged.std() < 1.5, name
        assert np.isneginf(scene.position[scene.judged]).all(), name
    stop = drawn['outside a field stop']
    assert np.array([image[stop.judged] for image in stop.images]).mean() < 1
    assert np.isnan(stop.position[stop.judged]).all()


def test_lights_stay_bright_when_blurred(drawn: dict[str, DrawnScene]) -> None:
    # Blurred after clipping, a light of 2 px would never fill a disc with white.
    scene = drawn['lights at night']
    clipped = [(image.min(axis=2) > 250).sum() for image in scene.images]
    lights = scene.position[scene.knowable]
    assert max(clipped) > 3 * len(lights)
    assert np.isfinite(lights).all()


@pytest.mark.parametrize(('name', 'slope'), [('ramps of 0.4 slices/px', 0.4),
                                             ('ramps of 0.8 slices/px', 0.8)])  # fmt: skip
def test_ramps_have_their_slope(drawn: dict[str, DrawnScene], name: str, slope: float) -> None:
    step = np.abs(np.diff(drawn[name].position[60]))
    assert np.median(step) == pytest.approx(slope, abs=1e-4)


def test_uneven_steps_are_ten_to_one(drawn: dict[str, DrawnScene]) -> None:
    # The same surfaces as with even steps, so their places give the steps.
    even, uneven = drawn[REFERENCE].position, drawn['uneven steps 10:1'].position
    order = np.argsort(uneven, axis=None)
    at, place = uneven.ravel()[order], even.ravel()[order]
    slope = np.gradient(np.interp(np.linspace(3, 13, 11), at, place))
    assert slope[-1] / slope[0] == pytest.approx(10 ** (9 / 13), rel=0.2)


def test_what_moves_is_known_at_mid_sweep() -> None:
    scene = jump(FRAME)
    # Before the jump each object is 12 px further left; its places are 4 and 10.5.
    objects = scene.position > 3
    assert {float(p) for p in np.unique(scene.position[objects])} == {4.0, 10.5}
    before = np.roll(objects, -12, axis=1)
    np.testing.assert_array_equal(scene.judged, objects | before)
    knocked = knocked_camera(FRAME)
    assert not knocked.knowable[:, -40:].any()
    # The first slice shows the ground at its right border that mid-sweep shows 40 px further left.
    shift = [
        np.abs(
            knocked.images[5][:, 40 + s : 140].astype(float)
            - knocked.images[6][:, s:100].astype(float)
        ).mean()
        for s in (0, 4)
    ]
    unaligned = np.abs(knocked.images[5].astype(float) - knocked.images[6]).mean()
    assert max(shift) < 0.5 * unaligned


def test_red_and_blue_focus_to_either_side_of_green(drawn: dict[str, DrawnScene]) -> None:
    scene = drawn['colours 2 slices apart']
    images = np.array(scene.images, float)
    sharpness = np.abs(np.diff(images, axis=2))
    inside = scene.knowable[:, 1:] & (np.abs(scene.position[:, 1:] - 9) < 1.5)
    curves = sharpness[:, inside].mean(axis=1)
    red, green, blue = (float(np.argmax(curves[:, c])) for c in range(3))
    assert (red - green, blue - green) == (2, -2)


def test_blur_is_as_wide_as_said() -> None:
    view = FRAME.view()
    point = disc(view, 80, 60, 0.6)
    layers = [surface(plain(view.canvas, 0.0), 4.0), surface(plain(view.canvas, 1.0), 4.0, point)]
    far, sharp = take(layers, view, EVEN[[14, 4]])
    y, x = np.nonzero(far[..., 0] > 0.5 * far.max())
    radius = (np.ptp(x) + np.ptp(y) + 2) / 4
    assert radius == pytest.approx(10 * BLUR_PX, abs=0.75)
    assert sharp.max() > 20 * far.max()
    assert far.sum() == pytest.approx(sharp.sum(), rel=0.02)


def test_places_beyond_the_sweep_are_infinite() -> None:
    place = np.array([[BEYOND, 0, 2.5, 14, 20]], np.float32)
    np.testing.assert_allclose(position_of(place, EVEN), [[-np.inf, 0, 2.5, 14, np.inf]])
    np.testing.assert_allclose(position_of(place[:, 1:4], EVEN[[0, 5, 14]]), [[0, 0.5, 2]])
    edges = depth_edges(np.array([[-np.inf, -np.inf, 3, 3.5, np.nan]], np.float32))
    np.testing.assert_array_equal(edges, [[False, True, True, True, True]])
    np.testing.assert_array_equal(
        away(np.array([[True, False, False]]), 1.5), [[False, False, True]]
    )
    layers = [surface(plain(FRAME.view().canvas, 0.5), 3.0)]
    assert (seen(layers, FRAME.view())[0] == 3).all()
    assert (
        exposed(np.random.default_rng(0), [np.full((4, 4, 3), 9.0, np.float32)], 0)[0].min() == 255
    )


def compared() -> Comparison:
    """Four slices: 14 positions of 15 are 3 slices, so that a position is 0.214 slices."""
    position = np.array([[0.0, 1.0, 2.0, np.nan, -np.inf, np.inf, -np.inf, 1.0]], np.float32)
    found = np.array([[0.1, 1.3, 2.0, 1.5, 0.0, 3.0, 0.3, 1.0]], np.float32)
    confidence = np.array([[0.9, 0.8, 0.5, 0.7, 0.6, 0.9, 0.95, 0.4]], np.float32)
    judged = np.ones(position.shape, bool)
    judged[0, 7] = False
    knowable = np.zeros(position.shape, bool)
    knowable[0, [0, 1, 2, 7]] = True
    scene = DrawnScene((np.zeros((1, 8, 3), np.uint8),) * 4, position, judged, knowable)
    return compare(scene, FocusEstimate(found, confidence, np.ones_like(found)))


def test_scores_by_hand() -> None:
    comparison = compared()
    per_slice = 14 / 3
    np.testing.assert_allclose(
        comparison.error[:3], [0.1 * per_slice, 0.3 * per_slice, 0], atol=1e-5
    )
    assert np.isnan(comparison.error[3:7]).all()
    # Too far off; no position is right; not at the end, where the surface is beyond it.
    np.testing.assert_array_equal(np.flatnonzero(comparison.wrong), [1, 3, 6])
    row = score_row(comparison, 0.5)
    assert row.published == 1
    assert (row.wrong, row.wrong_of_published) == (3 / 7, 3 / 7)
    assert row.error == pytest.approx(0.4 * per_slice / 3, abs=1e-5)
    assert row.right_of_knowable == 2 / 4
    strict = score_row(comparison, 0.85)
    assert (strict.published, strict.wrong) == (3 / 7, 1 / 7)
    nothing = score_row(comparison, 1.0)
    assert (nothing.published, nothing.wrong) == (0, 0)
    assert math.isnan(nothing.wrong_of_published)
    assert math.isnan(nothing.error)


def test_reliability_and_edges_by_hand() -> None:
    count = 1000
    confidence = np.linspace(0, 1, count, dtype=np.float32)
    wrong = confidence < 0.25
    comparison = Comparison(
        confidence=confidence,
        error=np.where(wrong, np.float32(4), np.float32(0.5)),
        wrong=wrong,
        judged=np.ones(count, bool),
        knowable=np.ones(count, bool),
        edge_px=np.where(wrong, np.float32(1.5), np.float32(np.inf)),
    )
    tenths = deciles(comparison)
    assert [tenth.wrong for tenth in tenths] == [1, 1, 0.5, *[0] * 7]
    assert [tenth.confidence for tenth in tenths] == pytest.approx(
        [0.05 + 0.1 * i for i in range(DECILES)], abs=1e-3
    )
    assert tenths[2].error == pytest.approx(2.25)
    first, *middle, last = edge_bins(comparison)
    assert (first.to_px, first.pixels, first.error) == (1.5, 0.25, 4)
    assert (last.pixels, last.error) == (0.75, 0.5)
    assert first.error_share == pytest.approx(1000 / 1375)
    assert [part.pixels for part in middle] == [0, 0, 0]
    scores = score_suite({(REFERENCE, 'b'): comparison, ('other', 'b'): compared()}, 0.5)
    assert list(scores.rows) == [(REFERENCE, 'b'), ('other', 'b')]
    assert scores.reliability['b'][REFERENCE] == tenths
    assert scores.reliability['b'][ALL] == deciles(joined([comparison, compared()]))
