"""The training loop: resumes after any interruption, on one processor or many."""

from __future__ import annotations

import copy
import io
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from sff_ros.errors import ConfigError, ModelError
from sff_ros.files.whole_file import read_file, write_file
from sff_ros.network.checkpoint import MAX_BYTES, assign_weights, read_safetensors
from sff_ros.training.dataset import EndlessOrder, ScenePool, SceneSource, smallest_pool
from sff_ros.training.drawing.textures import Textures
from sff_ros.training.history import History
from sff_ros.training.recipes import Recipe
from sff_ros.training.tasks import TASKS, Batch, Task
from sff_ros.training.traced.samples import open_traced
from sff_ros.training.validation import Validation
from sff_ros.training.workers import on_device, start_worker

CHECKPOINT = 'checkpoint.pt'
SMOOTHING = 0.98  # of the displayed loss


@dataclass(frozen=True, slots=True)
class Run:
    """Where and how to train; of these, `weights` and `traced` affect the result.

    Attributes:
        out: receives the checkpoint, history.csv and history.png.
        weights: a .safetensors of `sff export` to start from, if `out` has no checkpoint.
        save_s: seconds between checkpoints.
        validate_every: steps.
        workers: processes that draw scenes, for each process that trains.
        device: 'cpu', 'cuda' or 'auto'.
        traced: folder of path-traced scenes to use as well. Training goes on with whatever is in
            it, but only with the same files as one that was never interrupted.
        traced_share: of the scenes that are of that folder.
    """

    out: Path
    weights: Path | None = None
    save_s: float = 300.0
    validate_every: int = 1000
    workers: int = 1
    device: str = 'auto'
    traced: Path | None = None
    traced_share: float = 0.2


class Trainer:
    """Holds the state of one training.

    Raises:
        ConfigError: batch or pool do not fit the processes, or `traced` not the recipe.
        ModelError: the checkpoint is of another recipe, or `weights` are of another network.
    """

    def __init__(self, recipe: Recipe, run: Run, textures: Textures) -> None:
        self.recipe, self.run = recipe, run
        if recipe.batch % int(os.environ.get('WORLD_SIZE', '1')):
            raise ConfigError(
                f'a batch of {recipe.batch} cannot be split over {os.environ["WORLD_SIZE"]} '
                'processes'
            )
        least = smallest_pool(recipe.batch, run.workers)
        if min(recipe.pool, recipe.scenes) < least:
            raise ConfigError(
                f'a pool of {min(recipe.pool, recipe.scenes)} scenes is too small for '
                f'{run.workers} workers: set --pool and --scenes to {least} or more'
            )
        self.rank = int(os.environ.get('RANK', '0'))
        self.world = int(os.environ.get('WORLD_SIZE', '1'))
        self.device = _device(run.device)
        torch.set_num_threads(_own_cores(run.workers, self.world))
        self.task: Task = TASKS[recipe.network]()
        torch.manual_seed(recipe.seed)
        # Channels last: convolutions in bfloat16 take a tenth less time on CPUs.
        self.network = self.task.build(recipe).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval() if recipe.ema else self.network
        self.optimizer = _optimizer(self.network, recipe)
        self.step, self.seconds = 0, 0.0
        self.history = History(run.out)
        traced = None
        if run.traced is not None:
            traced = open_traced(run.traced, run.traced_share, recipe.size)
        source = SceneSource(textures, self.task, recipe.size, recipe.seed, recipe.hard, traced)
        self._scenes = ScenePool(source, recipe)
        self.validation = Validation(source, run.workers, self.device)
        self._stopping = False
        run.out.mkdir(parents=True, exist_ok=True)
        if (run.out / CHECKPOINT).exists():
            self._load(run.out / CHECKPOINT)
        elif run.weights is not None:
            for network in (self.network, self.average):
                assign_weights(network, read_safetensors(run.weights)[0], run.weights)

    def train(self) -> bool:
        """Train to the end or until a stop signal; return whether it is finished."""
        if self.world == 1:
            return self._train(self.network)
        torch.distributed.init_process_group()
        try:
            return self._train(DistributedDataParallel(self.network))
        finally:
            # At interpreter exit its threads may outlive what they use.
            torch.distributed.destroy_process_group()

    def _train(self, model: nn.Module) -> bool:
        saved = started = time.monotonic()
        before, shown = self.seconds, float('nan')
        with self._stops_on_signals(), self._progress() as bar:
            for batch in self._batches():
                loss, error = self._update(model, batch)
                shown = error if math.isnan(shown) else SMOOTHING * shown + (1 - SMOOTHING) * error
                self.step += 1
                self.seconds = before + time.monotonic() - started
                bar.set_postfix_str(f'loss {loss:.3f}, error {shown:.3f}', refresh=False)
                bar.update()
                if self.step % self.run.validate_every == 0 or self.step == self.recipe.steps:
                    self._record(shown)
                stopping = self._all_stop()
                if stopping or time.monotonic() - saved > self.run.save_s:
                    self._save()
                    saved = time.monotonic()
                if stopping:
                    return False
        self._save()
        return True

    def _update(self, model: nn.Module, batch: Batch) -> tuple[float, float]:
        """Make one step; return loss and error."""
        recipe = self.recipe
        batch = on_device(batch, self.device)
        rate = learning_rate(recipe, self.step)
        for group in self.optimizer.param_groups:
            group['lr'] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            loss, error = self.task.loss(model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        if bool(torch.isfinite(norm)):  # skip a bad batch
            self.optimizer.step()
        if recipe.ema:
            # The average starts at the initial weights; a lower decay early on discards them.
            share = min(recipe.ema, (1 + self.step) / (10 + self.step))
            for old, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                old.data.lerp_(new.data, 1 - share)
        return loss.item(), error.item()

    def _batches(self) -> DataLoader[Batch]:
        order = EndlessOrder(self.recipe, self.step, self.run.workers, self.rank, self.world)
        return DataLoader(
            self._scenes,
            batch_sampler=order,
            num_workers=self.run.workers,
            pin_memory=self.device.type == 'cuda',
            worker_init_fn=start_worker,
        )

    def _all_stop(self) -> bool:
        """Return whether any process was asked to stop: all must end at the same step."""
        if self.world == 1:
            return self._stopping
        asked = torch.tensor(float(self._stopping), device=self.device)
        torch.distributed.all_reduce(asked)
        return bool(asked > 0)

    def _record(self, shown: float) -> None:
        if self.rank:
            return
        rate = learning_rate(self.recipe, self.step - 1)
        self.history.add(
            step=self.step,
            hours=self.seconds / 3600,
            learning_rate=rate,
            train_mae=shown,
            **self.validation.score(self.average),
        )

    def _save(self) -> None:
        """Replace the checkpoint."""
        if self.rank:
            return
        state = {
            'step': self.step,
            'seconds': self.seconds,
            'recipe': repr(_lasting(self.recipe)),
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimizer': self.optimizer.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_file(self.run.out / CHECKPOINT, buffer.getvalue())

    def _load(self, file: Path) -> None:
        buffer = io.BytesIO(read_file(file, MAX_BYTES))
        state: dict[str, Any] = torch.load(buffer, map_location=self.device, weights_only=True)
        if state['recipe'] != repr(_lasting(self.recipe)):
            raise ModelError(f'{file} is of another recipe: {state["recipe"]}')
        self.network.load_state_dict(state['network'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.step, self.seconds = state['step'], state['seconds']

    def _progress(self) -> Any:
        return tqdm(total=self.recipe.steps, initial=self.step, unit='step', disable=self.rank > 0)

    @contextmanager
    def _stops_on_signals(self) -> Iterator[None]:
        """Finish the step and save before ending on SIGINT or SIGTERM."""

        def stop(_: int, __: FrameType | None) -> None:
            self._stopping = True

        kept = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the learning rate of a step: see Recipe."""
    rate = recipe.learning_rate
    if step < recipe.warmup:
        rate *= (step + 1) / recipe.warmup
    if not recipe.fall:
        return rate * 0.5 ** int(step * (recipe.halvings + 1) / recipe.steps)
    start = recipe.steps * (1 - recipe.fall)
    done = min(max((step - start) / (recipe.steps - start), 0), 1)
    return rate * (1 + math.cos(math.pi * done)) / 2


def _lasting(recipe: Recipe) -> Recipe:
    """Return the recipe without what a resumed training may change: length, scenes and pool."""
    return replace(recipe, steps=0, scenes=0, pool=0, fall=0.0)


def _device(name: str) -> torch.device:
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cuda' and 'LOCAL_RANK' in os.environ:
        name = f'cuda:{os.environ["LOCAL_RANK"]}'
    return torch.device(name)


def _own_cores(workers: int, world: int) -> int:
    """Return a process's share of the cores, less its workers: a thread that waits spins."""
    return max(1, len(os.sched_getaffinity(0)) // world - workers)


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW; for the paper's network Adam, whose weight decay is part of the gradient."""
    kind = torch.optim.Adam if recipe.network == 'ddl_gru' else torch.optim.AdamW
    return kind(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
