"""Model files for tests of the backends: those that are shipped, and a network made of noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sff_ros.errors import ModelError
from sff_ros.inference.shipped import shipped_model


@pytest.fixture(scope='session')
def noisy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an export of a network in which every branch does something."""
    torch = pytest.importorskip('torch', reason='torch is not installed')
    pytest.importorskip('onnx', reason='onnx is not installed')
    from sff_ros.network.export import export_model
    from sff_ros.network.fast_gru import FastGru

    torch.manual_seed(0)
    network = FastGru()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    folder = tmp_path_factory.mktemp('noisy_models')
    export_model(network, folder)
    return folder


@pytest.fixture(scope='session')
def network_file() -> Path:
    """The network that comes with the package."""
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    return _shipped('fast_gru.onnx')


@pytest.fixture(scope='session')
def measure_file() -> Path:
    """The graph of the focus measure that comes with the package."""
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    return _shipped('ddl.onnx')


def _shipped(name: str) -> Path:
    try:
        return shipped_model(name)
    except ModelError as err:
        pytest.skip(str(err))
