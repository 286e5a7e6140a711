"""A CUDA runtime and an execution context made of NumPy arrays, to see what is asked of them."""

# ruff: noqa: N815 - the names are those of cuda-python

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np


class Code(Enum):
    """As cudaError_t."""

    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureUnsupported = 900


TEXTS = {
    Code.cudaErrorMemoryAllocation: b'out of memory',
    Code.cudaErrorNoDevice: b'no CUDA-capable device is detected',
    Code.cudaErrorStreamCaptureUnsupported: b'operation not permitted when stream is capturing',
}


class FakeCuda:
    """The calls of cuda-python's runtime that the package makes; `calls` counts them.

    Args:
        fail: name of a call -> the code that it gives from now on.
    """

    cudaError_t = Code
    cudaStreamNonBlocking = 1
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice='up', cudaMemcpyDeviceToHost='down')
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal='thread')

    def __init__(self) -> None:
        self.fail: dict[str, Code] = {}
        self.calls: Counter[str] = Counter()
        self.memory: dict[int, Any] = {}
        self.pinned: set[int] = set()
        self.capturing: list[Callable[[], None]] | None = None
        self.next = 4096

    def __getattr__(self, name: str) -> Any:
        if not name.startswith('cuda'):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls[name] += 1
            if name in self.fail:
                return self.fail[name], None
            result = getattr(self, f'_{name}', lambda *_: ())(*arguments)
            return (Code.cudaSuccess, *result)

        return call

    def _cudaGetDevice(self) -> tuple[int]:
        return (0,)

    def _cudaGetDeviceProperties(self, device: int) -> tuple[Any]:
        return (SimpleNamespace(name=b'Orin\0\0', major=8, minor=7),)

    def _cudaDriverGetVersion(self) -> tuple[int]:
        return (12060,)

    def _cudaGetErrorString(self, code: Code) -> tuple[bytes]:
        return (TEXTS[code],)

    def _cudaStreamCreateWithFlags(self, flags: int) -> tuple[int]:
        return (77,)

    def _cudaMalloc(self, size: int) -> tuple[int]:
        self.next += 1 << 24
        self.memory[self.next] = np.zeros(size, np.uint8)
        return (self.next,)

    def _cudaFree(self, address: int) -> tuple[()]:
        del self.memory[address]
        return ()

    def _cudaHostRegister(self, address: int, size: int, flags: int) -> tuple[()]:
        self.pinned.add(address)
        return ()

    def _cudaHostUnregister(self, address: int) -> tuple[()]:
        self.pinned.remove(address)
        return ()

    def _cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, _: int) -> tuple[()]:
        assert self.capturing is None, 'copied during a capture'
        target, origin = (to, source) if kind == 'up' else (source, to)
        host = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(origin))
        if kind == 'up':
            self.memory[target][:] = host
        else:
            host[:] = self.memory[target]
        return ()

    def _cudaStreamBeginCapture(self, stream: int, mode: str) -> tuple[()]:
        self.capturing = []
        return ()

    def _cudaStreamEndCapture(self, stream: int) -> tuple[Any]:
        recorded, self.capturing = self.capturing, None
        return (recorded,)

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any]:
        return (graph,)

    def _cudaGraphLaunch(self, graph: Any, stream: int) -> tuple[()]:
        for step in graph:
            step()
        return ()


class FakeContext:
    """Runs a function of arrays where TensorRT would run an engine.

    Args:
        shapes: of each tensor, all float32.
        compute: takes all arrays by name and writes the outputs.
    """

    def __init__(
        self,
        cuda: FakeCuda,
        shapes: dict[str, tuple[int, ...]],
        compute: Callable[[dict[str, Any]], None],
    ) -> None:
        self.cuda = cuda
        self.shapes = shapes
        self.compute = compute
        self.addresses: dict[str, int] = {}
        self.enqueued = 0
        self.works = True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return name in self.shapes

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert stream_handle == 77
        self.enqueued += 1
        if self.cuda.capturing is None:
            self.step()
        else:
            self.cuda.capturing.append(self.step)
        return self.works

    def step(self) -> None:
        arrays = {
            name: self.cuda.memory[self.addresses[name]].view(np.float32).reshape(shape)
            for name, shape in self.shapes.items()
        }
        self.compute(arrays)
