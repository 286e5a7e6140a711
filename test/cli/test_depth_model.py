"""`sff depth --model`: an exported network instead of the one that comes with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stack_files import make_folder

from sff_ros.cli.main import main
from sff_ros.inference.onnx_file import sidecar_path
from sff_ros.inference.shipped import shipped_model

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')


def depth(folder: Path, out: Path, *options: str) -> int:
    return main(['depth', str(folder), '--out', str(out), '--backend', 'onnx', *options])


def copied(name: str, model: Path) -> Path:
    for file, copy in ((name, model), (f'{name}.json', sidecar_path(model))):
        shutil.copy(shipped_model(file), copy)
    return model


def test_a_model_of_ones_own_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = copied('fast_gru.onnx', tmp_path / 'mine.onnx')
    folder = make_folder(tmp_path / 'in')
    assert depth(folder, tmp_path / 'usual') == 0
    assert depth(folder, tmp_path / 'own', '--model', str(model)) == 0
    maps = [(tmp_path / name / 'index.tiff').read_bytes() for name in ('own', 'usual')]
    assert maps[0] == maps[1]
    copied('ddl.onnx', model)
    assert depth(folder, tmp_path / 'other', '--model', str(model)) == 1
    assert "mine.onnx.json: holds 'ddl', expected fast_gru" in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()
