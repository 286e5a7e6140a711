"""Which files the TensorRT backend takes, what it refuses, and how it counts progress."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_cuda import FakeCuda

from sff_ros.core.model_card import ModelCard, to_sidecar
from sff_ros.errors import ModelError
from sff_ros.inference.onnx_file import sidecar_path
from sff_ros.inference.tensorrt import backend as tensorrt
from sff_ros.inference.tensorrt.backend import Device, open_tensorrt
from sff_ros.inference.tensorrt.build import Phases
from sff_ros.inference.tensorrt.program import Gpu

LIBRARY = SimpleNamespace(__name__='tensorrt', __version__='10.3.0')
DEVICE = Device(LIBRARY, FakeCuda(), Gpu('Orin', (8, 7), '12.6'))


def write(path: Path, name: str, sha256: str, precision: str = 'fp32') -> Path:
    """Write what counts as an ONNX file of ours until TensorRT reads it."""
    card, content = ModelCard(name, 15, 2, 16, sha256, '1', precision), path.name.encode()
    path.write_bytes(content)
    sidecar_path(path).write_text(to_sidecar(card, content))
    return path


@pytest.mark.parametrize(
    ('sha256', 'precision'), [('ab' * 32, 'fp16'), ('cd' * 32, 'fp32'), (None, 'fp32')]
)
def test_the_fp16_file_is_taken_if_it_is_of_the_same_weights(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sha256: str | None,
    precision: str,
) -> None:
    monkeypatch.setattr(tensorrt, 'find_device', lambda: DEVICE)
    model = write(tmp_path / 'mine.onnx', 'fast_gru', 'ab' * 32)
    if sha256 is not None:
        write(tmp_path / 'mine_fp16.onnx', 'fast_gru', sha256, 'fp16')
    assert open_tensorrt(model).spec.precision == precision


def test_a_focus_measure_beside_the_model_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tensorrt, 'find_device', lambda: DEVICE)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    model = write(tmp_path / 'mine.onnx', 'fast_gru', 'ab' * 32)
    assert open_tensorrt(model)._measuring is None
    write(tmp_path / 'ddl.onnx', 'ddl', '')
    measuring = open_tensorrt(model)._measuring
    assert measuring is not None
    assert measuring.card.name == 'ddl'


def test_a_damaged_file_is_named_before_the_gpu_is_asked_for(tmp_path: Path) -> None:
    model = write(tmp_path / 'mine.onnx', 'fast_gru', 'ab' * 32)
    model.write_bytes(model.read_bytes()[:-3])
    with pytest.raises(ModelError, match=r'mine\.onnx\.json: describes another ONNX file'):
        open_tensorrt(model)


def test_nested_phases_add_up_and_never_fall_back() -> None:
    shares: list[float] = []
    phases = Phases(shares.append)
    phases.start('all', None, 2)
    phases.start('first', 'all', 4)
    phases.step('first', 1)
    phases.step('first', 4)
    phases.finish('first')
    phases.step('all', 1)  # the same half again
    phases.start('second', 'all', 2)
    phases.step('second', 1)
    phases.step('second', 2)
    phases.step('all', 2)
    phases.step('unknown', 3)
    assert shares == [0.125, 0.5, 0.75, 1.0]


def test_without_a_gpu_it_is_refused_with_a_reason() -> None:
    """Wherever this runs: in a process that can see no GPU, if it has the libraries at all."""
    code = (
        'from sff_ros.inference.tensorrt.backend import find_device\n'
        'from sff_ros.errors import ModelError\n'
        'try: find_device()\n'
        'except ModelError as err: print(err)\n'
    )
    root = Path(tensorrt.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': str(root), 'CUDA_VISIBLE_DEVICES': ''},
        timeout=60,
    )
    reasons = ('tensorrt is not installed', 'cuda-python cannot be loaded', 'no CUDA GPU')
    assert done.stdout.startswith(reasons), done.stdout + done.stderr
