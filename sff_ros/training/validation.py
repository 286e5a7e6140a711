"""Scores of a network on scenes that no training sees."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import DataLoader

from sff_ros.training.dataset import Compact, FixedScenes, SceneSource
from sff_ros.training.workers import on_device, start_worker

VALIDATION_SEED = 0  # recipes use others
VALIDATION_SCENES = 64  # of each kind
KINDS = {'validation': 0.0, 'hard': 1.0}  # columns of the history -> SceneSource.hard
COVERAGE = 0.7
# Positions; of a confidence of 0.5 if the network stated its errors as they are: see
# core/focus/deviation.
PUBLISHED_SCALE = 1 / math.log(2)
WRONG = 1.0  # positions


class Validation:
    """Fixed scenes: those of good cameras and hard ones, drawn once at the first score.

    Args:
        source: task, textures and size.
        workers: processes that draw them.
        device: where the network is.
    """

    def __init__(self, source: SceneSource, workers: int, device: torch.device) -> None:
        self._source = source
        self._workers = workers
        self._device = device
        self._scenes: dict[str, list[Compact]] = {}

    def score(self, network: nn.Module) -> dict[str, float]:
        """Score both kinds.

        Returns:
            For each of KINDS, as `validation_mae` and so on: the mean absolute error where the
            position can be known, positions, `mae`, and `mae_70` of the most certain 70 %;
            `wrong`: the share of all pixels that are published, though off by more than WRONG or
            unknowable; `published`: the share of the right ones that are. The errors are NaN if
            no scene can be known anywhere.
        """
        network.eval()
        return {
            f'{kind}_{name}': value
            for kind in KINDS
            for name, value in self._score(network, self._fixed(kind)).items()
        }

    def _score(self, network: nn.Module, scenes: list[Compact]) -> dict[str, float]:
        errors, sure, wrong = [], [], []
        right = right_published = 0
        for scene in scenes:
            tensors = {name: torch.from_numpy(values)[None] for name, values in scene.items()}
            batch = on_device(tensors, self._device)
            with torch.inference_mode():
                position, scale = self._source.task.estimate(network, batch)
            known = batch['known'] > 0
            error = (position - batch['truth']).abs()
            published = scale <= PUBLISHED_SCALE
            correct = known & (error <= WRONG)
            wrong.append(float((published & ~correct).float().mean()))
            right += int(correct.sum())
            right_published += int((correct & published).sum())
            if known.any():
                error, scale = error[known], scale[known]
                order = scale.argsort()[: math.ceil(COVERAGE * error.numel())]
                errors.append(float(error.mean()))
                sure.append(float(error[order].mean()))
        return {
            'mae': _mean(errors),
            'mae_70': _mean(sure),
            'wrong': _mean(wrong),
            'published': right_published / right if right else math.nan,
        }

    def _fixed(self, kind: str) -> list[Compact]:
        if kind not in self._scenes:
            source = replace(self._source, seed=VALIDATION_SEED, hard=KINDS[kind], traced=None)
            loader = DataLoader(
                FixedScenes(source, VALIDATION_SCENES),
                batch_size=None,
                num_workers=self._workers,
                worker_init_fn=start_worker,
                collate_fn=_unchanged,
            )
            self._scenes[kind] = list(loader)
        return self._scenes[kind]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _unchanged(scene: Compact) -> Compact:
    return scene
