from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stack_files import make_folder

from sff_ros.cli import evaluate as verb
from sff_ros.cli.evaluate import stack_names
from sff_ros.cli.evaluation.scoring import Row, mean_row, to_numbers
from sff_ros.cli.main import main
from sff_ros.cli.report.evaluation_plot import evaluation_plot
from sff_ros.cli.report.evaluation_table import markdown
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, Responses, measure_ddl
from sff_ros.core.image import Image
from sff_ros.errors import ConfigError, ModelError
from sff_ros.files.image import read_image
from sff_ros.inference.backend import DepthBackend, ModelSpec
from sff_ros.inference.choice import open_backend

HEIGHT, WIDTH = 32, 40
GROUND_TRUTH = np.tile(np.linspace(0.5, 2, WIDTH, dtype=np.float32), (HEIGHT, 1))


class OffBackend:
    """Returns GROUND_TRUTH, off by 0.25 on the left and by 1.25 on the right, sure on the left."""

    spec = ModelSpec('off', slices=0, size_multiple=1, sha256='', precision='fp32', pooling=2)

    def measure(self, image: Image) -> Responses:
        return measure_ddl(image, 2)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        left = np.zeros(GROUND_TRUTH.shape, bool)
        left[:, : WIDTH // 2] = True
        position = GROUND_TRUTH + np.where(left, np.float32(0.25), np.float32(-1.25))
        sure = np.where(left, np.float32(0.9), np.float32(0.2))
        deviation = np.empty_like(position)
        deviation[:] = np.repeat([0.3, 0.2, 0.1], (5, 10, WIDTH - 15))
        return FocusEstimate(position, sure, deviation)


class RefusingBackend(OffBackend):
    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        raise ModelError('too small')


def backend_of(name: str, model: str = '') -> DepthBackend:
    known = {'off': OffBackend, 'auto': OffBackend, 'refusing': RefusingBackend}
    return known[name]() if name in known else open_backend(name, model)


def make_stack(
    folder: Path, ground_truth: npt.NDArray[Any] | None = GROUND_TRUTH, yaml: str = ''
) -> Path:
    make_folder(folder, 4, yaml)
    if ground_truth is not None:
        (folder / 'truth').mkdir()
        np.save(folder / 'truth' / 'index.npy', ground_truth)
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, 'open_backend', backend_of)


@pytest.mark.usefixtures('opened')
def test_columns_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ground_truth = GROUND_TRUTH.copy()
    ground_truth[:, 30:] = np.nan  # of the right half, half is known
    folder = make_stack(tmp_path / 'a', ground_truth, 'focus_dpt: [1, 2, 3, 4]')
    assert main(['evaluate', str(folder), '--backends', 'off', '--json']) == 0
    said = capsys.readouterr()
    assert said.err == 'a, off: MAE 0.583\n'
    report = json.loads(said.out)
    (row,) = report['rows']
    assert (row['stack'], row['backend']) == ('a', 'off')
    expected = {
        'mae': (2 * 0.25 + 1.25) / 3,
        'rmse': math.sqrt((2 * 0.25**2 + 1.25**2) / 3),
        'bad_1': 1 / 3,
        'mae_50': 0.25,
        'mae_70': (0.25 * 20 + 1.25) / 21,
        'mae_90': (0.25 * 20 + 1.25 * 7) / 27,
        'valid': 2 / 3,
        'within_1': 5 / 20,
        'within_2': 15 / 20,
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=1e-5), name
    dioptres = 1 + GROUND_TRUTH[0, :30].astype(float)
    estimated = dioptres + np.where(np.arange(30) < 20, 0.25, -1.25)
    # Behind the far end of the sweep there is no depth: position 0 is not reached here.
    inside = estimated > 1
    depth, found = 1 / dioptres, 1 / np.where(inside, estimated, 1)
    assert row['abs_rel'] == pytest.approx(
        np.mean((np.abs(found - depth) / depth)[inside]), abs=1e-5
    )
    assert row['seconds'] > 0
    assert report['mean'] == {'off': {k: row[k] for k in to_numbers(mean_row([]))}}


@pytest.mark.usefixtures('opened')
def test_table_and_images_of_two_stacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(make_stack(tmp_path / parent / 's')) for parent in ('x', 'y')]
    out = tmp_path / 'out'
    assert main(['evaluate', *folders, '--backends', 'off,peak,auto', '--out', str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('| stack | backend | MAE | RMSE | bad-1, % | bumpiness |')
    labels = [tuple(line.split(' | ')[:2]) for line in lines[2:]]
    stacks = ('| x_s', '| y_s', '| mean')
    assert labels == [(stack, name) for stack in stacks for name in ('off', 'peak')]
    assert lines[2].split(' | ')[2:5] == ['0.750', '0.901', '50.0']
    assert (out / 'evaluation.md').read_text().splitlines() == lines
    assert len(json.loads((out / 'evaluation.json').read_text())['rows']) == 4
    assert {path.name for path in out.glob('*.png')} == {
        f'{stack}_{name}.png' for stack in ('x_s', 'y_s') for name in ('off', 'peak')
    }
    image = read_image(out / 'x_s_off.png')
    assert image.shape[0] > 300
    assert image.shape[1] > 4 * image.shape[0]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['blank'], 'blank: has no ground truth; expected truth/index.npy'),
        (['gone'], 'gone: has no ground truth'),
        (['other'], r'index\.npy: is 9x8, the slices are 40x32'),
        (['good', 'good'], 'good is given twice'),
        (['good', '--backends', 'magic'], "backend 'magic' is unknown; one of auto"),
        (['good', '--backends', 'off,'], "backend '' is unknown; one of auto"),
        (['good', '--backends', 'refusing'], 'good, refusing: too small'),
        (['good', '--backends', 'onnx', '--model', 'my.bin'], 'my.bin: backend onnx runs .onnx'),
        (['good', '--out', 'good'], '--out good holds a stack'),
        (['good', '--out', 'blank/slice_0.png'], 'is a file, not a folder'),
    ],
)
@pytest.mark.usefixtures('opened')
def test_errors_are_one_line_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    make_stack(tmp_path / 'good')
    make_stack(tmp_path / 'blank', None)
    make_stack(tmp_path / 'other', np.ones((8, 9)))
    monkeypatch.chdir(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob('*'))
    options = [] if '--backends' in arguments else ['--backends', 'off']
    options += [] if '--out' in arguments else ['--out', 'out']
    assert main(['evaluate', *arguments, *options]) == 1
    said = capfd.readouterr()
    assert said.out == ''
    assert re.fullmatch(rf'sff evaluate: error: .*{message}.*\n', said.err)
    assert sorted(str(path) for path in tmp_path.rglob('*')) == before


def test_a_model_is_for_the_backends_that_run_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(name: str, model: str = '') -> DepthBackend:
        asked.append((name, model))
        return OffBackend()

    monkeypatch.setattr(verb, 'open_backend', opened)
    folder = make_stack(tmp_path / 'good')
    arguments = ['evaluate', str(folder), '--backends', 'peak,onnx,auto', '--model', 'my.onnx']
    assert main(arguments) == 0
    assert asked == [('peak', ''), ('onnx', 'my.onnx'), ('auto', 'my.onnx')]


def test_means_leave_out_what_does_not_apply() -> None:
    one, two = Row(*[1.0] * 12), replace(Row(*[4.0] * 12), abs_rel=math.nan)
    mean = mean_row([one, two])
    assert (mean.mae, mean.abs_rel) == (2.5, 1.0)
    assert to_numbers(two)['abs_rel'] is None
    table = markdown([('a', 'peak', one), ('b', 'peak', two)])
    assert table.splitlines()[3].split(' | ')[2:6] == ['4.000', '4.000', '400.0', '-']
    assert 'AbsRel' not in markdown([('b', 'peak', two)])


def test_stacks_of_one_name_are_distinguished() -> None:
    assert stack_names([Path('/a/s'), Path('/b/t')]) == ['s', 't']
    assert stack_names([Path('/a/x/s'), Path('/b/x/s')]) == ['a_x_s', 'b_x_s']
    with pytest.raises(ConfigError, match='/a/s is given twice'):
        stack_names([Path('/a/s'), Path('/a/../a/s')])


def test_ground_truth_and_estimate_share_their_colours() -> None:
    sharp = np.full((300, 200), 77, np.uint8)
    ground_truth = np.tile(np.linspace(0, 9, 200, dtype=np.float32), (300, 1))
    image = evaluation_plot(sharp, ground_truth, (ground_truth / 2).astype(np.float32))
    paper = (image[100] == 255).all(axis=-1)
    edges = np.flatnonzero(np.diff(np.r_[True, paper, True].astype(int)))
    panels = [image[-300:, a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert (panels[0] == 77).all()
    np.testing.assert_array_equal(panels[1][:, :100], panels[2][:, ::2])
    error = next(panel for panel in panels[3:] if panel.shape[1] == 200)
    assert (error[:, -1, 2] > error[:, -1, 0]).all()  # below the ground truth: blue
    assert (error[:, 0] > 240).all()  # right: white
