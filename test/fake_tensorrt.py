"""A GPU with a TensorRT of made-up engines, in the place of the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_engine
import pytest
from fake_cuda import FakeCuda

from sff_ros.core.model_card import ModelCard
from sff_ros.errors import ModelError
from sff_ros.inference.onnx_file import Graph
from sff_ros.inference.tensorrt import backend as tensorrt
from sff_ros.inference.tensorrt.backend import Device, TensorRtBackend
from sff_ros.inference.tensorrt.engine_cache import EngineCache
from sff_ros.inference.tensorrt.program import Gpu, LoadedEngine

NETWORK = Graph(b'the network', ModelCard('fast_gru', 15, 2, 16, 'ab' * 32, '1', 'fp16'))
MEASURE = Graph(b'the measure', ModelCard('ddl', 15, 2, 2, '', '1'))


OPERATIONS = {NETWORK.content: 'fast_gru', MEASURE.content: 'ddl'}


class Machine:
    """A GPU with a TensorRT that keeps what it built and loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.cuda = FakeCuda()
        self.built: list[bytes] = []
        self.loaded: list[fake_engine.Plan] = []
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
        library = self.device.library
        return fake_engine.plan_of(OPERATIONS[graph], library, graph, shapes).to_bytes()

    def load_engine(self, trt: Any, plan: bytes) -> LoadedEngine:
        assert trt is self.device.trt
        self.loaded.append(fake_engine.Plan.from_bytes(plan))
        return fake_engine.load_plan(self.cuda, self.device.library, plan)
