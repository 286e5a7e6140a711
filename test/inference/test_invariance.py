"""The shipped network on the same scenes, swept and exposed in other ways."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from drawn import EVEN, drawn
from rendered import run

from sff_ros.core.focus.canonical import canonical_places

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.image import FloatMap, Floats, Mask
from sff_ros.inference.choice import open_backend

SCENES = range(900, 908)
STEPS = np.random.default_rng(0).uniform(1, 3, 14)
SWEEPS = {
    '8 slices': np.linspace(0, 14, 8),
    '12 slices': np.linspace(0, 14, 12),
    '41 slices': np.linspace(0, 14, 41),
    '60 slices': np.linspace(0, 14, 60),
    'steps of up to 3:1': np.concatenate([[0], np.cumsum(STEPS) / STEPS.sum() * 14]),
    'reversed': EVEN[::-1],
}


def mean_error(places: Floats, gain: float = 1.0) -> float:
    """Return the mean absolute error, canonical positions, where the usual sweep tells them."""
    return float(
        np.concatenate(
            [e[k] for e, k in zip(errors(places, gain), published(), strict=True)]
        ).mean()
    )


def errors(places: Floats, gain: float = 1.0, name: str = 'onnx') -> list[FloatMap]:
    """Return the absolute errors of each scene, canonical positions."""
    backend = open_backend(name)
    found = []
    for seed in SCENES:
        stack, ground_truth = drawn(seed, places, gain)
        position = run(backend, stack, places).position
        got = np.interp(position, np.arange(len(places)), canonical_places(places))
        got = 14 - got if places[0] > places[-1] else got
        found.append(np.abs(got - np.clip(ground_truth, 0, 14)))
    return found


@cache
def published() -> list[Mask]:
    """Return, for each scene, what is published of it; elsewhere any answer is arbitrary."""
    backend, least = open_backend('onnx'), DepthConfig().min_confidence
    return [run(backend, drawn(seed)[0], EVEN).confidence >= least for seed in SCENES]


@cache
def usual_error() -> float:
    return mean_error(EVEN)


@pytest.mark.slow
@pytest.mark.parametrize('name', SWEEPS)
def test_another_sweep_of_the_same_scene_is_as_good(name: str) -> None:
    assert mean_error(SWEEPS[name]) < 1.2 * usual_error()


@pytest.mark.parametrize('gain', [0.5, 1.15])
def test_exposure_hardly_matters(gain: float) -> None:
    assert mean_error(EVEN, gain) < 1.2 * usual_error()


def test_it_is_better_than_the_classical_answer() -> None:
    assert np.mean(errors(EVEN)) < 0.75 * np.mean(errors(EVEN, name='peak'))
