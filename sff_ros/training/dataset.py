"""Samples on disk, each rendered once, and their order in training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset, Sampler

from sff_ros.training.recipes import Recipe
from sff_ros.training.samples import draw_sample
from sff_ros.training.tasks import Arrays, Task
from sff_ros.training.textures import Textures

PHASE = 4  # crops start at multiples of this, px: where blocks of both poolings start


class RenderedSweeps(Dataset[Arrays]):
    """Network inputs of random scenes, with ground truth.

    An item is indexed by (scene, draw): the scene is rendered on first use and cached on disk;
    the draw selects crop, mirroring and direction of the sweep.

    Args:
        folder: cache of rendered scenes; one recipe each.
        textures: of the surfaces.
        task: converts a scene into arrays.
        recipe: size, crop and cameras.
        seed: of the scenes.
    """

    def __init__(
        self, folder: Path, textures: Textures, task: Task, recipe: Recipe, seed: int
    ) -> None:
        self._folder = folder
        self._textures = textures
        self._task = task
        self._recipe = recipe
        self._seed = seed
        folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, item: tuple[int, int]) -> Arrays:
        """Return responses, evidence, context and ground truth of one crop, float32."""
        scene, draw = item
        rng = np.random.default_rng([self._seed, scene, draw])
        piece, reverse = augment(self.load(scene), rng, self._recipe.crop)
        if reverse:
            self._task.reverse(piece)
        return {name: np.ascontiguousarray(values) for name, values in piece.items()}

    def load(self, scene: int) -> Arrays:
        """Return the whole scene, rendered now if not cached."""
        file = self._folder / f'{self._seed}_{scene:06d}.npz'
        if not file.exists():
            self._render(scene, file)
        with np.load(file) as stored:
            return {name: stored[name] for name in stored.files}

    def _render(self, scene: int, file: Path) -> None:
        rng = np.random.default_rng([self._seed, scene])
        sample = draw_sample(rng, self._textures, self._recipe.cameras, self._recipe.size)
        arrays = self._task.prepare(sample)
        compact = {name: values.astype(np.float16) for name, values in arrays.items()}
        part = file.with_suffix(f'.{os.getpid()}.part')
        with part.open('wb') as out:
            np.savez(out, **compact)  # type: ignore[arg-type]
        part.replace(file)


def augment(whole: Arrays, rng: np.random.Generator, crop: int) -> tuple[Arrays, bool]:
    """Crop, mirror and rotate at random; return also whether to reverse the sweep.

    Args:
        whole: maps whose last axes cover the same square, at any pooling and float type.
        rng: source of all randomness.
        crop: side, px; a multiple of PHASE.
    """
    size = whole['truth'].shape[-1]
    y, x = (rng.integers(0, (size - crop) // PHASE + 1, 2) * PHASE).tolist()
    flip_x, flip_y, turn, reverse = (rng.random(4) < 0.5).tolist()
    piece = {}
    for name, values in whole.items():
        pooling = size // values.shape[-1]
        top, left, side = y // pooling, x // pooling, crop // pooling
        part = values[..., top : top + side, left : left + side].astype(np.float32)
        part = part[..., ::-1] if flip_x else part
        part = part[..., ::-1, :] if flip_y else part
        piece[name] = part.swapaxes(-1, -2) if turn else part
    return piece, reverse


class EndlessOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (scene, draw) that depend on the step only, so training resumes anywhere.

    Args:
        scenes: number of scenes.
        batch: items per batch, in this process.
        seed: of the order.
        first, last: steps.
        rank, world: rank and number of the processes that share a step.
    """

    def __init__(
        self,
        scenes: int,
        batch: int,
        seed: int,
        first: int,
        last: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._scenes, self._batch, self._seed = scenes, batch, seed
        self._steps = range(first, last)
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in self._steps:
            rng = np.random.default_rng([self._seed, step])
            size = self._batch * self._world
            scenes, draws = rng.integers(self._scenes, size=size), rng.integers(2**31, size=size)
            mine = slice(self._rank * self._batch, (self._rank + 1) * self._batch)
            yield list(zip(scenes[mine].tolist(), draws[mine].tolist(), strict=True))

    def __len__(self) -> int:
        return len(self._steps)
