"""Training data: order, rendered once, consistently rotated and mirrored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='torch is not installed')
from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.training.dataset import EndlessOrder, RenderedSweeps, augment
from sff_ros.training.recipes import RECIPES
from sff_ros.training.tasks import FastTask
from sff_ros.training.textures import Textures

SMALL = replace(RECIPES['fast'], size=64, crop=48)


def test_the_order_depends_on_the_step_alone() -> None:
    whole = list(EndlessOrder(50, 4, 1, 0, 8))
    assert list(EndlessOrder(50, 4, 1, 5, 8)) == whole[5:]
    halves = [list(EndlessOrder(50, 2, 1, 0, 8, rank, 2)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*halves, strict=True)] == whole


def test_scenes_are_rendered_once(tmp_path: Path) -> None:
    scenes = RenderedSweeps(tmp_path, Textures(), FastTask(), SMALL, seed=1)
    first = scenes.load(0)
    (file,) = tmp_path.glob('*.npz')
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(scenes.load(0)['truth'], first['truth'])
    assert file.stat().st_mtime_ns == written
    assert {name: values.shape for name, values in first.items()} == {
        'responses': (15, 4, 32, 32),
        'evidence': (7, 32, 32),
        'context': (3, 64, 64),
        'truth': (1, 64, 64),
    }


def test_augmentation_keeps_maps_together() -> None:
    fine = np.arange(64 * 64, dtype=np.float32).reshape(1, 64, 64)
    coarse = fine.reshape(1, 32, 2, 32, 2).mean(axis=(2, 4))
    kinds = set()
    for seed in range(120):
        piece, reverse = augment({'truth': fine, 'half': coarse}, np.random.default_rng(seed), 32)
        mean = piece['truth'].reshape(1, 16, 2, 16, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(piece['half'], mean, rtol=1e-5)
        steps = (
            np.sign(np.diff(piece['truth'][0])[0, 0]),
            np.sign(np.diff(piece['truth'][0].T)[0, 0]),
        )
        larger = abs(np.diff(piece['truth'][0])[0, 0]) > 1
        kinds.add((*steps, bool(larger), reverse))
    assert len(kinds) == 16


def test_reversing_turns_everything_that_has_a_direction() -> None:
    arrays = {
        'responses': np.arange(15, dtype=np.float32).reshape(15, 1, 1, 1),
        'evidence': np.arange(7, dtype=np.float32).reshape(7, 1, 1),
        'truth': np.full((1, 1, 1), 3, np.float32),
    }
    FastTask().reverse(arrays)
    assert arrays['responses'].ravel().tolist() == list(range(14, -1, -1))
    assert arrays['evidence'].ravel().tolist() == [14, 13, 2, 3, 4, 5, 6]
    assert arrays['truth'].item() == POSITIONS - 1 - 3
