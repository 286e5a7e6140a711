"""The made-up CUDA runtime refuses what the real one does not define."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fake_cuda import CaptureMode, Code, CopyKind, FakeCuda, Handle, MisuseError
from fake_engine import FakeContext

Maps = npt.NDArray[np.float32]
UP, DOWN = CopyKind.cudaMemcpyHostToDevice, CopyKind.cudaMemcpyDeviceToHost
THREAD = CaptureMode.cudaStreamCaptureModeThreadLocal


def twice(inputs: Mapping[str, Maps]) -> dict[str, Maps]:
    return {'y': 2 * inputs['x']}


class Bench:
    """A runtime with a stream, two buffers of 4 floats and an engine between them."""

    def __init__(self) -> None:
        self.cuda = FakeCuda()
        self.stream: Handle = self.cuda.cudaStreamCreateWithFlags(1)[1]
        self.x: int = self.cuda.cudaMalloc(16)[1]
        self.y: int = self.cuda.cudaMalloc(16)[1]
        self.host = np.arange(4, dtype=np.float32)
        self.result = np.zeros(4, np.float32)
        self.context = FakeContext(self.cuda, {'x': (4,)}, {'y': (4,)}, twice)
        self.context.set_tensor_address('x', self.x)
        self.context.set_tensor_address('y', self.y)

    def up(self) -> None:
        self.cuda.cudaMemcpyAsync(self.x, self.host.ctypes.data, 16, UP, self.stream)

    def down(self) -> None:
        self.cuda.cudaMemcpyAsync(self.result.ctypes.data, self.y, 16, DOWN, self.stream)

    def run(self) -> bool:
        return self.context.execute_async_v3(stream_handle=int(self.stream))

    def sync(self) -> None:
        self.cuda.cudaStreamSynchronize(self.stream)

    def graph(self) -> Handle:
        """Capture one run and instantiate it."""
        self.cuda.cudaStreamBeginCapture(self.stream, THREAD)
        self.run()
        graph = self.cuda.cudaStreamEndCapture(self.stream)[1]
        executable: Handle = self.cuda.cudaGraphInstantiate(graph, 0)[1]
        self.cuda.cudaGraphDestroy(graph)
        return executable


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_work_is_done_when_the_stream_is_waited_for_and_not_before(bench: Bench) -> None:
    bench.up()
    assert bench.run()
    bench.sync()
    bench.down()
    assert np.isnan(bench.result).all()
    bench.sync()
    np.testing.assert_array_equal(bench.result, [0, 2, 4, 6])


def test_an_input_that_changes_too_early_changes_the_result(bench: Bench) -> None:
    bench.up()
    bench.run()
    bench.host[:] = 9
    bench.sync()
    bench.down()
    bench.sync()
    np.testing.assert_array_equal(bench.result, [18, 18, 18, 18])


def test_a_captured_run_is_done_at_each_launch_only(bench: Bench) -> None:
    bench.up()
    bench.sync()
    executable = bench.graph()
    bench.sync()
    assert bench.y not in bench.cuda.written
    bench.cuda.cudaGraphLaunch(executable, bench.stream)
    bench.sync()
    bench.down()
    bench.sync()
    np.testing.assert_array_equal(bench.result, [0, 2, 4, 6])


def test_what_is_not_given_back_is_listed(bench: Bench) -> None:
    bench.cuda.cudaHostRegister(bench.host.ctypes.data, 16, 0)
    assert bench.cuda.held == ['memory', 'memory', 'pinned', 'stream']


def test_a_failure_is_a_code_with_nothing_beside_it(bench: Bench) -> None:
    bench.cuda.fail['cudaMalloc'] = Code.cudaErrorMemoryAllocation
    assert bench.cuda.cudaMalloc(8) == (Code.cudaErrorMemoryAllocation, None)
    assert bench.cuda.cudaGetLastError() == (Code.cudaErrorMemoryAllocation,)
    assert bench.cuda.cudaGetLastError() == (Code.cudaSuccess,)


def freed(bench: Bench) -> None:
    bench.cuda.cudaFree(bench.x)


def captured(bench: Bench) -> None:
    bench.cuda.cudaStreamBeginCapture(bench.stream, THREAD)


def destroyed_twice(bench: Bench) -> None:
    executable = bench.graph()
    for _ in range(2):
        bench.cuda.cudaGraphExecDestroy(executable)


def registered(bench: Bench) -> None:
    bench.cuda.cudaHostRegister(bench.host.ctypes.data, 16, 0)


def small(bench: Bench) -> None:
    bench.context.set_tensor_address('y', bench.cuda.cudaMalloc(8)[1])


def copied(
    bench: Bench, to: int | None = None, source: int | None = None, count: int = 16, kind: Any = UP
) -> None:
    host = bench.host.ctypes.data
    bench.cuda.cudaMemcpyAsync(to or bench.x, source or host, count, kind, bench.stream)


# What the error says, and the steps that lead to it.
MISUSES: dict[str, tuple[Callable[[Bench], object], ...]] = {
    'is freed and is not allocated': (freed, freed),
    'is copied and is not allocated': (freed, Bench.up),
    'memory is freed while work waits': (Bench.up, freed),
    '8 bytes of 16': (lambda b: copied(b, count=8),),
    "'up' is no direction": (lambda b: copied(b, kind='up'),),
    'used as one of the host': (lambda b: copied(b, source=b.y),),
    'is no stream': (lambda b: b.cuda.cudaStreamSynchronize(77),),  # type: ignore[arg-type]
    'the stream is destroyed': (lambda b: b.cuda.cudaStreamDestroy(b.stream), Bench.up),
    'destroyed while work waits': (Bench.up, lambda b: b.cuda.cudaStreamDestroy(b.stream)),
    'fetched that nothing has written': (Bench.down,),
    'input x was never written': (Bench.run,),
    'the memory of x is not allocated': (Bench.up, Bench.sync, freed, Bench.run),
    'y has 8 bytes': (small, Bench.up, Bench.run),
    'is no address': (lambda b: b.context.execute_async_v3(b.stream),),  # type: ignore[arg-type]
    'is registered twice': (registered, registered),
    'is not registered': (lambda b: b.cuda.cudaHostUnregister(b.host.ctypes.data),),
    'waited for during its capture': (captured, Bench.sync),
    'allocated during a capture': (captured, lambda b: b.cuda.cudaMalloc(4)),
    'a capture begins within another': (captured, captured),
    'ends that has not begun': (lambda b: b.cuda.cudaStreamEndCapture(b.stream),),
    'the executable is destroyed': (Bench.up, Bench.sync, destroyed_twice),
}


@pytest.mark.parametrize('words', MISUSES)
def test_misuse_is_refused(bench: Bench, words: str) -> None:
    *before, wrong = MISUSES[words]
    for step in before:
        step(bench)
    with pytest.raises(MisuseError, match=words):
        wrong(bench)


def test_other_calls_and_arguments_do_not_exist(bench: Bench) -> None:
    cuda: Any = bench.cuda
    with pytest.raises(AttributeError):
        cuda.cudaMallocHost(16)
    with pytest.raises(TypeError):
        cuda.cudaMalloc(16, 0)
    with pytest.raises(TypeError):
        cuda.cudaGetDeviceProperties()


def test_a_tensor_that_the_engine_lacks_has_no_address(bench: Bench) -> None:
    assert not bench.context.set_tensor_address('z', bench.x)
