"""The training loop: learns, resumes, rejects checkpoints of other recipes."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from programs import HANG_S, wait

torch = pytest.importorskip('torch', reason='torch is not installed')
pytest.importorskip('safetensors', reason='safetensors is not installed')
pytest.importorskip('tqdm', reason='tqdm is not installed: see requirements/train.txt')
pytest.importorskip('matplotlib', reason='matplotlib is not installed: see requirements/train.txt')
from resumed import assert_same_weights, stopped_and_resumed  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from sff_ros.config.nodes import DepthConfig  # noqa: E402
from sff_ros.core.focus.deviation import confidence_of  # noqa: E402
from sff_ros.errors import ConfigError, ModelError  # noqa: E402
from sff_ros.network.fast_gru import FastGru  # noqa: E402
from sff_ros.training import validation  # noqa: E402
from sff_ros.training.dataset import ScenePool, SceneSource  # noqa: E402
from sff_ros.training.drawing.textures import Textures  # noqa: E402
from sff_ros.training.history import COLUMNS, History  # noqa: E402
from sff_ros.training.recipes import RECIPES, Recipe  # noqa: E402
from sff_ros.training.tasks import TASKS  # noqa: E402
from sff_ros.training.train import (  # noqa: E402
    CHECKPOINT,
    Run,
    Trainer,
    _own_cores,
    learning_rate,
)

MakeTrainer = Callable[..., Trainer]

SMALL = replace(
    RECIPES['fast'], steps=6, batch=2, scenes=3, size=64, crop=48, warmup=2, bfloat16=False
)


@pytest.fixture
def trainer_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTrainer:
    monkeypatch.setattr(validation, 'VALIDATION_SCENES', 2)

    def make(out: str, recipe: Recipe = SMALL, weights: Path | None = None) -> Trainer:
        run = Run(tmp_path / out, weights, validate_every=3, workers=0, device='cpu')
        return Trainer(recipe, run, Textures())

    return make


@pytest.mark.slow
def test_a_resumed_training_ends_as_one_that_was_never_interrupted(
    trainer_for: MakeTrainer,
) -> None:
    whole = trainer_for('whole')
    assert whole.train()
    rest = stopped_and_resumed(trainer_for, 3)
    assert_same_weights(whole, rest)
    assert [row['step'] for row in rest.history.rows()] == [3, 6]
    for row in rest.history.rows():
        assert all(math.isfinite(value) for value in row.values())
    assert (rest.run.out / 'history.png').stat().st_size > 5000


@pytest.mark.slow
def test_training_finds_the_peaks_that_the_start_missed(trainer_for: MakeTrainer) -> None:
    trainer = trainer_for('out', replace(SMALL, learning_rate=2e-3))
    ground_truth = torch.tensor([3.0, 10.0]).view(2, 1, 1, 1)
    way = torch.arange(15.0).view(1, 15, 1, 1) - ground_truth
    responses = torch.exp(-(way**2) / 4)[:, :, None].expand(2, 15, 4, 16, 16).contiguous()
    evidence = torch.full((2, 7, 16, 16), 0.5)
    evidence[:, :2] = 7
    batch = {
        'responses': responses,
        'evidence': evidence,
        'context': torch.ones(2, 3, 32, 32),
        'truth': ground_truth.expand(2, 1, 32, 32).contiguous(),
        'known': torch.ones(2, 1, 32, 32),
    }
    errors = [trainer._update(trainer.network, batch)[1] for _ in range(60)]
    assert errors[0] == pytest.approx(3.5, abs=0.1)
    assert np.mean(errors[-5:]) < 1


def test_a_checkpoint_of_another_recipe_is_refused(trainer_for: MakeTrainer) -> None:
    trainer_for('out').train()
    trainer_for('out', replace(SMALL, steps=9, scenes=5))  # longer, with more scenes: fine
    with pytest.raises(ModelError, match=r'is of another recipe'):
        trainer_for('out', replace(SMALL, learning_rate=5e-4))


def test_a_training_starts_from_given_weights_and_resumes_from_its_own(
    trainer_for: MakeTrainer, tmp_path: Path
) -> None:
    file = tmp_path / 'given.safetensors'
    given = {name: values + 0.01 for name, values in FastGru().state_dict().items()}
    save_file(given, file)
    trainer = trainer_for('out', weights=file)
    for network in (trainer.network, trainer.average):
        for name, values in network.state_dict().items():
            torch.testing.assert_close(values, given[name], msg=name)
    trainer.train()
    trained = trainer.network.state_dict()['draw.weight']
    assert not torch.equal(trained, given['draw.weight'])
    resumed = trainer_for('out', weights=file)
    assert resumed.step == 6
    torch.testing.assert_close(resumed.network.state_dict()['draw.weight'], trained)


def test_weights_of_another_network_are_refused(trainer_for: MakeTrainer, tmp_path: Path) -> None:
    file = tmp_path / 'other.safetensors'
    save_file({'draw.weight': torch.zeros(1)}, file)
    with pytest.raises(ModelError, match=r'other.safetensors: is no checkpoint of FastGru'):
        trainer_for('out', weights=file)


@pytest.mark.slow
def test_a_kill_in_the_middle_of_saving_loses_nothing(trainer_for: MakeTrainer) -> None:
    trainer = trainer_for('out')
    trainer.train()
    (trainer.run.out / '.sff_0123abcd.part').write_bytes(b'half')
    assert trainer_for('out').step == 6


def test_a_bad_batch_does_not_reach_the_weights(trainer_for: MakeTrainer) -> None:
    trainer = trainer_for('out')
    batch = {
        name: torch.from_numpy(values)[None] for name, values in trainer._scenes[0, 0].items()
    }
    batch['truth'][:] = math.nan
    trainer._update(trainer.network, batch)
    assert all(torch.isfinite(p).all() for p in trainer.network.parameters())


@pytest.mark.slow
def test_two_processes_share_each_step(tmp_path: Path) -> None:
    """As started by torchrun: the same final weights as from one process."""
    script = tmp_path / 'two.py'
    script.write_text(
        'import sys; from pathlib import Path; from dataclasses import replace\n'
        'import torch; torch.set_num_threads(1)\n'
        'from sff_ros.training import train, validation\n'
        'from sff_ros.training.recipes import RECIPES\n'
        'from sff_ros.training.drawing.textures import Textures\n'
        'validation.VALIDATION_SCENES = 1\n'
        'recipe = replace(RECIPES["fast"], steps=3, batch=2, scenes=2, size=64, crop=48,'
        ' warmup=2, bfloat16=False)\n'
        'out = Path(sys.argv[1])\n'
        'run = train.Run(out, workers=0, device="cpu")\n'
        'train.Trainer(recipe, run, Textures()).train()\n'
    )
    root = Path(__file__).resolve().parents[2]
    for processes in (1, 2):
        out = tmp_path / f'{processes}'
        command = [sys.executable, str(script), str(out)]
        if processes == 2:
            torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
            torchrun += [
                '--local-addr',
                '127.0.0.1',
            ]  # not by the host's name: that needs a network
            command[1:1] = torchrun
        environment = {**os.environ, 'PYTHONPATH': str(root), 'GLOO_SOCKET_IFNAME': 'lo'}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=HANG_S)
        assert done.returncode == 0, done.stderr.decode()
    one, two = (
        torch.load(tmp_path / f'{n}' / CHECKPOINT, weights_only=True)['network'] for n in (1, 2)
    )
    for name, values in one.items():
        torch.testing.assert_close(values, two[name], atol=2e-4, rtol=1e-2, msg=name)


@pytest.mark.slow
# Control-C reaches the whole group of processes, and torchrun's SIGTERM too.
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_leaves(tmp_path: Path, number: signal.Signals) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, '-m', 'sff_ros.cli', 'train', '--out', str(tmp_path / 'out')]
    command += ['--scenes', '8', '--workers', '1', '--device', 'cpu', '--steps', '1000']
    said = tmp_path / 'said'
    with said.open('w') as file:
        process = subprocess.Popen(
            command,
            env={**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1'},
            stderr=file,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    try:
        wait(
            lambda: process.poll() is not None or re.search(r' [1-9]\d*/1000 ', said.read_text()),
            'the first step',
        )
        os.killpg(process.pid, number)
        out, _ = process.communicate(timeout=HANG_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 1, said.read_text()
    assert b'of 1000' in out
    assert (tmp_path / 'out' / CHECKPOINT).exists()


def test_a_pool_without_a_scene_for_each_worker_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, workers=3, device='cpu')
    with pytest.raises(ConfigError, match=r'a pool of 3 scenes .* 3 workers: .* 6 or more'):
        Trainer(SMALL, run, Textures())


@pytest.mark.parametrize(
    ('recipe', 'step', 'rate'),
    [
        (RECIPES['fast'], 0, 1e-3 / 500),
        (RECIPES['fast'], 499, 1e-3),
        (RECIPES['fast'], 12_000, 1e-3),
        (RECIPES['fast'], 36_000, 0.5e-3),
        (RECIPES['fast'], 60_000, 0.0),
        (RECIPES['paper'], 0, 1e-4),
        (RECIPES['paper'], 251 * 100, 0.5e-4),
        (RECIPES['paper'], 251 * 500 - 1, 1e-4 / 16),
    ],
)
def test_learning_rates(recipe: Recipe, step: int, rate: float) -> None:
    assert learning_rate(recipe, step) == pytest.approx(rate, rel=1e-3, abs=1e-9)


def test_history_continues_after_a_step_back(tmp_path: Path) -> None:
    for step in (100, 200, 150):
        History(tmp_path).add(step=step, **dict.fromkeys(COLUMNS[1:], 0.5))
    assert [row['step'] for row in History(tmp_path).rows()] == [100, 150]


@pytest.mark.parametrize('name', TASKS)
def test_every_network_trains_a_step(name: str) -> None:
    recipe = replace(SMALL, network=name, iterations=2, size=64, crop=64)
    task = TASKS[name]()
    network = task.build(recipe)
    item = ScenePool(SceneSource(Textures(), task, 64, 1, 0.5), recipe)[0, 0]
    batch = {key: torch.from_numpy(values)[None].float() for key, values in item.items()}
    loss, error = task.loss(network, batch)
    loss.backward()
    assert error.item() >= 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    with torch.inference_mode():
        position, uncertainty = task.estimate(network, batch)
    assert position.shape == uncertainty.shape == (1, 1, 64, 64)


def test_the_shipped_size_is_the_default() -> None:
    assert FastGru().config.iterations == RECIPES['fast'].iterations


@pytest.mark.parametrize(
    ('cores', 'workers', 'world', 'expected'),
    [(2, 1, 1, 1), (2, 2, 1, 1), (2, 1, 2, 1), (16, 1, 1, 15), (16, 3, 2, 5), (4, 0, 1, 4)],
)
def test_training_leaves_the_cores_of_its_workers_alone(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, world: int, expected: int
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(cores)))
    assert _own_cores(workers, world) == expected


def test_published_in_validation_is_what_nodes_publish_by_default() -> None:
    scale = np.full((1, 1), validation.PUBLISHED_SCALE, np.float32)
    default = DepthConfig().min_confidence
    np.testing.assert_allclose(confidence_of(scale), default, rtol=1e-6)
