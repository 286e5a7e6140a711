"""Which backend is chosen, and what is said about the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import sff_ros.inference.choice
from sff_ros.config.nodes import InferenceConfig
from sff_ros.config.schema import walk
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.choice import (
    AUTO,
    BACKENDS,
    Choice,
    choose_backend,
    open_backend,
    open_standby,
)
from sff_ros.inference.peak import PeakBackend
from sff_ros.inference.shipped import models_near, shipped_model

LIBRARIES = {'tensorrt': 'tensorrt', 'onnx': 'onnxruntime', 'torch': 'torch'}


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every library of a network be missing."""
    for name, library in (*LIBRARIES.items(), ('tensorrt', 'tensorrt_rtx')):
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f'sff_ros.inference.{name}', raising=False)


@pytest.mark.usefixtures('nothing_installed')
def test_auto_comes_down_to_what_needs_nothing_and_says_why() -> None:
    choice = choose_backend(AUTO)
    assert choice.backend.spec.name == 'peak'
    names = [reason.partition(': ')[0] for reason in choice.refused]
    assert names == ['tensorrt', 'onnx', 'torch']
    assert choice.refused[1] == 'onnx: onnxruntime is not installed'
    assert str(choice).startswith('peak, fp32; the best that loads (tensorrt: ')
    assert '\n' not in str(choice)


@pytest.mark.usefixtures('nothing_installed')
def test_what_was_asked_for_by_name_is_not_replaced() -> None:
    with pytest.raises(ModelError, match=r'loaded \(onnx: onnxruntime is not installed\)$'):
        open_backend('onnx')


@pytest.mark.usefixtures('nothing_installed')
def test_a_model_that_was_asked_for_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'loaded \(tensorrt: .*; onnx: .*\)$'):
        open_backend(AUTO, str(tmp_path / 'mine.onnx'))


def test_a_missing_shipped_model_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise ModelError(f'{name} is nowhere')

    monkeypatch.setattr(sff_ros.inference.choice, 'shipped_model', missing)
    choice = choose_backend(AUTO)
    assert choice.backend.spec.name == 'peak'
    assert all('nowhere' in why or 'not installed' in why for why in choice.refused)


@pytest.mark.parametrize(
    ('name', 'model', 'message'),
    [
        ('magic', '', "backend 'magic' is unknown; one of auto, tensorrt, onnx, torch, peak"),
        ('peak', '/x/a.onnx', 'backend peak runs no model, but model is /x/a.onnx'),
        ('torch', '/x/a.onnx', '/x/a.onnx: backend torch runs .safetensors files'),
        ('onnx', 'a.safetensors', 'a.safetensors: backend onnx runs .onnx files'),
        (AUTO, 'a.bin', 'a.bin: backend auto runs .onnx or .safetensors files'),
        (
            AUTO,
            'ckpt_FT.pth',
            'ckpt_FT.pth: is a checkpoint, no model; `sff export` makes a model of one of '
            "`sff train`, and `sff predict` runs those of the paper's network",
        ),
        (AUTO, 'models', 'models: backend auto runs .onnx or .safetensors files'),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, model: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_backend(name, model)
    assert str(caught.value) == message


def test_a_model_of_ones_own_is_run(network_file: Path) -> None:
    choice = choose_backend('onnx', str(network_file))
    assert choice.backend.spec == open_backend('onnx').spec
    assert choice.refused == ()


def test_a_model_in_the_home_folder_is_found(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(network_file.parent))
    assert open_backend('onnx', f'~/{network_file.name}').spec.name.startswith('onnx')


@pytest.mark.usefixtures('nothing_installed')
def test_without_onnxruntime_the_classical_backend_stands_in() -> None:
    assert open_standby().spec.name == 'peak'
    assert open_standby('mine.onnx').spec.name == 'peak'


def test_onnxruntime_stands_in_with_the_same_model(network_file: Path) -> None:
    assert open_standby(str(network_file)).spec == open_backend('onnx', str(network_file)).spec


def test_a_choice_in_words() -> None:
    assert str(Choice(PeakBackend())) == 'peak, fp32'

    class Fast(PeakBackend):
        spec = ModelSpec('onnx', 15, 16, '0123456789abcdef', 'fp16', 2)

    assert str(Choice(Fast(), ('a: b', 'c: d'))) == (
        'onnx, fp16, weights 01234567; the best that loads (a: b; c: d)'
    )


def test_the_parameter_allows_every_backend() -> None:
    (choices,) = [s.choices for name, s, *_ in walk(InferenceConfig) if name == 'backend']
    assert choices == (AUTO, *BACKENDS)


def test_models_of_a_checkout_and_of_an_installation(tmp_path: Path) -> None:
    checkout = tmp_path / 'src'
    checkout.mkdir()
    (checkout / 'setup.py').touch()
    assert models_near(checkout / 'sff_ros') == [checkout / 'models']
    prefix = tmp_path / 'prefix'
    package = prefix / 'local' / 'lib' / 'python3.10' / 'dist-packages' / 'sff_ros'
    assert models_near(package) == []
    (prefix / 'share' / 'sff_ros' / 'models').mkdir(parents=True)
    assert models_near(package) == [prefix / 'share' / 'sff_ros' / 'models']


def test_a_file_that_is_not_shipped_is_named() -> None:
    with pytest.raises(ModelError, match=r'none\.onnx is not in .*models; `sff export` makes it'):
        shipped_model('none.onnx')
