"""Samples of path-traced scenes: what is known, and what is drawn anew at each use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from traced_scene import MIRROR, PLACE, PLAIN, SIZE, SLICES, TEXTURED, hand_made

from sff_ros.errors import ConfigError
from sff_ros.training.drawing.ranges import ROBUST, USUAL, Some
from sff_ros.training.traced.files import write_traced
from sff_ros.training.traced.samples import NOISIEST, open_traced, traced_sample

CLEAN = replace(USUAL, noise=(0.2, 0.3), drift_px=0.0, flicker=0.0)


def test_what_a_mirror_shows_is_not_known() -> None:
    sample = traced_sample(np.random.default_rng(1), CLEAN, hand_made())
    assert sample.stack.shape == (SLICES, SIZE, SIZE, 3)
    assert sample.stack.dtype == np.uint8
    np.testing.assert_allclose(sample.places, np.linspace(0, 14, SLICES))
    assert (sample.ground_truth == PLACE).all()
    assert sample.known[TEXTURED].all()
    assert not sample.known[PLAIN].any()  # farther from any texture than it reaches
    assert not sample.known[MIRROR].any()


def test_a_reflection_next_to_texture_is_not_known_either() -> None:
    scene = hand_made()
    scene.own[:, 64:80] = np.random.default_rng(2).uniform(0.2, 0.8, (SIZE, 16, 3))
    known = traced_sample(np.random.default_rng(1), CLEAN, scene).known
    assert known[:, 66:78].all()
    assert not known[:, 86:].any()


def test_nothing_is_known_where_there_is_nothing_or_noise_is_left() -> None:
    scene = hand_made()
    scene.place[10, 4], scene.leftover[20, 4] = np.nan, 1.0
    sample = traced_sample(np.random.default_rng(1), CLEAN, scene)
    assert np.isfinite(sample.ground_truth).all()
    assert not sample.known[10, 4]
    assert not sample.known[20, 4]
    assert NOISIEST < 1.0 * 255


def test_noise_of_the_rendering_is_covered() -> None:
    def noise(leftover: float) -> float:
        sample = traced_sample(np.random.default_rng(1), CLEAN, hand_made(leftover))
        return float(sample.stack[:, 8:-8, 46:50].std(axis=(1, 2)).mean())

    assert noise(0.0) < 1.0
    assert noise(0.02) > 2.0


@pytest.mark.parametrize(('leftover', 'expected'), [(0.0, True), (0.012, False)])
def test_texture_below_the_noise_of_the_rendering_is_not_known(
    leftover: float, expected: bool
) -> None:
    scene = hand_made(leftover)
    scene.own[TEXTURED] = 0.5 + 0.02 * (scene.own[TEXTURED] - 0.5)
    known = traced_sample(np.random.default_rng(1), CLEAN, scene).known
    assert (known[8:-8, 4:12] == expected).all()


def test_exposure_and_noise_are_drawn_anew() -> None:
    one, other = (traced_sample(np.random.default_rng(k), USUAL, hand_made()) for k in (1, 2))
    again = traced_sample(np.random.default_rng(1), USUAL, hand_made())
    np.testing.assert_array_equal(one.stack, again.stack)
    assert np.abs(one.stack.astype(int) - other.stack).mean() > 5


def test_soft_images_and_field_stops_apply() -> None:
    always = replace(ROBUST, soft=Some(1, 2, 3), field_stop=Some(1, 0.25, 0.3))
    sample = traced_sample(np.random.default_rng(3), always, hand_made())
    assert sample.stack.shape == (SLICES, SIZE, SIZE, 3)
    assert sample.known.mean() < 0.3


def test_a_folder_gives_its_scenes(tmp_path: Path) -> None:
    write_traced(tmp_path / 'scene_1_000000.npz', hand_made())
    folder = open_traced(tmp_path, 0.5, SIZE)
    assert len(folder.files) == 1
    sample = folder.draw(np.random.default_rng(1), USUAL, SIZE)
    assert sample.blur_px == pytest.approx(0.8)
    with pytest.raises(ConfigError, match=r'is \(96, 96\), the training \(64, 64\) px'):
        folder.draw(np.random.default_rng(1), USUAL, 64)
    with pytest.raises(ConfigError, match=r'is \(96, 96\), the training \(64, 64\) px'):
        open_traced(tmp_path, 0.5, 64)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='has no scene_'):
        open_traced(tmp_path, 0.5, SIZE)
