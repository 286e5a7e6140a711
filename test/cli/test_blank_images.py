"""An image of a stack that is black or white is left out and named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rendered import plane, render

import sff_ros
from sff_ros.cli.main import main

COUNT, BLACK = 9, 4
GROUND_TRUTH = plane(2.0, 6.0)
FOCUS = [1.0 + 0.5 * index for index in range(COUNT)]


def write_stack(folder: Path, black: tuple[int, ...] = (), without: tuple[int, ...] = ()) -> Path:
    (folder / 'truth').mkdir(parents=True)
    np.save(folder / 'truth' / 'index.npy', GROUND_TRUTH)
    images = render(GROUND_TRUTH, np.arange(COUNT, dtype=float), growth_px=1.0)
    for index, image in enumerate(images):
        if index not in without:
            stored = np.zeros_like(image) if index in black else image
            cv2.imwrite(str(folder / f'slice_{index}.png'), stored)
    kept = [focus for index, focus in enumerate(FOCUS) if index not in without]
    (folder / 'stack.yaml').write_text(f'focus_dpt: {kept}\n')
    return folder


def depth_of(folder: Path, out: Path) -> tuple[sff_ros.StackDepth, dict[str, np.ndarray]]:
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    maps = {
        name: np.asarray(cv2.imread(str(out / f'{name}.tiff'), cv2.IMREAD_UNCHANGED))
        for name in ('index', 'confidence', 'depth')
    }
    stack = sff_ros.read_stack(folder)
    return sff_ros.stack_to_depth(stack, sff_ros.open_backend('peak')), maps


def test_depth_is_as_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_stack(tmp_path / 'black', (BLACK,))
    depth, maps = depth_of(folder, tmp_path / 'out')
    assert capsys.readouterr().err == (f'{folder}: 1 of 9 images left out: slice_4.png is black\n')
    assert depth.left_out == (sff_ros.BlankSlice(BLACK, 'black'),)
    other, expected = depth_of(write_stack(tmp_path / 'less', (), (BLACK,)), tmp_path / 'other')
    assert capsys.readouterr().err == ''
    assert other.left_out == ()
    for name in ('confidence', 'depth'):
        np.testing.assert_array_equal(maps[name], expected[name])
    # Its positions count the black image, those of the other stack do not.
    assert np.abs(maps['index'] - GROUND_TRUTH)[8:-8, 8:-8].mean() < 0.2
    assert np.abs(expected['index'] - GROUND_TRUTH)[8:-8, 8:-8].mean() > 0.4
    np.testing.assert_array_equal(depth.position, maps['index'])
    np.testing.assert_array_equal(depth.depth_m, maps['depth'])


def test_evaluate_counts_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_stack(tmp_path / 'black', (0, BLACK))
    assert main(['evaluate', str(folder), '--backends', 'peak', '--json']) == 0
    said = capsys.readouterr()
    assert '2 of 9 images left out: slice_0.png is black, slice_4.png is black' in said.err
    assert json.loads(said.out)['rows'][0]['mae'] < 0.3


@pytest.mark.parametrize('verb', ['depth', 'evaluate'])
def test_too_few_others_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    folder = write_stack(tmp_path / 'black', tuple(range(7)))
    how = ['--backend', 'peak', '--out', str(tmp_path / 'out')]
    assert main([verb, str(folder), *(how if verb == 'depth' else ['--backends', 'peak'])]) == 1
    words = {
        'depth': 'slice 6 is black',
        'evaluate': '7 of 9 images are black, white',
    }
    assert words[verb] in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
