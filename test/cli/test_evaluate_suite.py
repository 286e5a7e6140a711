"""`sff evaluate --suite robustness`, as a user runs it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from sff_ros.cli.evaluation.robustness_scenes import REFERENCE, SCENES
from sff_ros.cli.evaluation.robustness_scores import (
    ALL,
    Decile,
    EdgeBin,
    RobustnessRow,
    SuiteScores,
)
from sff_ros.cli.main import main
from sff_ros.cli.report.robustness_plots import edge_plot, reliability_plot
from sff_ros.cli.report.robustness_table import markdown, to_numbers
from sff_ros.core.image import RgbImage
from sff_ros.files.image import read_image
from sff_ros.inference.choice import open_backend

SUITE = ['evaluate', '--suite', 'robustness', '--size', 'small']


@pytest.mark.slow
def test_the_small_suite_is_complete_and_deterministic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [tmp_path / 'one', tmp_path / 'other']
    for out in outs:
        assert main([*SUITE, '--out', str(out)]) == 0
    printed = capsys.readouterr().out
    one, other = ((out / 'robustness.json').read_text() for out in outs)
    assert one == other
    table = (outs[1] / 'robustness.md').read_text()
    assert printed == 2 * table
    report = json.loads(one)
    names = list(dict.fromkeys(row['backend'] for row in report['rows']))
    # Where no network runs, auto is peak.
    assert names == list(dict.fromkeys(['peak', open_backend('auto', '').spec.name]))
    rows = {(row['scene'], row['backend']): row for row in report['rows']}
    assert list(rows) == [(scene, name) for scene in SCENES for name in names]
    for (scene, name), row in rows.items():
        assert f'| {scene.ljust(22)} | {name.ljust(7)} |' in table
        assert 0 <= row['wrong'] <= row['published'] <= 1, scene
    for name in names:
        assert [len(tenths) for tenths in report['reliability'][name].values()] == [10, 10]
        assert sum(part['pixels'] for part in report['edges'][name]) == pytest.approx(1, abs=1e-5)
    # Sharpness does not change, and the classical method needs a peak.
    assert rows['lens stands still', 'peak']['published'] < 0.01
    # That the suite measures anything: both see the scene that nothing is wrong with.
    for name in names:
        assert rows[REFERENCE, name]['right_of_knowable'] > 0.5
        assert rows[REFERENCE, name]['error'] < 0.5
    images = {path.name for path in outs[0].glob('*.png')}
    assert len(images) == len(SCENES) + 2
    assert read_image(outs[0] / 'lights_at_night.png').shape[1] > (5 + len(names)) * 320


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--suite', 'robustness', 'my_stack'], 'my_stack cannot be added'),
        ([], 'no FOLDER is given, and no --suite'),
        (['my_stack', '--min-confidence', '0.7'], '--size and --min-confidence are for --suite'),
        (['--suite', 'robustness', '--min-confidence', '1.5'], 'min_confidence'),
        (['--suite', 'robustness', '--align', 'breathing'], 'align is breathing'),
        (['--suite', 'robustness', '--backends', 'magic'], "backend 'magic' is unknown"),
    ],
)
def test_errors_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    out = tmp_path / 'out'
    assert main(['evaluate', *arguments, '--out', str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == ''
    assert said.err.count('\n') == 1
    assert said.err.startswith('sff evaluate: error: ')
    assert message in said.err
    assert not out.exists()


def scores() -> SuiteScores:
    tenths = [Decile(0.1, 0.9, math.nan), Decile(0.9, 0.05, 0.2)]
    return SuiteScores(
        min_confidence=0.5,
        rows={
            (REFERENCE, 'peak'): RobustnessRow(0.5, 0.25, 0.5, 1.25, 0.75),
            ('none', 'peak'): RobustnessRow(0.0, 0.0, math.nan, math.nan, math.nan),
        },
        reliability={'peak': {REFERENCE: tenths, ALL: tenths}},
        edges={'peak': [EdgeBin(0, 1.5, 0.2, 2.0, 0.8), EdgeBin(1.5, math.inf, 0.8, 0.1, 0.2)]},
    )


def test_tables_and_numbers() -> None:
    lines = markdown(scores()).splitlines()
    assert [cell.strip() for cell in lines[2].split('|')[1:-1]] == [
        REFERENCE, 'peak', '50.0', '25.0', '50.0', '1.250', '75.0',
    ]  # fmt: skip
    assert [cell.strip() for cell in lines[3].split('|')[3:-1]] == ['0.0', '0.0', '-', '-', '-']
    assert len({len(line) for line in lines[:4]}) == 1  # it reads as text, too
    assert '|     1 |      0.100 |     90.0 |     - |' in lines
    numbers = json.loads(json.dumps(to_numbers(scores()), allow_nan=False))
    assert numbers['rows'][1] == {
        'scene': 'none', 'backend': 'peak', 'published': 0.0, 'wrong': 0.0,
        'wrong_of_published': None, 'error': None, 'right_of_knowable': None,
    }  # fmt: skip
    assert numbers['edges']['peak'][1]['to_px'] is None


def shows(plot: RgbImage, colour: tuple[int, int, int]) -> bool:
    """Return whether a colour is in a plot, as OpenCV's anti-aliasing rounds it."""
    return bool((np.abs(plot.astype(int) - colour) <= 2).all(axis=2).any())


def test_plots_show_each_series() -> None:
    reliability, edges = reliability_plot(scores()), edge_plot(scores())
    assert shows(reliability, (30, 90, 200))
    assert shows(reliability, (240, 140, 30))
    assert shows(edges, (30, 90, 200))
    assert not shows(edges, (240, 140, 30))  # of one backend
