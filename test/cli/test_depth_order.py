"""The order of the images that `sff depth` takes, and what it says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from stack_files import DOME
from walls import COUNT, write_walls

from sff_ros.cli.main import main


def read_map(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_an_order_that_is_not_obvious_is_printed_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = write_walls(tmp_path / 'in'), tmp_path / 'out'
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    assert 'order:' not in capsys.readouterr().err
    before = read_map(out / 'index.tiff')
    stages = [(i - COUNT // 2) * 0.5 for i in range(COUNT)]
    for i, stage in enumerate(stages):
        (folder / f'slice_{i}.png').rename(folder / f'z_{stage:g}.png')
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    names = ', '.join(f'z_{stage:g}.png' for stage in stages)
    assert f'order: {names}\n' in capsys.readouterr().err
    np.testing.assert_array_equal(read_map(out / 'index.tiff'), before)


def test_a_word_is_said_where_focus_goes_back_and_forth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(path.name for path in DOME.glob('*.jpg'))
    half = len(names) // 2
    for folder, order in (('right', names), ('wrong', [*names[:half][::-1], *names[half:]])):
        (tmp_path / folder).mkdir()
        for name, source in zip(names, order, strict=True):
            (tmp_path / folder / name).write_bytes((DOME / source).read_bytes())
        out = str(tmp_path / 'out')
        assert main(['depth', str(tmp_path / folder), '--out', out, '--backend', 'peak']) == 0
        said = f'order: sharpness rises and falls several times from {names[0]} to {names[-1]}: '
        assert (said in capsys.readouterr().err) == (folder == 'wrong')
