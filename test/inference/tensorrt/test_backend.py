"""The TensorRT backend around a made-up TensorRT and a CUDA runtime made of arrays."""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path
from typing import Any

import fake_engine
import numpy as np
import pytest
from fake_cuda import Code
from fake_tensorrt import MEASURE, NETWORK, Machine
from rendered import plane, render

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.measure import FocusVolume, measure_contrast
from sff_ros.errors import ModelError
from sff_ros.inference.network_backend import CanonicalNetwork
from sff_ros.inference.onnx_file import Graph
from sff_ros.inference.tensorrt.backend import (
    Device,
    TensorRtBackend,
    TensorRtRunner,
    engine_key,
    network_shapes,
)
from sff_ros.inference.tensorrt.program import Gpu

SIZE = (40, 48)  # of which 40 is no multiple of 16


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def images(size: tuple[int, int] = SIZE, grey: bool = False) -> list[Any]:
    rng = np.random.default_rng(0)
    shape = size if grey else (*size, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(8)]


def sweep(backend: TensorRtBackend, slices: list[Any]) -> tuple[FocusVolume, Any]:
    context, responses = RunningAllInFocus(), []
    for image in slices:
        responses.append(backend.measure(image))
        context.add(image, responses[-1])
    size = slices[0].shape[:2]
    return FocusVolume(np.stack(responses), np.arange(8.0), size, 2), context.image


class OnTheHost:
    """Computes what the made-up engine does."""

    def run(self, responses: Any, evidence: Any, context: Any) -> tuple[Any, Any]:
        return fake_engine.correct(responses, evidence, context)


def test_a_sweep_is_padded_run_and_cut(machine: Machine) -> None:
    backend = machine.open()
    backend.build(SIZE, lambda what, share: None)
    volume, context = sweep(backend, [image[:40, :48] for image in render(plane(2, 6))[:8]])
    estimate = backend.infer(volume, context)
    expected = CanonicalNetwork(backend.spec, OnTheHost()).infer(volume, context)
    assert estimate.position.shape == SIZE
    assert estimate.position.std() > 0.01
    assert estimate.confidence.std() > 0.01
    np.testing.assert_array_equal(estimate.position, expected.position)
    np.testing.assert_array_equal(estimate.confidence, expected.confidence)
    assert machine.loaded[0].inputs['context'] == (1, 3, 48, 48)
    assert machine.loaded[0].inputs['responses'] == (1, 15, 4, 24, 24)
    assert machine.loaded[0].graph_sha256 == hashlib.sha256(NETWORK.content).hexdigest()
    assert (backend.spec.name, backend.spec.precision) == ('tensorrt', 'fp16')


def test_the_runner_takes_the_engines_answers(machine: Machine) -> None:
    backend = machine.open()
    backend.build(SIZE, lambda what, share: None)
    runner = TensorRtRunner(backend.engines[0].program)
    shapes = network_shapes(SIZE, NETWORK.card)
    rng = np.random.default_rng(0)
    for _ in range(2):  # the second time with other values in the same buffers
        inputs = [rng.random(shape[1:], np.float32) for shape in shapes.values()]
        for got, expected in zip(runner.run(*inputs), fake_engine.correct(*inputs), strict=True):
            assert got.shape == (48, 48)
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_an_engine_is_built_once_for_all_runs_and_processes(machine: Machine) -> None:
    backend = machine.open()
    assert not backend.is_built(SIZE)
    backend.build(SIZE, lambda what, share: None)
    assert backend.is_built(SIZE)
    assert not backend.is_built((48, 48))
    assert machine.built == [NETWORK.content]
    again = machine.open()
    again.build(SIZE, lambda what, share: None)
    assert machine.built == [NETWORK.content]
    assert [engine.loaded for engine in backend.engines + again.engines] == [False, True]


def test_a_size_that_was_not_built_is_built_at_its_first_image(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    backend = machine.open()
    backend.infer(*sweep(backend, images()))
    assert machine.built == [NETWORK.content]
    assert [record.message[:29] for record in caplog.records] == ['tensorrt: engines for 48x40 a']
    backend.infer(*sweep(backend, images((64, 48))))
    assert machine.built == [NETWORK.content] * 2
    assert backend.is_built((64, 48))


@pytest.mark.parametrize('grey', [False, True])
def test_slices_are_measured_on_the_gpu_as_on_the_host(machine: Machine, grey: bool) -> None:
    backend = machine.open(MEASURE)
    backend.build(SIZE, lambda what, share: None)
    assert [engine.name for engine in backend.engines] == ['fast_gru', 'ddl']
    image = images(grey=grey)[0]
    launches = machine.cuda.calls['cudaGraphLaunch']
    np.testing.assert_allclose(backend.measure(image), measure_contrast(image, 2), atol=1e-6)
    assert machine.cuda.calls['cudaGraphLaunch'] == launches + 1


def test_a_size_that_the_graph_cannot_pool_is_measured_by_the_host(machine: Machine) -> None:
    backend = machine.open(MEASURE)
    backend.build((41, 48), lambda what, share: None)
    assert [engine.name for engine in backend.engines] == ['fast_gru']
    assert backend.measure(images((41, 48))[0]).shape == (4, 21, 24)


def test_progress_runs_from_0_to_1_over_both_engines(machine: Machine) -> None:
    reports: list[tuple[str, float]] = []
    machine.open(MEASURE).build(SIZE, lambda what, share: reports.append((what, share)))
    assert [(what, round(share, 3)) for what, share in reports] == [
        ('fast_gru', 0.0), ('fast_gru', 0.45), ('fast_gru', 0.9),
        ('ddl', 0.9), ('ddl', 0.95), ('ddl', 1.0),
    ]  # fmt: skip


def test_engines_of_another_size_are_freed(machine: Machine) -> None:
    backend = machine.open(MEASURE)
    backend.build(SIZE, lambda what, share: None)
    held = machine.cuda.held
    assert held.count('executable') == 2
    backend.build((64, 64), lambda what, share: None)
    gc.collect()
    assert machine.cuda.held == held
    del backend
    gc.collect()
    assert machine.cuda.held == []


def test_a_failed_build_leaves_what_was_there(machine: Machine) -> None:
    backend = machine.open()
    backend.build(SIZE, lambda what, share: None)
    machine.build_error = ModelError('TensorRT cannot build the engine: out of memory')
    with pytest.raises(ModelError, match='out of memory'):
        backend.build((64, 64), lambda what, share: None)
    assert backend.is_built(SIZE)


def test_too_little_gpu_memory_is_an_error_and_nothing_is_kept(machine: Machine) -> None:
    machine.cuda.fail['cudaMalloc'] = Code.cudaErrorMemoryAllocation
    backend = machine.open()
    with pytest.raises(ModelError, match='GPU memory for responses: out of memory'):
        backend.build(SIZE, lambda what, share: None)
    assert not backend.is_built(SIZE)
    assert machine.cuda.held == []


def test_an_engine_with_other_outputs_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_engine, 'OUTPUTS', ('position', 'confidence'))
    with pytest.raises(ModelError, match='the graph gives position, confidence, expected'):
        machine.open().build(SIZE, lambda what, share: None)


def test_the_key_tells_everything_apart(machine: Machine) -> None:
    shapes = network_shapes(SIZE, NETWORK.card)
    key = engine_key(machine.device, NETWORK, shapes)
    assert (key.library, key.gpu, key.driver) == ('tensorrt 10.3.0', 'Orin 8.7', '12.6')
    others = [
        engine_key(machine.device, MEASURE, shapes),
        engine_key(machine.device, Graph(b'other', NETWORK.card), shapes),
        engine_key(machine.device, NETWORK, network_shapes((64, 48), NETWORK.card)),
        engine_key(
            Device(machine.device.trt, machine.cuda, Gpu('Orin', (8, 7), '12.8')), NETWORK, shapes
        ),
    ]
    assert len({key.digest, *(other.digest for other in others)}) == 5
