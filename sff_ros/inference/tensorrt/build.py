"""From an ONNX graph to a TensorRT engine: strongly typed, of static shapes."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sff_ros.errors import ModelError
from sff_ros.inference.tensorrt.program import LoadedEngine, Tensor

LIBRARIES = ('tensorrt', 'tensorrt_rtx')  # the same API; the second needs no tuning on the GPU
OLDEST = 10
WORKSPACE_BYTES = 1 << 30  # a robot's GPU shares its memory with everything else
QUOTED = 3  # messages of TensorRT that an error quotes

Shapes = Mapping[str, tuple[int, ...]]
Share = Callable[[float], None]


def load_library() -> Any:
    """Return TensorRT's Python module, or that of TensorRT for RTX.

    Raises:
        ModelError: neither can be loaded, or it is too old.
    """
    reasons = []
    for name in LIBRARIES:
        try:
            library = importlib.import_module(name)
        except ModuleNotFoundError as err:
            reasons.append(f'{err.name} is not installed')
        except (ImportError, OSError, RuntimeError) as err:  # its libraries, or CUDA's, are not
            reasons.append(f'{name}: {" ".join(str(err).split())}')
        else:
            if name == 'tensorrt' and int(library.__version__.split('.')[0]) < OLDEST:
                reasons.append(f'tensorrt is {library.__version__}, expected {OLDEST} or later')
                continue
            return library
    raise ModelError(', '.join(reasons))


def build_engine(
    trt: Any, graph: bytes, shapes: Shapes, on_share: Share, target: str = 'CURRENT'
) -> bytes:
    """Compile a graph for one shape of its inputs.

    Args:
        trt: from load_library.
        graph: content of the ONNX file.
        shapes: of every input, by name.
        on_share: receives the share of the build that is done, 0..1.
        target: architecture that TensorRT for RTX compiles for: 'CURRENT', or e.g. 'SM86'.
            TensorRT itself always compiles for the present GPU.

    Raises:
        ModelError: TensorRT cannot read the graph or cannot build it; quotes its messages.
    """
    messages = message_log(trt)
    # Without a GPU TensorRT raises here, and its log has the reason.
    builder = _made(lambda: trt.Builder(messages), 'has no builder', messages)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, messages)
    if not parser.parse(graph):
        faults = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise ModelError(f'TensorRT cannot read the graph: {_quoted(faults or messages.errors)}')
    _fix_shapes(network, shapes)
    config = _configure(trt, builder, target)
    # TensorRT keeps no reference to it, so it needs one here until the build has ended.
    config.progress_monitor = monitor = _progress_monitor(trt, on_share)
    plan = builder.build_serialized_network(network, config)
    del monitor
    if plan is None:
        raise ModelError(f'TensorRT cannot build the engine: {_quoted(messages.errors)}')
    return bytes(plan)


def load_engine(trt: Any, plan: bytes) -> LoadedEngine:
    """Return an engine with an execution context, ready for its buffers.

    Raises:
        ModelError: the engine is of another version or GPU, or there is too little memory.
    """
    messages = message_log(trt)
    runtime = _made(lambda: trt.Runtime(messages), 'has no runtime', messages)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ModelError(f'TensorRT cannot load the engine: {_quoted(messages.errors)}')
    context = engine.create_execution_context()
    if context is None:
        raise ModelError(f'TensorRT cannot start the engine: {_quoted(messages.errors)}')
    return LoadedEngine(
        context, _tensors(trt, engine), messages.errors, (engine, runtime, messages)
    )


def _tensors(trt: Any, engine: Any) -> tuple[Tensor, ...]:
    """Return the inputs and outputs of an engine."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return tuple(
        Tensor(
            name,
            tuple(engine.get_tensor_shape(name)),
            trt.nptype(engine.get_tensor_dtype(name)),
            engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
        )
        for name in names
    )


def message_log(trt: Any) -> Any:
    """Return a logger that collects TensorRT's error messages and prints nothing."""

    class Messages(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)

    return Messages()


def _made(make: Callable[[], Any], what: str, messages: Any) -> Any:
    """Call a constructor, which raises or returns None if there is no GPU."""
    try:
        made = make()
    except (RuntimeError, TypeError) as err:
        raise ModelError(
            f'TensorRT {what} here: {_quoted(messages.errors or [str(err)])}'
        ) from err
    if made is None:
        raise ModelError(f'TensorRT {what} here: {_quoted(messages.errors)}')
    return made


def _network_flags(trt: Any) -> int:
    """Request strong typing; TensorRT 11 and later have no other."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, 'STRONGLY_TYPED', None)
    return 0 if flag is None else 1 << int(flag)


def _fix_shapes(network: Any, shapes: Shapes) -> None:
    """Set the inputs to their final sizes, so that no shape is dynamic and no profile is needed.

    Raises:
        ModelError: the graph has other inputs.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    names = [tensor.name for tensor in inputs]
    if sorted(names) != sorted(shapes):
        raise ModelError(f'the graph takes {", ".join(names)}; expected {", ".join(shapes)}')
    for tensor in inputs:
        graph, wanted = tuple(tensor.shape), shapes[tensor.name]
        fits = len(graph) == len(wanted) and all(
            axis in (-1, side) for axis, side in zip(graph, wanted, strict=True)
        )
        if not fits:
            raise ModelError(f'{tensor.name} is {graph} in the graph; expected {wanted}')
        tensor.shape = wanted


def _configure(trt: Any, builder: Any, target: str) -> Any:
    """Return a configuration with exact fp32, whose engines a CUDA graph can capture."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    # TF32 is on by default and would round the inputs of fp32 convolutions to 10 bits.
    config.clear_flag(trt.BuilderFlag.TF32)
    # TensorRT for RTX: without it an engine may allocate while it runs, which a capture forbids.
    own_memory = getattr(trt.BuilderFlag, 'REQUIRE_USER_ALLOCATION', None)
    if own_memory is not None:
        config.set_flag(own_memory)
    capabilities = getattr(trt, 'ComputeCapability', None)
    if capabilities is not None:
        config.num_compute_capabilities = 1
        if not config.set_compute_capability(getattr(capabilities, target), 0):
            raise ModelError(f'TensorRT for RTX cannot compile for {target}')
    return config


def _progress_monitor(trt: Any, on_share: Share) -> Any:
    """Return a progress monitor; a phase counts as one step of its parent phase."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.phases = Phases(on_share)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self.phases.step(phase_name, step + 1)
            return True  # continue the build

        def phase_finish(self, phase_name: str) -> None:
            self.phases.finish(phase_name)

    return Monitor()


class Phases:
    """Combines nested phases of a build into one share that never decreases; thread-safe."""

    def __init__(self, on_share: Share) -> None:
        self._on_share = on_share
        self._lock = threading.Lock()
        self._phases: dict[str, tuple[str | None, int]] = {}
        self._done: dict[str, int] = {}
        self._most = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Register a phase of some steps, within a parent phase or None."""
        with self._lock:
            self._phases[name] = (parent, max(steps, 1))
            self._done[name] = 0

    def step(self, name: str, done: int) -> None:
        """Set how many steps of a phase are done; report the share of the whole if it grew."""
        with self._lock:
            self._done[name] = done
            share = self._share(name)
            if share <= self._most:
                return
            self._most = share
        self._on_share(share)

    def finish(self, name: str) -> None:
        """Remove a phase; its name may be used again."""
        with self._lock:
            self._phases.pop(name, None)
            self._done.pop(name, None)

    def _share(self, name: str | None) -> float:
        """Return the share of the outermost phase that is done, given the progress of `name`."""
        share = 0.0
        while name in self._phases:
            parent, steps = self._phases[name]
            share = min((self._done[name] + share) / steps, 1.0)
            name = parent
        return share


def _quoted(messages: list[str]) -> str:
    """Join the first messages in one line."""
    return '; '.join(' '.join(one.split()) for one in messages[:QUOTED]) or 'no reason given'
