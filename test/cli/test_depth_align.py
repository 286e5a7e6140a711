"""`sff depth --align`: known breathing in stack.yaml is used, missing breathing is reported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from breathing_sweep import camera, sweep, with_mover

from sff_ros.cli.main import main
from sff_ros.core.sweep.stack import Slice
from sff_ros.files.image import write_png
from sff_ros.files.stack import write_stack


def write(folder: Path, slices: list[Slice]) -> str:
    write_stack(folder, slices, camera(0.05).intrinsics)
    return str(folder)


def test_known_breathing_is_removed_into_the_reference_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    breathes = camera(0.05)
    folder = write(tmp_path / 'in', sweep(breathes))
    out = str(tmp_path / 'out')
    arguments = ['depth', folder, '--out', out, '--backend', 'peak', '--align']
    assert main([*arguments, 'breathing']) == 0
    said = capsys.readouterr().err
    assert 'motion' not in said
    assert 'alignment: slices of scale 0.97' in said
    assert 'to 1.025 of the reference focus' in said
    depth_m = cv2.imread(f'{out}/depth.tiff', cv2.IMREAD_UNCHANGED)
    assert depth_m is not None
    known = np.isfinite(depth_m)
    wrong = np.abs(1 / depth_m[known] - 1 / breathes.true_depth_m[known])
    assert known.mean() > 0.7
    assert np.median(wrong) < 0.02
    assert main([*arguments, 'none']) == 0
    said = capsys.readouterr().err
    assert 'alignment' not in said
    assert 'of the pixels moved; they have little confidence' in said


def test_unknown_breathing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / 'in', sweep(camera(0.05), calibrated=False))
    (tmp_path / 'in' / 'truth').mkdir()
    np.save(tmp_path / 'in' / 'truth' / 'index.npy', np.zeros((240, 320), np.float32))
    for verb in ('depth', 'evaluate'):
        out = str(tmp_path / 'out')
        assert main([verb, folder, '--out', out, '--align', 'breathing']) == 1
        words = (
            f'sff {verb}: error: align is breathing, but the breathing of the images is unknown'
        )
        assert words in capsys.readouterr().err
        assert not (tmp_path / 'out').exists()


def test_motion_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices = sweep(camera(0.0), calibrated=False)
    folder = tmp_path / 'in'
    folder.mkdir()
    for k, image in enumerate(with_mover(slices, 1.0, (100, 60, 120, 110))):
        write_png(folder / f'{k}.png', image)
    out = str(tmp_path / 'out')
    assert main(['depth', str(folder), '--out', out, '--backend', 'peak']) == 0
    said = capsys.readouterr().err
    assert 'of the pixels moved; they have little confidence' in said
    assert '--align' not in said  # a similarity was searched for


def test_motion_that_auto_does_not_follow_comes_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Focus distances without scales count as calibrated: the estimate is not free."""
    folder = write(tmp_path / 'in', sweep(camera(0.05), calibrated=False))
    arguments = ['depth', folder, '--out', str(tmp_path / 'out'), '--backend', 'peak']
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert 'alignment' not in said
    assert 'little confidence; --align similarity compensates camera motion' in said
    assert main([*arguments, '--align', 'similarity']) == 0
    said = capsys.readouterr().err
    assert 'alignment: slices of scale 0.97' in said
    assert 'moved' not in said
