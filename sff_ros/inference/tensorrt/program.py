"""One TensorRT engine ready to run: buffers, a stream and a CUDA graph, created once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sff_ros.errors import ModelError, quoted

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of an engine: its name, static shape, type and direction."""

    name: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    is_input: bool


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine that TensorRT has loaded.

    Attributes:
        context: its execution context, of static shapes.
        tensors: all its inputs and outputs.
        errors: error messages of TensorRT so far; the list grows.
        owners: objects that must live as long as the context.
    """

    context: Any
    tensors: tuple[Tensor, ...]
    errors: list[str]
    owners: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU that engines are built for.

    Attributes:
        name: as the driver reports it.
        capability: compute capability, e.g. (8, 7).
        driver: newest CUDA version that the driver supports, e.g. '12.6'.
    """

    name: str
    capability: tuple[int, int]
    driver: str

    def __str__(self) -> str:
        return f'{self.name} {self.capability[0]}.{self.capability[1]}'


def load_cudart() -> Any:
    """Return cuda-python's binding of the CUDA runtime.

    Raises:
        ModelError: it is not installed.
    """
    reasons = []
    for name in ('cuda.bindings.runtime', 'cuda.cudart'):  # since 12.8; before
        try:
            return importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as err:
            reasons.append(str(err))
    raise ModelError(f'cuda-python cannot be loaded: {reasons[0]}; pip install cuda-python')


def find_gpu(cudart: Any) -> Gpu:
    """Return the present GPU.

    Raises:
        ModelError: there is none, or its driver is too old.
    """
    (device,) = checked(cudart, cudart.cudaGetDevice(), 'no CUDA GPU')
    (props,) = checked(cudart, cudart.cudaGetDeviceProperties(device), 'no CUDA GPU')
    (version,) = checked(cudart, cudart.cudaDriverGetVersion(), 'no CUDA driver')
    name = props.name.decode(errors='replace') if isinstance(props.name, bytes) else props.name
    driver = f'{version // 1000}.{version % 1000 // 10}'
    return Gpu(str(name).strip('\0 '), (int(props.major), int(props.minor)), driver)


def checked(cudart: Any, result: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """Return the results of a call of the CUDA runtime, without its error code.

    Raises:
        ModelError: the code is not success; has `what` and the text of the code.
    """
    code, *values = result
    if code != cudart.cudaError_t.cudaSuccess:
        _, text = cudart.cudaGetErrorString(code)
        raise ModelError(f'{what}: {text.decode() if isinstance(text, bytes) else text}')
    return tuple(values)


class CudaProgram:
    """Runs one engine on arrays; one thread at a time.

    Args:
        cudart: the CUDA runtime, from load_cudart.
        engine: to run.

    Raises:
        ModelError: the GPU is out of memory, or the first run of the engine fails.
    """

    def __init__(self, cudart: Any, engine: LoadedEngine) -> None:
        self._cudart = cudart
        self._engine: LoadedEngine | None = engine
        self._context = engine.context
        self._errors = engine.errors
        self._tensors = {tensor.name: tensor for tensor in engine.tensors}
        self._host = {t.name: np.zeros(t.shape, t.dtype) for t in engine.tensors}
        self._device: dict[str, int] = {}
        self._pinned: list[int] = []
        self._stream: Any = None
        self._graph: Any = None
        try:
            self._allocate()
            # A capture forbids the lazy initialisation of the first runs.
            for _ in range(2):
                self._enqueue()
            self._sync()
            self._capture()
        except ModelError:
            self.close()
            raise

    @property
    def captured(self) -> bool:
        """Whether runs launch a CUDA graph, not single kernels."""
        return self._graph is not None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(name for name, tensor in self._tensors.items() if not tensor.is_input)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs, as new arrays.

        Args:
            inputs: by name; of the shapes of the engine, of which leading 1s may be omitted.

        Raises:
            ModelError: an input does not fit, or CUDA failed.
        """
        cudart = self._cudart
        for name, array in inputs.items():
            self._fill(name, array)
            self._copy(name, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice)
        if self._graph is None:
            self._enqueue()
        else:
            self._check(cudart.cudaGraphLaunch(self._graph, self._stream), 'the CUDA graph failed')
        outputs = self.outputs
        for name in outputs:
            self._copy(name, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        self._sync()
        return {name: self._host[name].copy() for name in outputs}

    def close(self) -> None:
        """Free all resources of the GPU; the program cannot run afterwards. Idempotent."""
        cudart = self._cudart
        if self._stream is not None:
            cudart.cudaStreamSynchronize(self._stream)
        if self._graph is not None:
            cudart.cudaGraphExecDestroy(self._graph)
        for address in self._pinned:
            cudart.cudaHostUnregister(address)
        for address in self._device.values():
            cudart.cudaFree(address)
        if self._stream is not None:
            cudart.cudaStreamDestroy(self._stream)
        # The context is released before the engine that it belongs to.
        self._graph = self._stream = self._context = None
        self._engine = None
        self._pinned, self._device = [], {}

    def __del__(self) -> None:
        self.close()

    def _check(self, result: tuple[Any, ...], what: str) -> tuple[Any, ...]:
        return checked(self._cudart, result, what)

    def _allocate(self) -> None:
        """Create the stream and all buffers, and give their addresses to the context."""
        cudart = self._cudart
        flags = cudart.cudaStreamNonBlocking
        (self._stream,) = self._check(cudart.cudaStreamCreateWithFlags(flags), 'no CUDA stream')
        for name, host in self._host.items():
            what = f'no {host.nbytes} bytes of GPU memory for {name}'
            (address,) = self._check(cudart.cudaMalloc(host.nbytes), what)
            self._device[name] = int(address)
            if not self._context.set_tensor_address(name, int(address)):
                raise ModelError(f'the engine has no tensor {quoted(name)}')
            # Page-locked memory is only copied faster, so a failure does not matter.
            code, *_ = cudart.cudaHostRegister(host.ctypes.data, host.nbytes, 0)
            if code == cudart.cudaError_t.cudaSuccess:
                self._pinned.append(host.ctypes.data)
            self._copy(name, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice)

    def _fill(self, name: str, array: Array) -> None:
        """Write an array into its buffer on the host."""
        host = self._host[name]
        if array.shape != host.shape[-array.ndim :] or array.size != host.size:
            raise ModelError(f'{name} is {array.shape}, the engine takes {host.shape}')
        np.copyto(host, array.reshape(host.shape), casting='same_kind')

    def _copy(self, name: str, kind: Any) -> None:
        """Enqueue the copy of one buffer to or from the GPU."""
        cudart, host, device = self._cudart, self._host[name], self._device[name]
        to_device = kind == cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        ends = (device, host.ctypes.data) if to_device else (host.ctypes.data, device)
        call = cudart.cudaMemcpyAsync(*ends, host.nbytes, kind, self._stream)
        self._check(call, f'{name} was not copied')

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(stream_handle=int(self._stream)):
            reason = ' '.join(self._errors[-1].split()) if self._errors else 'no reason given'
            raise ModelError(f'the engine failed to run: {reason}')

    def _sync(self) -> None:
        self._check(self._cudart.cudaStreamSynchronize(self._stream), 'the engine failed')

    def _capture(self) -> None:
        """Capture the launches in a CUDA graph; without one, kernels are launched one by one."""
        cudart, stream = self._cudart, self._stream
        # The global mode would forbid other threads to allocate meanwhile.
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._check(cudart.cudaStreamBeginCapture(stream, mode), 'no CUDA graph can be captured')
        launched = self._context.execute_async_v3(stream_handle=int(stream))
        code, graph = cudart.cudaStreamEndCapture(stream)
        if launched and code == cudart.cudaError_t.cudaSuccess:
            code, executable = cudart.cudaGraphInstantiate(graph, 0)
            if code == cudart.cudaError_t.cudaSuccess:
                self._graph = executable
            cudart.cudaGraphDestroy(graph)
        cudart.cudaGetLastError()  # clear the error of a failed capture
