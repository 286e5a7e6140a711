"""Samples: repeatable, within the camera's range, sharpest at the ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sff_ros.core.focus.measure import measure_ddl
from sff_ros.training.drawing.camera import _processed
from sff_ros.training.drawing.ranges import USUAL, SampleRange
from sff_ros.training.drawing.samples import Sample, _draw_places, draw_sample
from sff_ros.training.drawing.textures import Textures

SIZE = 64


def sample(seed: int, ranges: SampleRange = USUAL) -> Sample:
    return draw_sample(np.random.default_rng(seed), Textures(), ranges, SIZE)


def test_the_same_seed_gives_the_same_sample() -> None:
    first, again = sample(1), sample(1)
    np.testing.assert_array_equal(first.stack, again.stack)
    np.testing.assert_array_equal(first.ground_truth, again.ground_truth)


@pytest.mark.parametrize('seed', range(6))
def test_samples_are_stacks_over_the_whole_sweep(seed: int) -> None:
    one = sample(seed)
    assert one.stack.shape == (len(one.places), SIZE, SIZE, 3)
    assert one.stack.dtype == np.uint8
    assert one.ground_truth.shape == (SIZE, SIZE)
    assert (one.places[0], one.places[-1]) == (0, 14)
    assert USUAL.blur_px[0] <= one.blur_px <= USUAL.blur_px[1]


def test_sweeps_vary_within_the_recipe() -> None:
    rng = np.random.default_rng(0)
    sweeps = [_draw_places(rng, USUAL) for _ in range(600)]
    counts = np.array([len(places) for places in sweeps])
    assert 0.45 < np.mean(counts == 15) < 0.7
    assert counts.min() == 8
    assert 55 <= counts.max() <= 60
    steps = [np.diff(places) for places in sweeps]
    assert all((step > 0).all() for step in steps)
    even = np.mean([np.ptp(step) < 1e-9 for step in steps])
    assert 0.5 < even < 0.75
    assert max(step.max() / step.min() for step in steps) < 9.1  # 3:1, two lost side by side


def test_slices_are_sharpest_near_the_ground_truth() -> None:
    cameras = replace(
        USUAL, blur_px=(1.0, 1.0001), noise=(0.1, 0.1001), even=1.0, usual=1.0, drift_px=0.0
    )
    errors = []
    for seed in range(12):
        one = sample(seed, cameras)
        sharpness = np.stack([measure_ddl(image, 1).sum(axis=0) for image in one.stack])
        textured = sharpness.max(axis=0) > np.quantile(sharpness.max(axis=0), 0.8)
        inside = (one.ground_truth > 0) & (one.ground_truth < 14)
        error = np.abs(sharpness.argmax(axis=0) - one.ground_truth)[textured & inside]
        if error.size:
            errors.append(np.median(error))
    assert np.median(errors) < 1


def test_some_cameras_filter_and_some_compress() -> None:
    rng = np.random.default_rng(0)
    levels = rng.uniform(60, 200, (2, 32, 32, 3)).astype(np.float32)
    plain = np.rint(levels).astype(np.uint8)
    kinds = []
    for _ in range(300):
        images = np.stack(_processed(rng, levels))
        assert images.shape == plain.shape
        assert images.dtype == np.uint8
        # All images of a sweep are treated alike.
        changed = [bool((a != b).any()) for a, b in zip(images, plain, strict=True)]
        assert len(set(changed)) == 1
        kinds.append(changed[0])
        assert abs(float(images.mean()) - float(plain.mean())) < 2
    assert 0.28 < np.mean(kinds) < 0.44  # 1 - 0.8 * 0.8 = 0.36
