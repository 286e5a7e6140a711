"""A CUDA runtime of NumPy arrays that refuses what the real one does not define.

It has the functions of cuda-python that the package calls, with their parameters, and no others.
Work on a stream is done as late as CUDA allows, when the host waits for the stream: whoever reads
a result too early, or changes an input too early, gets a wrong answer. Memory is filled with NaN
until it is written. Any use that CUDA leaves undefined raises MisuseError: of freed, foreign or
too little memory, of handles that were destroyed, calls that a capture forbids, arguments of
another type.
"""

# ruff: noqa: N815 - the names are those of cuda-python

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Step = Callable[[], None]

UNWRITTEN = 0xFF  # in every byte: NaN in any float
FIRST_ADDRESS, ALIGNMENT = 0x7F00_0000_0000, 1 << 24


class MisuseError(AssertionError):
    """The package did something that CUDA forbids or leaves undefined."""


class Code(IntEnum):
    """As cudaError_t."""

    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureUnsupported = 900


class CopyKind(IntEnum):
    """As cudaMemcpyKind, without the directions that nothing here takes."""

    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(IntEnum):
    """As cudaStreamCaptureMode, without the modes that nothing here takes."""

    cudaStreamCaptureModeThreadLocal = 1


TEXTS = {
    Code.cudaSuccess: b'no error',
    Code.cudaErrorMemoryAllocation: b'out of memory',
    Code.cudaErrorNoDevice: b'no CUDA-capable device is detected',
    Code.cudaErrorStreamCaptureUnsupported: b'operation not permitted when stream is capturing',
}


@dataclass(eq=False)
class Handle:
    """A stream, graph or executable graph; int() gives its address, as of cuda-python's.

    Attributes:
        kind: 'stream', 'graph', 'executable'.
        steps: what waits on the stream, or what the graph does.
        recorded: steps of the capture under way on the stream; None: there is none.
    """

    kind: str
    address: int
    steps: list[Step] = field(default_factory=list)
    recorded: list[Step] | None = None

    def __int__(self) -> int:
        return self.address


class FakeCuda:
    """The calls of cuda-python's runtime that the package makes; `calls` counts them.

    Attributes:
        fail: name of a call -> the code that it gives from now on.
        memory, pinned: what is allocated and registered, by address.
        handles: streams and graphs that live, by address.
    """

    cudaError_t = Code
    cudaStreamNonBlocking = 1
    cudaMemcpyKind = CopyKind
    cudaStreamCaptureMode = CaptureMode

    def __init__(self) -> None:
        self.fail: dict[str, Code] = {}
        self.calls: Counter[str] = Counter()
        self.memory: dict[int, Bytes] = {}
        self.written: set[int] = set()
        self.pinned: dict[int, int] = {}
        self.handles: dict[int, Handle] = {}
        self.last_error = Code.cudaSuccess
        self._next = FIRST_ADDRESS

    # ---- the device

    def cudaGetDevice(self) -> tuple[Any, ...]:
        return self._answer('cudaGetDevice', 0)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:
        check(device == 0, f'there is no device {device}')
        props = SimpleNamespace(name=b'Orin\0\0', major=8, minor=7)
        return self._answer('cudaGetDeviceProperties', props)

    def cudaDriverGetVersion(self) -> tuple[Any, ...]:
        return self._answer('cudaDriverGetVersion', 12060)

    def cudaGetErrorString(self, error: Code) -> tuple[Any, ...]:
        check(isinstance(error, Code), f'{error!r} is no error code')
        return Code.cudaSuccess, TEXTS[error]

    def cudaGetLastError(self) -> tuple[Any, ...]:
        last, self.last_error = self.last_error, Code.cudaSuccess
        self.calls['cudaGetLastError'] += 1
        return (last,)

    # ---- memory

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        check(isinstance(size, int) and size > 0, f'{size!r} bytes were asked for')
        check(not self._capturing(), 'memory was allocated during a capture')
        if 'cudaMalloc' in self.fail:
            return self._answer('cudaMalloc', None)
        self._next += ALIGNMENT
        self.memory[self._next] = np.full(size, UNWRITTEN, np.uint8)
        return self._answer('cudaMalloc', self._next)

    def cudaFree(self, devPtr: int) -> tuple[Any, ...]:
        check(devPtr in self.memory, f'{devPtr!r} is freed and is not allocated')
        check(not self._busy(), 'memory is freed while work waits on a stream')
        del self.memory[devPtr]
        self.written.discard(devPtr)
        return self._answer('cudaFree')

    def cudaHostRegister(self, ptr: int, size: int, flags: int) -> tuple[Any, ...]:
        check(isinstance(ptr, int) and isinstance(size, int), f'{ptr!r}, {size!r} are no memory')
        check(flags == 0, f'flags are {flags!r}')
        check(ptr not in self.pinned, f'{ptr} is registered twice')
        if 'cudaHostRegister' not in self.fail:
            self.pinned[ptr] = size
        return self._answer('cudaHostRegister')

    def cudaHostUnregister(self, ptr: int) -> tuple[Any, ...]:
        check(ptr in self.pinned, f'{ptr!r} is unregistered and is not registered')
        check(not self._busy(), 'memory is unregistered while work waits on a stream')
        del self.pinned[ptr]
        return self._answer('cudaHostUnregister')

    def cudaMemcpyAsync(
        self, dst: int, src: int, count: int, kind: CopyKind, stream: Handle
    ) -> tuple[Any, ...]:
        check(isinstance(kind, CopyKind), f'{kind!r} is no direction')
        self._check_handle(stream, 'stream')
        up = kind == CopyKind.cudaMemcpyHostToDevice
        device, host = (dst, src) if up else (src, dst)
        check(device in self.memory, f'{device!r} is copied and is not allocated')
        check(len(self.memory[device]) == count, f'{count} bytes of {len(self.memory[device])}')
        check(host not in self.memory, 'a device address is used as one of the host')
        check(self.pinned.get(host, count) == count, f'{count} bytes of {self.pinned.get(host)}')
        check(up or device in self.written, 'a result is fetched that nothing has written')
        if 'cudaMemcpyAsync' in self.fail:
            return self._answer('cudaMemcpyAsync')
        # As late as possible, so a result that is read at once is not there yet.
        on_host = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(host))
        if up:
            self.written.add(device)
            self.enqueue(stream, lambda: np.copyto(self.memory[device], on_host))
        else:
            on_host[:] = UNWRITTEN
            self.enqueue(stream, lambda: np.copyto(on_host, self.memory[device]))
        return self._answer('cudaMemcpyAsync')

    # ---- streams

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        check(flags == self.cudaStreamNonBlocking, f'flags are {flags!r}')
        return self._make('cudaStreamCreateWithFlags', 'stream', [])

    def cudaStreamSynchronize(self, stream: Handle) -> tuple[Any, ...]:
        self._check_handle(stream, 'stream')
        check(stream.recorded is None, 'a stream is waited for during its capture')
        steps, stream.steps = stream.steps, []
        for step in steps:
            step()
        return self._answer('cudaStreamSynchronize')

    def cudaStreamDestroy(self, stream: Handle) -> tuple[Any, ...]:
        self._destroy(stream, 'stream')
        check(not stream.steps, 'a stream is destroyed while work waits on it')
        return self._answer('cudaStreamDestroy')

    # ---- graphs

    def cudaStreamBeginCapture(self, stream: Handle, mode: CaptureMode) -> tuple[Any, ...]:
        check(isinstance(mode, CaptureMode), f'{mode!r} is no mode')
        self._check_handle(stream, 'stream')
        check(stream.recorded is None, 'a capture begins within another')
        stream.recorded = []
        return self._answer('cudaStreamBeginCapture')

    def cudaStreamEndCapture(self, stream: Handle) -> tuple[Any, ...]:
        self._check_handle(stream, 'stream')
        check(stream.recorded is not None, 'a capture ends that has not begun')
        recorded, stream.recorded = stream.recorded, None
        return self._make('cudaStreamEndCapture', 'graph', recorded or [])

    def cudaGraphInstantiate(self, graph: Handle, flags: int) -> tuple[Any, ...]:
        check(flags == 0, f'flags are {flags!r}')
        self._check_handle(graph, 'graph')
        return self._make('cudaGraphInstantiate', 'executable', list(graph.steps))

    def cudaGraphLaunch(self, graphExec: Handle, stream: Handle) -> tuple[Any, ...]:
        self._check_handle(graphExec, 'executable')
        self._check_handle(stream, 'stream')
        for step in graphExec.steps:
            self.enqueue(stream, step)
        return self._answer('cudaGraphLaunch')

    def cudaGraphDestroy(self, graph: Handle) -> tuple[Any, ...]:
        self._destroy(graph, 'graph')
        return self._answer('cudaGraphDestroy')

    def cudaGraphExecDestroy(self, graphExec: Handle) -> tuple[Any, ...]:
        check(not self._busy(), 'a graph is destroyed while work waits on a stream')
        self._destroy(graphExec, 'executable')
        return self._answer('cudaGraphExecDestroy')

    # ---- what is not CUDA's

    @property
    def held(self) -> list[str]:
        """What was made and not given back, by kind."""
        kinds = [handle.kind for handle in self.handles.values()]
        return sorted(['memory'] * len(self.memory) + ['pinned'] * len(self.pinned) + kinds)

    def stream_at(self, address: object) -> Handle:
        """Return the stream of an address, as libraries other than cuda-python are given it."""
        check(type(address) is int, f'{address!r} is no address')
        stream = self.handles.get(address) if isinstance(address, int) else None
        check(stream is not None and stream.kind == 'stream', f'{address!r} is no stream')
        assert stream is not None
        return stream

    def enqueue(self, stream: Handle, step: Step) -> None:
        """Let a step wait on a stream, or become part of the graph that is captured there."""
        (stream.steps if stream.recorded is None else stream.recorded).append(step)

    def _answer(self, name: str, *values: Any) -> tuple[Any, ...]:
        """Return what cuda-python gives: the code, and None for each value where it failed."""
        self.calls[name] += 1
        if name in self.fail:
            self.last_error = self.fail[name]
            return (self.fail[name], *(None for _ in values))
        return (Code.cudaSuccess, *values)

    def _make(self, name: str, kind: str, steps: list[Step]) -> tuple[Any, ...]:
        """Answer with a new handle."""
        if name in self.fail:
            return self._answer(name, None)
        self._next += ALIGNMENT
        handle = self.handles[self._next] = Handle(kind, self._next, steps)
        return self._answer(name, handle)

    def _destroy(self, handle: Handle, kind: str) -> None:
        self._check_handle(handle, kind)
        del self.handles[handle.address]

    def _check_handle(self, handle: object, kind: str) -> None:
        check(isinstance(handle, Handle) and handle.kind == kind, f'{handle!r} is no {kind}')
        assert isinstance(handle, Handle)
        check(self.handles.get(handle.address) is handle, f'the {kind} is destroyed')

    def _capturing(self) -> bool:
        return any(handle.recorded is not None for handle in self.handles.values())

    def _busy(self) -> bool:
        return any(h.kind == 'stream' and h.steps for h in self.handles.values())


def check(is_right: bool, what: str) -> None:
    """Raise MisuseError unless a use is right."""
    if not is_right:
        raise MisuseError(what)
