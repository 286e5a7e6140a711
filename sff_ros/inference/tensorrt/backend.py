"""The network on an NVIDIA GPU, by TensorRT or TensorRT for RTX; in fp16 if that file exists.

An engine is specific to one image size. It is built at the first image of a size, in seconds to
minutes, and loaded from the cache afterwards. Nodes build it in the background.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sff_ros.core.focus.canonical import EVIDENCE_CHANNELS
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import DILATIONS, POOLING, FocusVolume, Responses
from sff_ros.core.image import FloatMap, Image
from sff_ros.core.model_card import ModelCard
from sff_ros.errors import ConfigError, ModelError
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.network_backend import (
    OUTPUTS,
    CanonicalNetwork,
    check_outputs,
    measure,
    spec_of,
)
from sff_ros.inference.onnx_file import Graph, read_graph
from sff_ros.inference.tensorrt.build import Shapes, build_engine, load_engine, load_library
from sff_ros.inference.tensorrt.engine_cache import EngineCache, EngineKey
from sff_ros.inference.tensorrt.program import CudaProgram, Gpu, find_gpu, load_cudart
from sff_ros.inference.warm_up import BuiltBackend, Progress, Size

NETWORK, MEASURE = 'fast_gru', 'ddl'
NETWORK_SHARE = 0.9  # of the time to build both engines
MIN_SIDE_PX = 16  # of an image that the graph `ddl` takes; smaller ones are measured by the host

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """TensorRT's module, the CUDA runtime and the GPU."""

    trt: Any
    cudart: Any
    gpu: Gpu

    @property
    def library(self) -> str:
        """Name and version of TensorRT."""
        return f'{self.trt.__name__} {self.trt.__version__}'


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine that is loaded and ready.

    Attributes:
        name, precision: of its graph.
        program: runs it.
        build_s: duration of its build, now or earlier, s.
        loaded: whether it came from the cache.
        note: why it could not be stored in the cache; empty if it was.
    """

    name: str
    precision: str
    program: CudaProgram
    build_s: float
    loaded: bool
    note: str


def open_tensorrt(model: Path) -> TensorRtBackend:
    """Find the GPU, its libraries and the graphs; nothing is built yet.

    Args:
        model: fp32 ONNX file; <its name>_fp16.onnx beside it is preferred if it has the same
            weights, and slices are measured by the ddl.onnx beside it if there is one.

    Raises:
        ModelError: one of these is missing or damaged.
    """
    graph = read_graph(model, NETWORK)
    fp16_file = model.with_name(f'{model.stem}_fp16.onnx')
    if fp16_file.is_file():
        fp16 = read_graph(fp16_file, NETWORK)
        graph = fp16 if fp16.card.sha256 == graph.card.sha256 else graph
    ddl_file = model.with_name(f'{MEASURE}.onnx')
    measuring = read_graph(ddl_file, MEASURE) if ddl_file.is_file() else None
    try:
        cache = EngineCache()
    except ConfigError as err:
        raise ModelError(f'no place for engines: {err}; set XDG_CACHE_HOME') from err
    return TensorRtBackend(find_device(), graph, measuring, cache)


def find_device() -> Device:
    """Return the GPU and the libraries.

    Raises:
        ModelError: one of them is missing.
    """
    trt = load_library()
    cudart = load_cudart()
    return Device(trt, cudart, find_gpu(cudart))


class TensorRtBackend(BuiltBackend):
    """A DepthBackend for one image size at a time; a new size is built at its first image.

    Args:
        device: to run on.
        network: the graph `fast_gru`.
        measuring: the graph `ddl`; None: slices are measured by the host.
        cache: of built engines.
    """

    def __init__(
        self, device: Device, network: Graph, measuring: Graph | None, cache: EngineCache
    ) -> None:
        self._device = device
        self._network = network
        self._measuring = measuring
        self._cache = cache
        self._ready: _Ready | None = None

    @property
    def spec(self) -> ModelSpec:
        return spec_of('tensorrt', self._network.card)

    @property
    def device(self) -> Device:
        """The device it runs on."""
        return self._device

    @property
    def engines(self) -> tuple[BuiltEngine, ...]:
        """The loaded engines: of the network first, then of the focus measure."""
        return self._ready.engines if self._ready is not None else ()

    def is_built(self, size: Size) -> bool:
        """Return whether the engines for an image size are loaded."""
        ready = self._ready
        return ready is not None and ready.size == size

    def build(self, size: Size, progress: Progress) -> None:
        """Load the engines for a size, from the cache or by building them.

        Raises:
            ModelError: TensorRT or CUDA failed, or is out of memory.
        """
        shapes = network_shapes(size, self._network.card)
        network = self._engine(self._network, shapes, _part(progress, 0, NETWORK_SHARE))
        engines = [network]
        if self._measuring is not None and _is_measurable(size):
            rest = _part(progress, NETWORK_SHARE, 1)
            engines.append(self._engine(self._measuring, {'image': (1, 3, *size)}, rest))
        slices = partial(_measure, engines[1].program) if len(engines) > 1 else measure
        runner = TensorRtRunner(network.program)
        # One assignment, as other threads read it; earlier engines are freed after their use.
        self._ready = _Ready(size, CanonicalNetwork(self.spec, runner, slices), tuple(engines))

    def measure(self, image: Image) -> Responses:
        """Return the DDL responses of one slice, (4, ceil(H / 2), ceil(W / 2)) float32 >= 0."""
        return self._at((image.shape[0], image.shape[1])).network.measure(image)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate position and confidence: the classical evidence, corrected by the network."""
        return self._at(volume.size).network.infer(volume, context)

    def _at(self, size: Size) -> _Ready:
        """Return the engines of a size; load or build them now if they are not ready."""
        if self._ready is None or self._ready.size != size:
            _LOG.warning(
                'tensorrt: engines for %dx%d are loaded or built; a build takes minutes, once',
                *size[::-1],
            )
            self.build(size, lambda what, share: None)
        assert self._ready is not None
        return self._ready

    def _engine(self, graph: Graph, shapes: Shapes, progress: Progress) -> BuiltEngine:
        """Load the engine of a graph, from the cache or by building it."""
        device, name = self._device, graph.card.name
        progress(name, 0.0)
        engine = self._cache.get(
            engine_key(device, graph, shapes),
            lambda: build_engine(
                device.trt, graph.content, shapes, lambda share: progress(name, share)
            ),
            lambda: progress(f'{name}, waiting for another build', 0.0),
        )
        program = CudaProgram(device.cudart, load_engine(device.trt, engine.content))
        progress(name, 1.0)
        return BuiltEngine(
            name, graph.card.precision, program, engine.build_s, engine.loaded, engine.note
        )


@dataclass(frozen=True, slots=True)
class _Ready:
    size: Size
    network: CanonicalNetwork
    engines: tuple[BuiltEngine, ...]


class TensorRtRunner:
    """Runs the graph `fast_gru` of one size.

    Raises:
        ModelError: the graph has other outputs.
    """

    def __init__(self, program: CudaProgram) -> None:
        check_outputs(program.outputs)
        self._program = program

    def run(
        self, responses: FloatMap, evidence: FloatMap, context: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Return canonical position and scale, (H, W) each."""
        inputs = {'responses': responses, 'evidence': evidence, 'context': context}
        outputs = self._program.run(inputs)
        position, scale = (outputs[name][0, 0] for name in OUTPUTS)
        return position, scale


def network_shapes(size: Size, card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs of `fast_gru` for an image size."""
    height, width = (-(-side // card.size_multiple) * card.size_multiple for side in size)
    h, w = height // card.pooling, width // card.pooling
    return {
        'responses': (1, card.positions, len(DILATIONS), h, w),
        'evidence': (1, EVIDENCE_CHANNELS, h, w),
        'context': (1, 3, height, width),
    }


def engine_key(device: Device, graph: Graph, shapes: Shapes) -> EngineKey:
    """Return everything that an engine depends on."""
    return EngineKey(
        graph_sha256=hashlib.sha256(graph.content).hexdigest(),
        library=device.library,
        gpu=str(device.gpu),
        driver=device.gpu.driver,
        precision=graph.card.precision,
        shapes=tuple(sorted(shapes.items())),
    )


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Map the share 0..1 of a part to start..end of the whole."""
    return lambda what, share: progress(what, start + share * (end - start))


def _is_measurable(size: Size) -> bool:
    return min(size) >= MIN_SIDE_PX and not any(side % POOLING for side in size)


def _measure(program: CudaProgram, image: Image) -> Responses:
    """Return the DDL responses of one slice of the program's size."""
    colour = image[..., None] if image.ndim == 2 else image
    planes = np.broadcast_to(colour, (*image.shape[:2], 3)).transpose(2, 0, 1)
    responses: Responses = program.run({'image': planes})['responses'][0]
    return responses
