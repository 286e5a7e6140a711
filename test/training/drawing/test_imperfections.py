"""Each imperfection shows where it is asked for, and what it makes unknowable is said."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from sff_ros.core.focus.measure import measure_ddl
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer
from sff_ros.training.drawing.camera import Exposure, blank_frames, draw_field_stop
from sff_ros.training.drawing.motion import camera_path, object_shifts
from sff_ros.training.drawing.ranges import ROBUST, USUAL, SampleRange, Some
from sff_ros.training.drawing.render import CatEye, render_sweep
from sff_ros.training.drawing.samples import Sample, _draw_places, _on_axis, draw_sample
from sff_ros.training.drawing.scenes import draw_scene, visible
from sff_ros.training.drawing.textures import Textures

pytestmark = pytest.mark.slow  # draws dozens of samples

SIZE = 64
KINDS = [
    field.name
    for field in fields(SampleRange)
    if isinstance(getattr(USUAL, field.name), Some) and field.name != 'calm'  # no imperfection
]
NO_CALM = replace(USUAL, calm=Some(0, 0.1, 0.8))
CLEAN = replace(
    NO_CALM, blur_px=(1.0, 1.01), noise=(0.1, 0.11), even=1, usual=1, flicker=0, drift_px=0
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sample(seed: int, ranges: SampleRange = CLEAN, size: int = SIZE) -> Sample:
    return draw_sample(rng(seed), Textures(), ranges, size)


def having(name: str, some: Any) -> SampleRange:
    return replace(CLEAN, **{name: some})


def always(name: str) -> SampleRange:
    return having(name, replace(getattr(ROBUST, name), share=1.0))


def test_usual_samples_have_none_and_robust_ones_of_each() -> None:
    for name in KINDS:
        usual, robust = getattr(USUAL, name), getattr(ROBUST, name)
        assert usual.share == 0
        assert 0 < robust.share <= 0.5
        assert (usual.low, usual.high) == (robust.low, robust.high)
        assert 0 < robust.low < robust.high
    expected = sum(getattr(ROBUST, name).share for name in KINDS)
    assert 1 < expected < 3


def test_strengths_are_within_their_range_and_rare_ones_rare() -> None:
    some, random = Some(0.25, 0.1, 10), rng()
    drawn = [some.draw(random) for _ in range(8000)]
    values = np.array([value for value in drawn if value is not None])
    assert 0.23 < len(values) / 8000 < 0.27
    assert values.min() >= 0.0999
    assert values.max() <= 10.001
    assert np.median(values) == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize('name', KINDS)
def test_the_same_seed_gives_the_same_sample_and_each_kind_changes_it(name: str) -> None:
    ranges, changed = always(name), 0
    for seed in range(3):
        first, again, plain = sample(seed, ranges), sample(seed, ranges), sample(seed)
        np.testing.assert_array_equal(first.stack, again.stack)
        np.testing.assert_array_equal(first.known, again.known)
        assert len(first.stack) == len(first.places) >= 3
        assert np.isfinite(first.ground_truth).all()
        alike = first.stack.shape == plain.stack.shape
        changed += not alike or bool((first.stack != plain.stack).any())
    # Not every scene has objects that can move.
    assert changed >= (1 if name.startswith('object') else 2)


@pytest.mark.parametrize('seed', range(12))
def test_robust_samples_are_whole(seed: int) -> None:
    one = sample(seed, ROBUST)
    assert one.stack.shape == (len(one.places), SIZE, SIZE, 3)
    assert one.places[0] == 0
    assert one.places[-1] == pytest.approx(14)
    assert (np.diff(one.places) > 0).all()
    assert one.known.shape == one.ground_truth.shape == (SIZE, SIZE)


def test_robust_sweeps_have_3_to_60_slices_and_steps_to_12() -> None:
    random = rng()
    sweeps = [np.diff(_draw_places(random, ROBUST)) for _ in range(1500)]
    counts = [len(steps) + 1 for steps in sweeps]
    assert min(counts) == 3
    assert max(counts) >= 55
    assert np.mean(np.array(counts) <= 4) > 0.1
    assert 8 < np.quantile([steps.max() / steps.min() for steps in sweeps], 0.98) < 25


def test_half_of_the_robust_sweeps_are_on_the_slice_index() -> None:
    ranges = replace(ROBUST, even=0.0, blank_frames=USUAL.blank_frames)
    even = [np.ptp(np.diff(sample(seed, ranges, 32).places)) < 1e-9 for seed in range(40)]
    assert 0.3 < np.mean(even) < 0.7


def test_ground_truth_follows_the_axis() -> None:
    places, claimed = np.array([0.0, 2, 14]), np.array([0.0, 7, 14])
    place = np.array([[-1.0, 0, 1, 2, 8, 14, 15]], np.float32)
    expected = [[-3.5, 0, 3.5, 7, 10.5, 14, 14 + 7 / 12]]
    np.testing.assert_allclose(_on_axis(place, places, claimed), expected, rtol=1e-6)


def test_slices_of_an_unknown_axis_are_sharpest_at_the_ground_truth() -> None:
    index = replace(CLEAN, even=0.0, step_ratio=(8.0, 12.0), unknown_axis=1.0)
    errors = []
    for seed in range(12):
        one = sample(seed, index)
        spacing = one.places[1]
        sharpness = np.stack([measure_ddl(image, 1).sum(axis=0) for image in one.stack])
        clear = sharpness.max(axis=0) > np.quantile(sharpness.max(axis=0), 0.8)
        clear &= one.known & (one.ground_truth > 0) & (one.ground_truth < 14)
        error = np.abs(sharpness.argmax(axis=0) * spacing - one.ground_truth)[clear]
        if error.size:
            errors.append(float(np.median(error)))
    assert np.median(errors) < 1


def test_a_lens_at_rest_tells_nothing() -> None:
    one = sample(1, replace(CLEAN, still=1.0))
    assert not one.known.any()
    assert np.abs(np.diff(one.stack.astype(float), axis=0)).mean() < 1


def test_outside_a_field_stop_it_is_black_and_unknown() -> None:
    shares = []
    for seed in range(8):
        stop = draw_field_stop(rng(seed), always('field_stop'), SIZE)
        assert stop is not None
        shares.append(float((stop > 0.5).mean()))
        one = sample(seed, always('field_stop'))
        dark = one.stack.max(axis=(0, 3)) < 4
        if dark.mean() > 0.1:
            assert not one.known[dark].any()
    assert 0.1 < np.mean(shares) < 0.9


def test_plain_surfaces_are_unknown_where_textured_ones_are_known() -> None:
    plain = replace(CLEAN, plain=Some(1, 0.999, 1))
    known = [[sample(seed, r, 160).known.mean() for seed in range(5)] for r in (CLEAN, plain)]
    # One in five textures without photographs is nearly plain.
    assert np.mean(known[0]) > 0.85
    assert np.mean(known[1]) < 0.65


def test_low_contrast_is_what_is_asked_for() -> None:
    light = rng().random((8, 8, 3)).astype(np.float32)
    full = Exposure(1, 1, 2.2).apply(light)
    faint = Exposure(1, 1, 2.2, contrast=0.05, veil=0.5).apply(light)
    assert np.ptp(faint) == pytest.approx(0.05 * np.ptp(full), rel=1e-3)
    assert faint.mean() == pytest.approx(0.5, abs=0.03)


def spot(light: float, place: float, size: int = 96) -> list[Layer]:
    rgba = np.zeros((size, size, 4), np.float32)
    rgba[..., 3] = 1
    rgba[size // 2, size // 2, :3] = light
    return [Layer(rgba, np.full((size, size), place, np.float32))]


def test_a_lamp_out_of_focus_is_a_clipped_disc() -> None:
    sweep = render_sweep(spot(700.0, 0.0), [10.0], 1.0, 96)
    image = Exposure(1, 1, 2.2).apply(sweep)[0, ..., 0]
    assert (image == 1).sum() == pytest.approx(np.pi * 10**2, rel=0.15)
    blurred_after = np.clip(700, 0, 1) / (np.pi * 10**2)  # what blur after clipping would give
    assert image[48, 48] > 100 * blurred_after


def test_a_cat_eye_is_narrow_and_turns_around_in_focus() -> None:
    def disc(place: float, cat_eye: CatEye | None) -> FloatMap:
        sweep = render_sweep(spot(1.0, place), [7.0], 1.6, 96, cat_eye=cat_eye)
        return np.asarray(sweep[0, ..., 0])

    def centre(image: FloatMap) -> float:
        return float((image.sum(axis=0) * np.arange(96)).sum() / image.sum()) - 48

    eye = CatEye(1.0, 0.0)
    near, far, round_ = disc(10, eye), disc(4, eye), disc(10, None)
    assert near.sum() == pytest.approx(round_.sum(), rel=0.05)
    widths = [np.ptp(np.nonzero(image > image.max() / 5)[1]) for image in (near, round_)]
    heights = [np.ptp(np.nonzero(image > image.max() / 5)[0]) for image in (near, round_)]
    assert widths[0] == pytest.approx(widths[1] / 2, abs=1.5)
    assert heights[0] == pytest.approx(heights[1] * np.sqrt(3) / 2, abs=1.5)
    assert centre(near) == pytest.approx(-centre(far), abs=0.2)
    assert abs(centre(near)) == pytest.approx(2.4, abs=0.3)
    assert abs(centre(disc(7, eye))) < 0.1


def test_colours_focus_apart_around_green() -> None:
    ranges = replace(CLEAN, colours=Some(1, 1.99, 2))
    orders = []
    for seed in range(14):
        one = sample(seed, ranges)
        grey = one.stack.reshape(len(one.stack), -1, 3).std(axis=1)
        best = one.places[grey.argmax(axis=0)]
        if 3 < best[1] < 11 and np.ptp(one.ground_truth) < 3:
            orders.append((best[0] - best[1], best[2] - best[1]))
    assert orders
    assert all(red * blue <= 0 for red, blue in orders)
    assert np.median(np.abs(orders)) >= 1


def test_soft_images_have_no_finest_detail() -> None:
    def fine(one: Sample) -> float:
        return float(
            np.abs(np.diff(one.stack.astype(float), 2, axis=2)).mean(axis=(1, 2, 3)).max()
        )

    soft = replace(CLEAN, soft=Some(1, 2.9, 3))
    ratios = [fine(sample(seed, soft)) / fine(sample(seed)) for seed in range(8)]
    assert np.median(ratios) < 0.8


def test_wires_are_thin_and_ramps_steep() -> None:
    wires = replace(USUAL, wires=Some(1, 9, 10))
    more = [len(draw_scene(rng(s), Textures(), SIZE, wires)) for s in range(6)]
    assert min(more) >= 6
    ramps = replace(USUAL, ramps=Some(1, 0.99, 1))
    slopes = []
    for seed in range(6):
        ground = draw_scene(rng(seed), Textures(), 128, ramps)[0].dioptres
        dy, dx = np.gradient(ground.astype(float))
        slopes.append(float(np.median(np.hypot(dx, dy))))
    assert np.median(slopes) == pytest.approx(1, abs=0.05)


def test_at_night_only_lamps_shine() -> None:
    for seed in range(5):
        layers = draw_scene(rng(seed), Textures(), SIZE, ROBUST, ambient=0.001)
        light = visible(layers, SIZE)[0][..., :3].max(axis=2)
        assert np.median(light) <= 0.0011
        assert light.max() > 0.5


def test_gloss_adds_light_of_another_position() -> None:
    gloss = replace(CLEAN, gloss=Some(1, 1.4, 1.5))
    known = [sample(seed, gloss).known.mean() for seed in range(10)]
    assert np.mean(known) < np.mean([sample(seed).known.mean() for seed in range(10)])


def test_motion_is_at_rest_in_mid_sweep_and_as_large_as_asked_for() -> None:
    jumps = replace(USUAL, camera_jump=Some(1, 20, 64), object_jump=Some(1, 20, 64))
    for seed in range(10):
        path = camera_path(rng(seed), jumps, 15)
        assert path is not None
        assert (path[7] == 0).all()
        moves = np.hypot(*np.diff(path, axis=0).T)
        assert np.count_nonzero(moves > 1e-9) == 1
        assert 20 <= moves.max() <= 64
        layers = spot(1, 0) * 5
        shifts = object_shifts(rng(seed), jumps, layers, 15)
        assert shifts is not None
        assert not shifts[:, 0].any()
        assert 1 <= shifts.any(axis=(0, 2)).sum() <= 3
    steady = camera_path(rng(), replace(USUAL, camera_motion=Some(1, 2, 4)), 15)
    assert steady is not None
    np.testing.assert_allclose(np.diff(steady, axis=0) - np.diff(steady, axis=0)[0], 0, atol=1e-9)
    assert camera_path(rng(), USUAL, 15) is None


def test_motion_makes_some_positions_unknown() -> None:
    for name in ('camera_jump', 'camera_motion', 'object_jump', 'object_motion'):
        high = getattr(ROBUST, name).high
        ranges = having(name, Some(1, 0.6 * high, high))
        known = [sample(seed, ranges).known.mean() for seed in range(6)]
        assert min(known) < 0.9, name


def test_blank_frames_leave_three_others_and_are_left_in_or_dropped() -> None:
    ranges = replace(CLEAN, blank_frames=Some(1, 2, 3))
    assert blank_frames(rng(), ranges, 3) == []
    assert len(blank_frames(rng(), ranges, 4)) == 1
    black = white = dropped = 0
    for seed in range(30):
        levels = sample(seed, ranges).stack.reshape(-1, SIZE * SIZE * 3)
        black += bool((levels == 0).all(axis=1).any())
        white += bool((levels == 255).all(axis=1).any())
        dropped += len(levels) < 13
    assert min(black, white) >= 2
    assert dropped >= 5
