"""Training data: order, rendered once, consistently rotated and mirrored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from traced_scene import PLACE, SIZE, hand_made

pytest.importorskip('torch', reason='torch is not installed')
from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.training.dataset import (
    EndlessOrder,
    FixedScenes,
    ScenePool,
    SceneSource,
    augment,
    smallest_pool,
)
from sff_ros.training.drawing.textures import Textures
from sff_ros.training.recipes import RECIPES
from sff_ros.training.tasks import FastTask
from sff_ros.training.traced.files import write_traced
from sff_ros.training.traced.samples import open_traced

SMALL = replace(RECIPES['fast'], size=64, crop=48, steps=40, batch=4, scenes=60, pool=20)
SOURCE = SceneSource(Textures(), FastTask(), 64, seed=1, hard=0.5)


def test_a_share_of_the_scenes_is_path_traced(tmp_path: Path) -> None:
    write_traced(tmp_path / 'scene_1_000000.npz', hand_made())
    plain = replace(SOURCE, size=SIZE)
    source = replace(plain, traced=open_traced(tmp_path, 0.5, SIZE))
    drawn, mixed, again = (
        [each.draw(scene) for scene in range(10)] for each in (plain, source, source)
    )
    traced = [bool((scene['truth'] == PLACE).all()) for scene in mixed]
    assert 2 <= sum(traced) <= 8
    assert not any((scene['truth'] == PLACE).all() for scene in drawn)
    for one, two in zip(mixed, again, strict=True):
        np.testing.assert_array_equal(one['responses'], two['responses'])
    seen = {scene['responses'].tobytes() for scene, hit in zip(mixed, traced, strict=True) if hit}
    assert len(seen) == sum(traced)  # exposure and noise are drawn anew
    pool = ScenePool(source, SMALL)
    batch = [pool[scene, 5] for scene in range(10)]
    assert {item['responses'].shape for item in batch} == {batch[0]['responses'].shape}
    assert batch[traced.index(True)]['truth'].shape == (1, SMALL.crop, SMALL.crop)


def order(first: int = 0, workers: int = 1, rank: int = 0, world: int = 1) -> list[Any]:
    return list(EndlessOrder(SMALL, first, workers, rank, world))


def test_the_order_depends_on_the_step_alone() -> None:
    whole = order()
    assert len(whole) == 40
    assert order(first=5) == whole[5:]
    halves = [order(rank=rank, world=2) for rank in (0, 1)]
    for step, a, b in zip(whole, *halves, strict=True):
        assert sorted(a + b) == sorted(step)


def test_the_pool_moves_over_all_scenes() -> None:
    for step, items in enumerate(order()):
        start = step * (60 - 20) // 40
        scenes = [scene for scene, _ in items]
        assert len(items) == 4
        assert min(scenes) >= start
        assert max(scenes) < start + 20
    late = {scene for items in order()[-4:] for scene, _ in items}
    assert max(late) >= 55


def test_no_scene_is_drawn_by_two_processes() -> None:
    users: dict[int, set[tuple[int, int]]] = {}
    for rank in (0, 1):
        for step, items in enumerate(order(workers=3, rank=rank, world=2)):
            for scene, _ in items:
                users.setdefault(scene, set()).add((rank, step % 3))
    assert len(users) > 40
    assert all(len(processes) == 1 for processes in users.values())


def test_the_smallest_pool_has_a_scene_for_every_worker() -> None:
    recipe = replace(SMALL, scenes=1000, pool=smallest_pool(4, 3))
    for step, items in enumerate(EndlessOrder(recipe, 0, 3)):
        start = step * (1000 - recipe.pool) // recipe.steps
        assert all(start <= scene < start + recipe.pool for scene, _ in items)


def test_scenes_are_drawn_once_while_they_are_in_the_pool() -> None:
    drawn: list[int] = []

    class Counted(SceneSource):
        def draw(self, scene: int) -> Any:
            drawn.append(scene)
            return SOURCE.draw(scene)

    pool = ScenePool(Counted(Textures(), FastTask(), 64, 1, 0.5), replace(SMALL, pool=2))
    first = pool[0, 5]
    for name, values in pool[0, 5].items():
        np.testing.assert_array_equal(values, first[name])
    pool[1, 0]
    assert drawn == [0, 1]
    pool[2, 0]  # 0 is left behind
    pool[1, 0]
    pool[0, 0]
    assert drawn == [0, 1, 2, 0]
    assert {name: values.shape for name, values in first.items()} == {
        'responses': (15, 4, 24, 24),
        'evidence': (7, 24, 24),
        'context': (3, 48, 48),
        'truth': (1, 48, 48),
        'known': (1, 48, 48),
    }


def test_fixed_scenes_are_whole_and_always_the_same() -> None:
    usual, hard = (FixedScenes(replace(SOURCE, seed=0, hard=hard), 2) for hard in (0.0, 1.0))
    assert len(list(usual)) == len(usual) == 2
    assert usual[1]['truth'].shape == (1, 64, 64)
    np.testing.assert_array_equal(usual[1]['responses'], usual[1]['responses'])
    assert not np.array_equal(usual[1]['responses'], hard[1]['responses'])


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
