"""Training with path-traced scenes: refuses those of another size, resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip('torch', reason='torch is not installed')
pytest.importorskip('tqdm', reason='tqdm is not installed: see requirements/train.txt')
pytest.importorskip('matplotlib', reason='matplotlib is not installed: see requirements/train.txt')
from resumed import assert_same_weights, stopped_and_resumed  # noqa: E402
from traced_scene import SIZE, hand_made  # noqa: E402

from sff_ros.errors import ConfigError  # noqa: E402
from sff_ros.training import validation  # noqa: E402
from sff_ros.training.drawing.textures import Textures  # noqa: E402
from sff_ros.training.recipes import RECIPES, Recipe  # noqa: E402
from sff_ros.training.traced.files import write_traced  # noqa: E402
from sff_ros.training.traced.samples import TracedFolder  # noqa: E402
from sff_ros.training.train import Run, Trainer  # noqa: E402

MakeTrainer = Callable[..., Trainer]

SMALL = replace(
    RECIPES['fast'], steps=4, batch=2, scenes=8, size=SIZE, crop=48, warmup=2, bfloat16=False
)


@pytest.fixture
def trainer_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTrainer:
    monkeypatch.setattr(validation, 'VALIDATION_SCENES', 1)
    folder = tmp_path / 'traced'
    folder.mkdir()
    for number in range(2):
        write_traced(folder / f'scene_1_{number:06d}.npz', hand_made())

    def make(out: str, recipe: Recipe = SMALL) -> Trainer:
        run = Run(tmp_path / out, validate_every=4, workers=0, device='cpu', traced=folder)
        return Trainer(recipe, replace(run, traced_share=0.5), Textures())

    return make


def test_scenes_of_another_size_are_refused_at_the_start(trainer_for: MakeTrainer) -> None:
    with pytest.raises(ConfigError, match=r'is \(96, 96\), the training \(64, 64\) px'):
        trainer_for('out', replace(SMALL, size=64))


@pytest.mark.slow
def test_a_resumed_training_ends_as_one_that_was_never_interrupted(
    trainer_for: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, drawn = TracedFolder.draw, []

    def counted(self: TracedFolder, *arguments: Any) -> Any:
        drawn.append(1)
        return draw(self, *arguments)

    monkeypatch.setattr(TracedFolder, 'draw', counted)
    whole = trainer_for('whole')
    assert whole.train()
    assert drawn
    assert_same_weights(whole, stopped_and_resumed(trainer_for, 2))
