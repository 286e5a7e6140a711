"""`sff doctor`: its stack, its verdicts and its output."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sff_ros.cli import doctor
from sff_ros.cli.evaluation import backend_check
from sff_ros.cli.evaluation.backend_check import Trial, is_expected, try_backend
from sff_ros.cli.evaluation.reference_stack import HEIGHT, SLICES, WIDTH, KnownStack, known_stack
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.choice import Choice
from sff_ros.inference.peak import PeakBackend
from sff_ros.inference.shipped import shipped_model
from sff_ros.middleware import shared_memory


@pytest.fixture(scope='module')
def known() -> KnownStack:
    return known_stack()


def silent(what: str, share: float) -> None:
    """Ignore progress."""


def test_the_stack_is_deterministic_and_sharp_at_its_ground_truth(known: KnownStack) -> None:
    again = known_stack()
    images = [slice_.image for slice_ in known.stack.slices]
    assert len(images) == SLICES
    assert images[0].shape == (HEIGHT, WIDTH, 3)
    for mine, other in zip(images, again.stack.slices, strict=True):
        np.testing.assert_array_equal(mine, other.image)
    boards = known.ground_truth[HEIGHT // 2 :]
    assert np.unique(boards).tolist() == pytest.approx([3.0, 7.2, 11.5])
    for left, sharpest in ((20, 3), (230, 7)):  # boards at 3 and 7.2
        part = [image[260:460, left : left + 180, 0].astype(float) for image in images]
        contrast = [np.abs(np.diff(p, axis=1)).mean() for p in part]
        assert int(np.argmax(contrast)) == sharpest


def test_shared_memory_and_what_is_left_in_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_memory, 'FOLDER', tmp_path)
    monkeypatch.setattr(shared_memory, 'free_bytes', lambda: 41_000_000)
    monkeypatch.setattr(shared_memory, 'leftover_bytes', lambda: 0)
    assert dict(doctor.facts())['shared memory'] == f'41 MB free in {tmp_path}'
    monkeypatch.setattr(shared_memory, 'free_bytes', lambda: 19_000_000)
    monkeypatch.setattr(shared_memory, 'leftover_bytes', lambda: 17_600_000)
    said = dict(doctor.facts())['shared memory']
    assert '19 MB free' in said
    assert 'UDP alone' in said
    assert '17.6 MB left' in said


def test_the_classical_backend_passes(known: KnownStack) -> None:
    trial = try_backend('peak', known, known.ground_truth, silent)
    assert trial.loaded
    assert trial.wrong < 0.12
    assert trial.unlike == trial.wrong  # the ground truth was its reference
    assert trial.latency_s > 0
    assert trial.what == 'peak fp32'


class Shifted(PeakBackend):
    """Returns positions one slice too far."""

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        right = super().infer(volume, context)
        return FocusEstimate(right.position + 1, right.confidence, right.deviation)


class Failing(PeakBackend):
    """Loads, but fails to run."""

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        raise ModelError('out of GPU memory')


@pytest.mark.parametrize(
    ('backend', 'fault'),
    [
        (Shifted, r'peak is 1\.\d\d slices off, expected 0\.5'),
        (Failing, 'peak does not work: out of GPU memory'),
    ],
)
def test_what_is_wrong_or_does_not_run_is_a_fault(
    known: KnownStack, monkeypatch: pytest.MonkeyPatch, backend: type[PeakBackend], fault: str
) -> None:
    monkeypatch.setattr(backend_check, 'choose_backend', lambda _: Choice(backend()))
    monkeypatch.setattr(backend_check, 'RUNS', 1)
    (found,) = try_backend('peak', known, None, silent).faults
    assert re.fullmatch(fault, found), found


def trial(expected: bool = True, loaded: bool = True, **known_by: float) -> Trial:
    values = {'wrong': 0.05, 'unlike': 0.001, **known_by}
    return Trial('torch', 'why', loaded, expected, None, values['wrong'], values['unlike'])


@pytest.mark.parametrize(
    ('made', 'faults'),
    [
        (trial(), []),
        (trial(loaded=False, expected=False), []),
        (trial(loaded=False), ['torch does not work: why']),
        (trial(wrong=0.6), ['torch is 0.60 slices off, expected 0.5']),
        (trial(wrong=float('nan')), ['torch is nan slices off, expected 0.5']),
        (trial(unlike=0.011), ['torch is 0.011 slices from onnx, expected 0.01']),
    ],
)
def test_faults(made: Trial, faults: list[str]) -> None:
    assert made.faults == faults


def test_half_precision_may_differ_more() -> None:
    half = Trial('tensorrt', 'x', True, True, None, 0.05, 0.03, 0.01, 'fp16')
    assert half.faults == []


def test_what_is_not_installed_is_not_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*missing: str) -> Callable[[str], object]:
        return lambda name: None if name in missing else object()

    monkeypatch.setattr('importlib.util.find_spec', without('torch', 'tensorrt'))
    monkeypatch.setattr(backend_check, 'GPU_FILES', ('/dev/null',))
    assert is_expected('peak')
    assert is_expected('onnx')
    assert not is_expected('torch')
    assert is_expected('tensorrt')  # as TensorRT for RTX is there
    monkeypatch.setattr('importlib.util.find_spec', without('tensorrt', 'tensorrt_rtx'))
    assert not is_expected('tensorrt')
    monkeypatch.setattr('importlib.util.find_spec', without())
    monkeypatch.setattr(backend_check, 'GPU_FILES', ('/dev/no_such_gpu',))
    assert not is_expected('tensorrt')


@pytest.mark.parametrize('good', [True, False])
def test_exit_code_and_print(
    good: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [trial(), trial(loaded=False, expected=not good)]
    monkeypatch.setattr(doctor, 'try_all', lambda _: trials)
    monkeypatch.setattr(doctor, '_check_models', lambda: [])
    assert doctor.run(argparse.Namespace()) == (0 if good else 1)
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 30
    assert lines[0].startswith('sff ')
    assert lines[-1] == ('all installed components work' if good else '1 faults')
    assert ('FAULT: torch does not work: why' in lines) is not good


def test_a_missing_model_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> None:
        raise ModelError(f'{name} is not in /somewhere')

    monkeypatch.setattr(doctor, 'shipped_model', absent)
    faults = doctor._check_models()
    assert faults == [f'{name} is not in /somewhere' for name in doctor.SHIPPED]
    assert capsys.readouterr().out.count('missing') == 4


def test_a_damaged_graph_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    models = shipped_model('ddl.onnx').parent
    for file in (name + more for name in doctor.SHIPPED for more in ('', '.json')):
        if (models / file).is_file():
            shutil.copy(models / file, tmp_path)
    monkeypatch.setattr(doctor, 'shipped_model', lambda name: tmp_path / name)
    assert doctor._check_models() == []
    (tmp_path / 'ddl.onnx').write_bytes((models / 'ddl.onnx').read_bytes()[:-1])
    assert doctor._check_models() == [
        f'{tmp_path}/ddl.onnx.json: describes another ONNX file than the one beside it, or that '
        'is damaged'
    ]
    assert capsys.readouterr().out.count('missing or damaged') == 1
