"""Buffers, stream and CUDA graph of one engine, on a CUDA runtime made of arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from fake_cuda import Code, FakeCuda
from fake_engine import FakeContext, tensors_of

from sff_ros.errors import ModelError
from sff_ros.inference.tensorrt.program import (
    CudaProgram,
    Gpu,
    LoadedEngine,
    find_gpu,
    load_cudart,
)

INPUTS, OUTPUTS = {'a': (1, 2, 3), 'b': (1, 3)}, {'sum': (1, 2, 3)}
TENSORS = tensors_of(INPUTS, OUTPUTS)
HELD = ['executable', *['memory'] * 3, *['pinned'] * 3, 'stream']
A, B = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([10, 20, 30], np.float32)


def add(inputs: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
    return {'sum': inputs['a'] + inputs['b']}


def program_of(cuda: FakeCuda, context: FakeContext, *errors: str) -> CudaProgram:
    return CudaProgram(cuda, LoadedEngine(context, TENSORS, list(errors)))


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def context(cuda: FakeCuda) -> FakeContext:
    return FakeContext(cuda, INPUTS, OUTPUTS, add)


def test_a_run_is_one_launch_of_the_graph_on_buffers_that_stay(
    cuda: FakeCuda, context: FakeContext
) -> None:
    program = program_of(cuda, context)
    assert program.captured
    assert context.enqueued == 3  # two to warm up, one into the graph
    for factor in (1, 2, 3):
        result = program.run({'a': factor * A, 'b': B})['sum']
        np.testing.assert_array_equal(result, (factor * A + B)[None])
    assert context.enqueued == 3
    assert cuda.calls['cudaGraphLaunch'] == 3
    assert cuda.calls['cudaMalloc'] == len(TENSORS)
    assert cuda.calls['cudaStreamCreateWithFlags'] == 1


def test_results_are_not_overwritten_by_the_next_run(cuda: FakeCuda, context: FakeContext) -> None:
    program = program_of(cuda, context)
    first = program.run({'a': A, 'b': B})['sum']
    program.run({'a': A * 0, 'b': B})
    np.testing.assert_array_equal(first, (A + B)[None])


@pytest.mark.parametrize('call', ['cudaStreamEndCapture', 'cudaGraphInstantiate'])
def test_what_cannot_be_captured_is_launched_kernel_by_kernel(
    cuda: FakeCuda, context: FakeContext, call: str
) -> None:
    cuda.fail[call] = Code.cudaErrorStreamCaptureUnsupported
    program = program_of(cuda, context)
    assert not program.captured
    assert cuda.held == HELD[1:]
    assert cuda.cudaGetLastError() == (Code.cudaSuccess,)  # the failure is not the next call's
    np.testing.assert_array_equal(program.run({'a': A, 'b': B})['sum'], (A + B)[None])
    assert cuda.calls['cudaGraphLaunch'] == 0


def test_closing_frees_everything_once(cuda: FakeCuda, context: FakeContext) -> None:
    program = program_of(cuda, context)
    assert cuda.held == HELD
    program.close()
    assert cuda.held == []
    program.close()
    assert cuda.calls['cudaFree'] == 3
    assert cuda.calls['cudaStreamDestroy'] == cuda.calls['cudaGraphExecDestroy'] == 1


def test_too_little_memory_is_named_and_what_was_taken_is_given_back(
    cuda: FakeCuda, context: FakeContext
) -> None:
    cuda.fail['cudaMalloc'] = Code.cudaErrorMemoryAllocation
    with pytest.raises(ModelError, match='no 24 bytes of GPU memory for a: out of memory'):
        program_of(cuda, context)
    assert cuda.held == []


def test_memory_that_cannot_be_locked_is_used_as_it_is(
    cuda: FakeCuda, context: FakeContext
) -> None:
    cuda.fail['cudaHostRegister'] = Code.cudaErrorMemoryAllocation
    program = program_of(cuda, context)
    np.testing.assert_array_equal(program.run({'a': A, 'b': B})['sum'], (A + B)[None])
    assert cuda.held == ['executable', *['memory'] * 3, 'stream']


def test_an_engine_that_does_not_start_is_an_error(cuda: FakeCuda, context: FakeContext) -> None:
    context.works = False
    with pytest.raises(ModelError, match='the engine failed to run: no workspace'):
        program_of(cuda, context, 'older', 'no workspace')
    assert cuda.held == []


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        ('cudaMemcpyAsync', 'a was not copied: out of memory'),
        ('cudaGraphLaunch', 'the CUDA graph failed: out of memory'),
        ('cudaStreamSynchronize', 'the engine failed: out of memory'),
    ],
)
def test_a_failure_of_cuda_is_named(
    cuda: FakeCuda, context: FakeContext, call: str, words: str
) -> None:
    program = program_of(cuda, context)
    cuda.fail[call] = Code.cudaErrorMemoryAllocation
    with pytest.raises(ModelError, match=words):
        program.run({'a': A, 'b': B})


@pytest.mark.parametrize('shape', [(3, 2), (6,), (2, 2, 3), (1, 1, 2, 3), ()])
def test_an_input_of_another_shape_is_refused(
    cuda: FakeCuda, context: FakeContext, shape: tuple[int, ...]
) -> None:
    program = program_of(cuda, context)
    with pytest.raises(ModelError, match=r'a is .*, the engine takes \(1, 2, 3\)'):
        program.run({'a': np.zeros(shape, np.float32), 'b': B})


def test_a_tensor_that_the_engine_lacks_is_refused(cuda: FakeCuda) -> None:
    context = FakeContext(cuda, {'a': (1, 2, 3)}, {}, lambda _: {})
    with pytest.raises(ModelError, match="the engine has no tensor 'b'"):
        program_of(cuda, context)
    assert cuda.held == []


def test_the_gpu_is_described(cuda: FakeCuda) -> None:
    assert find_gpu(cuda) == Gpu('Orin', (8, 7), '12.6')
    assert str(find_gpu(cuda)) == 'Orin 8.7'


def test_a_machine_without_a_gpu_is_named(cuda: FakeCuda) -> None:
    cuda.fail['cudaGetDevice'] = Code.cudaErrorNoDevice
    with pytest.raises(ModelError, match='no CUDA GPU: no CUDA-capable device is detected'):
        find_gpu(cuda)


def test_a_missing_binding_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr('importlib.import_module', fail)
    with pytest.raises(ModelError, match=r'cuda-python cannot be loaded.*pip install cuda-python'):
        load_cudart()
