"""The network in ONNX Runtime: which files it takes, what it answers beside PyTorch."""

from __future__ import annotations

import gc
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from sff_ros.core.focus.measure import POOLING, FocusVolume, measure_contrast
from sff_ros.core.image import Image
from sff_ros.core.model_card import NETWORK, to_sidecar
from sff_ros.errors import ModelError

onnxruntime = pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
from sff_ros.inference import onnx as backend_module  # noqa: E402
from sff_ros.inference.onnx import open_onnx, physical_cores  # noqa: E402
from sff_ros.inference.onnx_file import read_graph, sidecar_path  # noqa: E402


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(sum(shape)).random(shape, dtype=np.float32)


@pytest.mark.parametrize(('height', 'width'), [(16, 16), (64, 96), (112, 48)])
def test_it_agrees_with_pytorch(noisy_models: Path, height: int, width: int) -> None:
    from sff_ros.inference.torch import open_torch

    backends = (
        open_onnx(noisy_models / 'fast_gru.onnx'),
        open_torch(noisy_models / 'fast_gru.safetensors'),
    )
    h, w = height // 2, width // 2
    evidence = noise(7, h, w)
    evidence[:2] *= 14
    inputs = (noise(15, 4, h, w), evidence, 2 * noise(3, height, width))
    (position, scale), (expected, expected_scale) = (b._runner.run(*inputs) for b in backends)
    assert position.shape == (height, width)
    assert np.ptp(expected) > 1  # the network says something
    assert np.abs(position - expected).mean() < 1e-4
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-3)
    assert backends[0].spec.sha256 == backends[1].spec.sha256 != ''


def test_its_spec_is_that_of_the_file(network_file: Path) -> None:
    spec = open_onnx(network_file).spec
    assert (spec.slices, spec.size_multiple, spec.pooling) == (15, 16, 2)
    assert spec.precision == 'fp32'
    assert spec.name in ('onnx', 'onnx (CUDA)')
    assert len(spec.sha256) == 64


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'none\.onnx: cannot be read: No such file'):
        open_onnx(tmp_path / 'none.onnx')
    with pytest.raises(ModelError, match='cannot be read: Is a directory'):
        open_onnx(tmp_path)


@pytest.mark.parametrize('share', [0.0, 0.001, 0.5, 0.999, 0.99999])
def test_a_truncated_file_is_refused(network_file: Path, tmp_path: Path, share: float) -> None:
    whole = network_file.read_bytes()
    cut = tmp_path / 'cut.onnx'
    cut.write_bytes(whole[: int(share * len(whole))])
    shutil.copy(sidecar_path(network_file), sidecar_path(cut))
    with pytest.raises(ModelError, match=r'cut\.onnx\.json: .* or that is damaged') as caught:
        open_onnx(cut)
    assert len(str(caught.value).splitlines()) == 1


def test_damage_within_the_file_is_refused(network_file: Path, tmp_path: Path) -> None:
    damaged = bytearray(network_file.read_bytes())
    damaged[200:4200] = bytes(4000)
    path = tmp_path / 'damaged.onnx'
    path.write_bytes(damaged)
    shutil.copy(sidecar_path(network_file), sidecar_path(path))
    with pytest.raises(ModelError, match=r'damaged\.onnx\.json: .* or that is damaged'):
        open_onnx(path)
    # Also where the card has the digest of the damaged file.
    sidecar_path(path).write_text(
        to_sidecar(read_graph(network_file, NETWORK).card, bytes(damaged))
    )
    with pytest.raises(ModelError, match=r'damaged\.onnx: ') as caught:
        open_onnx(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_foreign_file_is_refused(measure_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ddl\.onnx\.json: holds 'ddl', expected fast_gru"):
        open_onnx(measure_file)
    text = tmp_path / 'notes.onnx'
    text.write_text('these are no weights\n' * 50)
    with pytest.raises(ModelError, match=r'notes\.onnx: '):
        open_onnx(text)


def test_a_graph_with_other_outputs_is_refused(network_file: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip('onnx', reason='onnx is not installed')
    model = onnx.load(str(network_file))
    model.graph.output[1].name = 'confidence'
    for node in model.graph.node:
        node.output[:] = ['confidence' if name == 'scale' else name for name in node.output]
    path = tmp_path / 'old.onnx'
    path.write_bytes(model.SerializeToString())
    card = read_graph(network_file, NETWORK).card
    sidecar_path(path).write_text(to_sidecar(card, path.read_bytes()))
    words = r'old\.onnx: the graph gives position, confidence, expected position, scale: export'
    with pytest.raises(ModelError, match=words):
        open_onnx(path)


def test_a_runtime_without_its_gpu_falls_back(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    real = backend_module._session

    def session(content: bytes, provider: str) -> object:
        tried.append(provider)
        if provider == backend_module.CUDA:
            raise ModelError('no GPU')
        return real(content, provider)

    both = [backend_module.CUDA, backend_module.CPU]
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: both)
    monkeypatch.setattr(backend_module, '_session', session)
    assert open_onnx(network_file).spec.name == 'onnx'
    assert tried == both


def test_inputs_of_another_size_are_a_named_error(network_file: Path) -> None:
    runner = open_onnx(network_file)._runner
    with pytest.raises(ModelError, match='ONNX Runtime cannot run the network: ') as caught:
        runner.run(noise(15, 3, 8, 8), noise(7, 8, 8), noise(3, 16, 16))
    assert len(str(caught.value).splitlines()) == 1


def test_cores_are_those_of_this_process() -> None:
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


def test_waiting_costs_no_processor_time(network_file: Path) -> None:
    backend = open_onnx(network_file)
    backend._runner.run(noise(15, 4, 32, 32), noise(7, 32, 32), noise(3, 64, 64))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


IMAGES: list[Image] = [
    np.random.default_rng(0).integers(0, 256, (48, 66, 3), dtype=np.uint8),
    np.random.default_rng(1).integers(0, 256, (50, 34), dtype=np.uint8),
    np.random.default_rng(2).integers(0, 65536, (34, 48, 3), dtype=np.uint16),
    np.random.default_rng(3).integers(0, 65536, (34, 48), dtype=np.uint16),
    np.zeros((16, 16, 3), np.uint8),
    np.full((16, 24), 255, np.uint8),
]


@pytest.mark.parametrize('image', IMAGES, ids=lambda image: f'{image.shape} {image.dtype}')
def test_the_graph_of_the_measure_is_measure_contrast(measure_file: Path, image: Image) -> None:
    session = onnxruntime.InferenceSession(str(measure_file))
    planes = image.transpose(2, 0, 1) if image.ndim == 3 else np.stack([image] * 3)
    (found,) = session.run(None, {'image': planes[None].astype(np.float32)})
    expected = measure_contrast(image, 2)
    assert found.shape == (1, *expected.shape)
    # 16 bits: grey may differ by one level in 65,535 where it is rounded.
    tolerance = 1e-5 if image.dtype == np.uint8 else 5e-4
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=tolerance)


def test_it_runs_wherever_the_file_lies(network_file: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(network_file, tmp_path / 'my network.onnx'))
    shutil.copy(sidecar_path(network_file), sidecar_path(copy))
    assert open_onnx(copy).spec == open_onnx(network_file).spec


@pytest.mark.slow
def test_sessions_that_are_dropped_are_freed(network_file: Path) -> None:
    """Each holds some 10 MB at this size; the allocator wavers by as much in all."""
    volume = FocusVolume(noise(15, 4, 48, 64), np.arange(15.0), (96, 128), POOLING)
    context = np.zeros((96, 128), np.uint8)

    def open_and_run(times: int) -> float:
        for _ in range(times):
            open_onnx(network_file).infer(volume, context)
            gc.collect()
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    before_mb = open_and_run(5)
    assert open_and_run(25) - before_mb < 60
