"""`python -m sff_ros.training.traced`: renders what is missing, and says what it needs."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest
from traced_scene import hand_made

from sff_ros.errors import ConfigError
from sff_ros.training.traced import __main__ as command
from sff_ros.training.traced import rendering
from sff_ros.training.traced.files import TracedScene
from sff_ros.training.traced.mitsuba_import import mitsuba


def test_an_interrupted_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []

    def render(seed: int, number: int, *_: Any) -> TracedScene:
        if number == 2 and len(rendered) == 2:
            rendered.append(-1)
            raise ConfigError('the power failed')
        rendered.append(number)
        return hand_made()

    monkeypatch.setattr(rendering, 'render_scene', render)
    monkeypatch.setattr(command, 'mitsuba', lambda: None)
    arguments = ['--out', str(tmp_path / 'new'), '--scenes', '4', '--seed', '5']
    assert command.main(arguments) == 1
    assert command.main(arguments) == 0
    assert rendered == [0, 1, -1, 2, 3]
    names = sorted(file.name for file in (tmp_path / 'new').iterdir())
    assert names == [f'scene_5_{k:06d}.npz' for k in range(4)]


def test_a_missing_mitsuba_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **kinds: Any) -> Any:
        if name == 'mitsuba':
            raise ImportError("No module named 'mitsuba'")
        return real(name, *rest, **kinds)

    monkeypatch.setattr(builtins, '__import__', without)
    mitsuba.cache_clear()
    assert command.main(['--out', str(tmp_path)]) == 1
    assert 'pip install -r requirements/traced.txt' in capsys.readouterr().err
    assert 'mitsuba' not in sys.modules or mitsuba.cache_info().currsize == 0
