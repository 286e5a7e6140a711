"""Scenes drawn while the training runs, and their order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset, Sampler

from sff_ros.training.drawing.ranges import ROBUST, USUAL
from sff_ros.training.drawing.samples import draw_sample
from sff_ros.training.drawing.textures import Textures
from sff_ros.training.recipes import Recipe
from sff_ros.training.tasks import Arrays, Task
from sff_ros.training.traced.samples import TracedFolder

PHASE = 4  # crops start at multiples of this, px: where blocks of both poolings start
GROUPS = 8  # of the scenes, at most: as many processes can share a step without drawing twice

# In memory and between processes; half the size of float32.
Compact = dict[str, npt.NDArray[np.float16]]


@dataclass(frozen=True, slots=True)
class SceneSource:
    """An endless row of random scenes, as network inputs with ground truth.

    Attributes:
        textures: of the surfaces.
        task: converts a scene into arrays.
        size: side of the images, px.
        seed: of all scenes.
        hard: share of the scenes that are of ROBUST, not of USUAL.
        traced: path-traced scenes that take the place of a share of them; None: no.
    """

    textures: Textures
    task: Task
    size: int
    seed: int
    hard: float
    traced: TracedFolder | None = None

    def draw(self, scene: int) -> Compact:
        """Return the scene of that number: always the same."""
        rng = np.random.default_rng([self.seed, scene])
        ranges = ROBUST if self.hard > 0 and rng.random() < self.hard else USUAL
        if self.traced is not None and rng.random() < self.traced.share:
            sample = self.traced.draw(rng, ranges, self.size)
        else:
            sample = draw_sample(rng, self.textures, ranges, self.size)
        arrays = self.task.prepare(sample)
        return {name: values.astype(np.float16) for name, values in arrays.items()}


class FixedScenes(Dataset[Compact]):
    """The first scenes of a source, whole: for validation."""

    def __init__(self, source: SceneSource, count: int) -> None:
        self._source, self._count = source, count

    def __getitem__(self, scene: int) -> Compact:
        if scene >= self._count:
            raise IndexError(scene)
        return self._source.draw(scene)

    def __len__(self) -> int:
        return self._count


class ScenePool(Dataset[Compact]):
    """Crops of scenes that are drawn on first use and kept until the order has left them behind.

    An item is indexed by (scene, draw): the draw selects crop, mirroring and direction of the
    sweep. Each worker process has a pool of its own, of the scenes that its batches are from.

    Args:
        source: of the scenes.
        recipe: its `crop` and `pool`.
    """

    def __init__(self, source: SceneSource, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe
        self._kept: dict[int, Compact] = {}

    def __getitem__(self, item: tuple[int, int]) -> Compact:
        """Return responses, evidence, context and ground truth of one crop."""
        scene, draw = item
        rng = np.random.default_rng([self._source.seed, scene, draw])
        piece, reverse = augment(self._load(scene), rng, self._recipe.crop)
        if reverse:
            self._source.task.reverse(piece)
        return {name: np.ascontiguousarray(v, np.float16) for name, v in piece.items()}

    def _load(self, scene: int) -> Compact:
        if scene not in self._kept:
            for old in [s for s in self._kept if s <= scene - self._recipe.pool]:
                del self._kept[old]
            self._kept[scene] = self._source.draw(scene)
        return self._kept[scene]


def augment(whole: Compact | Arrays, rng: np.random.Generator, crop: int) -> tuple[Arrays, bool]:
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
    """Batches of (scene, draw) from a pool whose oldest scenes are replaced step by step.

    The pool of a step is `pool` consecutive scenes; over the training it moves from the first to
    the last of `scenes`. Batches depend on the step and on the number of workers only, so
    training resumes anywhere. No scene is drawn by two processes: an item of a batch is always
    of the same group of scenes, a step always of the same worker's.

    Args:
        recipe: its steps, batch, scenes, pool and seed.
        first: step to start at.
        workers: processes that load in turn; the DataLoader must have as many.
        rank, world: rank and number of the processes that share a step.
    """

    def __init__(
        self, recipe: Recipe, first: int, workers: int, rank: int = 0, world: int = 1
    ) -> None:
        self._recipe = recipe
        self._steps = range(first, recipe.steps)
        self._workers = max(workers, 1)
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        recipe = self._recipe
        count, groups = min(recipe.pool, recipe.scenes), math.gcd(recipe.batch, GROUPS)
        for step in self._steps:
            rng = np.random.default_rng([recipe.seed, step])
            start = step * (recipe.scenes - count) // recipe.steps
            picks, draws = rng.random(recipe.batch), rng.integers(2**31, size=recipe.batch)
            period = groups * self._workers
            items = []
            for k in range(self._rank, recipe.batch, self._world):
                own = k % groups + groups * (step % self._workers)
                oldest = start + (own - start) % period
                choices = -(-(start + count - oldest) // period)
                scene = oldest + period * int(picks[k] * choices)
                items.append((scene, int(draws[k])))
            yield items

    def __len__(self) -> int:
        return len(self._steps)


def smallest_pool(batch: int, workers: int) -> int:
    """Return the smallest pool that has a scene for every worker and group."""
    return math.gcd(batch, GROUPS) * max(workers, 1)
