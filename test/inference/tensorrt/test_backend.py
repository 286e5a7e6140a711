"""The TensorRT backend around a made-up TensorRT and a CUDA runtime made of arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_cuda import Code, FakeContext, FakeCuda

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.measure import FocusVolume, measure_contrast
from sff_ros.core.model_card import ModelCard
from sff_ros.errors import ModelError
from sff_ros.inference.network_backend import CanonicalNetwork
from sff_ros.inference.onnx_file import Graph
from sff_ros.inference.tensorrt import backend as tensorrt
from sff_ros.inference.tensorrt.backend import (
    Device,
    TensorRtBackend,
    TensorRtRunner,
    engine_key,
    network_shapes,
)
from sff_ros.inference.tensorrt.engine_cache import EngineCache
from sff_ros.inference.tensorrt.program import Gpu, LoadedEngine, Tensor

SIZE = (40, 48)  # of which 40 is no multiple of 16
NETWORK = Graph(b'the network', ModelCard('fast_gru', 15, 2, 16, 'ab' * 32, '1', 'fp16'))
MEASURE = Graph(b'the measure', ModelCard('ddl', 15, 2, 2, '', '1'))


def answer(arrays: dict[str, Any]) -> None:
    """Do what the graphs are for, as far as a test can tell."""
    if 'image' in arrays:
        image = arrays['image'][0].transpose(1, 2, 0).astype(np.uint8)
        arrays['responses'][0] = measure_contrast(image, 2)
        return
    arrays['position'][...] = 7
    arrays['confidence'][...] = 0.25


class Machine:
    """A GPU with a TensorRT that counts builds and loads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.cuda = FakeCuda()
        self.built: list[bytes] = []
        self.contexts: list[FakeContext] = []
        self.build_error: ModelError | None = None
        library = SimpleNamespace(__name__='tensorrt', __version__='10.3.0')
        self.device = Device(library, self.cuda, Gpu('Orin', (8, 7), '12.6'))
        self.cache = EngineCache(folder)
        monkeypatch.setattr(tensorrt, 'build_engine', self.build_engine)
        monkeypatch.setattr(tensorrt, 'load_engine', self.load_engine)

    def open(self, measuring: Graph | None = None) -> TensorRtBackend:
        return TensorRtBackend(self.device, NETWORK, measuring, self.cache)

    def build_engine(
        self, trt: Any, graph: bytes, shapes: Any, on_share: Callable[[float], None]
    ) -> bytes:
        if self.build_error is not None:
            raise self.build_error
        self.built.append(graph)
        on_share(0.5)
        return repr((graph, dict(shapes))).encode()

    def load_engine(self, trt: Any, plan: bytes) -> LoadedEngine:
        graph, shapes = eval(plan)
        inputs = dict(shapes)
        *_, height, width = inputs.get('context') or inputs['image']
        outputs = {'position': (1, 1, height, width), 'confidence': (1, 1, height, width)}
        if graph == MEASURE.content:
            outputs = {'responses': (1, 4, height // 2, width // 2)}
        tensors = [Tensor(name, shape, np.float32, True) for name, shape in inputs.items()]
        tensors += [Tensor(name, shape, np.float32, False) for name, shape in outputs.items()]
        context = FakeContext(self.cuda, {**inputs, **outputs}, answer)
        self.contexts.append(context)
        return LoadedEngine(context, tuple(tensors), [])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def pictures(size: tuple[int, int] = SIZE, grey: bool = False) -> list[Any]:
    rng = np.random.default_rng(0)
    shape = size if grey else (*size, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(8)]


def sweep(backend: TensorRtBackend, images: list[Any]) -> tuple[FocusVolume, Any]:
    context, responses = RunningAllInFocus(), []
    for image in images:
        responses.append(backend.measure(image))
        context.add(image, responses[-1])
    size = images[0].shape[:2]
    return FocusVolume(np.stack(responses), np.arange(8.0), size, 2), context.image


class SevenEverywhere:
    """Answers as the made-up engine does."""

    def run(self, responses: Any, evidence: Any, context: Any) -> tuple[Any, Any]:
        shape = context.shape[1:]
        return np.full(shape, 7, np.float32), np.full(shape, 0.25, np.float32)


def test_a_sweep_is_padded_run_and_cut(machine: Machine) -> None:
    backend = machine.open()
    backend.build(SIZE, lambda what, share: None)
    volume, context = sweep(backend, pictures())
    estimate = backend.infer(volume, context)
    expected = CanonicalNetwork(backend.spec, SevenEverywhere()).infer(volume, context)
    assert estimate.position.shape == SIZE
    np.testing.assert_array_equal(estimate.position, expected.position)
    np.testing.assert_array_equal(estimate.confidence, expected.confidence)
    assert machine.contexts[0].shapes['context'] == (1, 3, 48, 48)
    assert machine.contexts[0].shapes['responses'] == (1, 15, 4, 24, 24)
    assert (backend.spec.name, backend.spec.precision) == ('tensorrt', 'fp16')


def test_the_runner_takes_the_engines_answers(machine: Machine) -> None:
    backend = machine.open()
    backend.build(SIZE, lambda what, share: None)
    runner = TensorRtRunner(backend.engines[0].program)
    shapes = network_shapes(SIZE, NETWORK.card)
    inputs = [np.zeros(shapes[name][1:], np.float32) for name in list(shapes)]
    position, confidence = runner.run(*inputs)
    assert position.shape == confidence.shape == (48, 48)
    assert (position == 7).all()
    assert (confidence == 0.25).all()


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


def test_a_size_that_nobody_built_is_built_on_the_spot(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    backend = machine.open()
    backend.infer(*sweep(backend, pictures()))
    assert machine.built == [NETWORK.content]
    assert [record.message[:29] for record in caplog.records] == ['tensorrt: engines for 48x40 a']
    backend.infer(*sweep(backend, pictures((64, 48))))
    assert machine.built == [NETWORK.content] * 2
    assert backend.is_built((64, 48))


@pytest.mark.parametrize('grey', [False, True])
def test_slices_are_measured_on_the_gpu_as_on_the_host(machine: Machine, grey: bool) -> None:
    backend = machine.open(MEASURE)
    backend.build(SIZE, lambda what, share: None)
    assert [engine.name for engine in backend.engines] == ['fast_gru', 'ddl']
    image = pictures(grey=grey)[0]
    launches = machine.cuda.calls['cudaGraphLaunch']
    np.testing.assert_allclose(backend.measure(image), measure_contrast(image, 2), atol=1e-6)
    assert machine.cuda.calls['cudaGraphLaunch'] == launches + 1


def test_a_size_that_the_graph_cannot_pool_is_measured_by_the_host(machine: Machine) -> None:
    backend = machine.open(MEASURE)
    backend.build((41, 48), lambda what, share: None)
    assert [engine.name for engine in backend.engines] == ['fast_gru']
    assert backend.measure(pictures((41, 48))[0]).shape == (4, 21, 24)


def test_progress_runs_from_0_to_1_over_both_engines(machine: Machine) -> None:
    told: list[tuple[str, float]] = []
    machine.open(MEASURE).build(SIZE, lambda what, share: told.append((what, share)))
    assert [(what, round(share, 3)) for what, share in told] == [
        ('fast_gru', 0.0), ('fast_gru', 0.45), ('fast_gru', 0.9),
        ('ddl', 0.9), ('ddl', 0.95), ('ddl', 1.0),
    ]  # fmt: skip


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
    assert machine.cuda.memory == {}


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
