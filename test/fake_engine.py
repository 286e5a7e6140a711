"""Made-up TensorRT engines: what they compute, how they are stored, and how they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from fake_cuda import FakeCuda, check

from sff_ros.core.focus.measure import measure_contrast
from sff_ros.inference.network_backend import OUTPUTS
from sff_ros.inference.tensorrt.program import LoadedEngine, Tensor

Maps = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Operation = Callable[[Mapping[str, Maps]], dict[str, Maps]]


def correct(responses: Maps, evidence: Maps, context: Maps) -> tuple[Maps, Maps]:
    """Return a position and a scale that depend on each input, in the way of `fast_gru`.

    Args:
        responses, evidence, context: (15, 4, h, w), (7, h, w), (3, 2 h, 2 w).
    """
    coarse = evidence[0] + np.float32(0.1) * responses[3, 1]
    return np.kron(coarse, np.ones((2, 2), np.float32)), context.mean(0) / 4 + np.float32(0.01)


def fast_gru(inputs: Mapping[str, Maps]) -> dict[str, Maps]:
    """Run `correct` as the graph of that name would be run."""
    answers = correct(*(inputs[name][0] for name in ('responses', 'evidence', 'context')))
    return {name: maps[None, None] for name, maps in zip(OUTPUTS, answers, strict=True)}


def ddl(inputs: Mapping[str, Maps]) -> dict[str, Maps]:
    """Measure a slice as the graph of that name does."""
    image = inputs['image'][0].transpose(1, 2, 0).astype(np.uint8)
    return {'responses': measure_contrast(image, 2)[None]}


OPERATIONS: dict[str, Operation] = {'fast_gru': fast_gru, 'ddl': ddl}
INPUTS = {'fast_gru': {'responses', 'evidence', 'context'}, 'ddl': {'image'}}


@dataclass(frozen=True, slots=True)
class Plan:
    """A serialised engine.

    Attributes:
        operation: of OPERATIONS.
        library: that built it; no other one loads it.
        graph_sha256: of the ONNX file.
        inputs, outputs: shape of each tensor; all are float32.
    """

    operation: str
    library: str
    graph_sha256: str
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_bytes(content: bytes) -> Plan:
        """Return a plan; what is no plan ends in an error of json or of the constructor."""
        entries = json.loads(content)
        for side in ('inputs', 'outputs'):
            entries[side] = {name: tuple(shape) for name, shape in entries[side].items()}
        return Plan(**entries)


def plan_of(operation: str, library: str, graph: bytes, shapes: Mapping[str, Shape]) -> Plan:
    """Build an engine for shapes; refuse those of another graph, as TensorRT does."""
    check(shapes.keys() == INPUTS[operation], f'{operation} is built for {sorted(shapes)}')
    inputs: dict[str, Shape] = {name: tuple(shape) for name, shape in shapes.items()}
    outputs: dict[str, Shape]
    if operation == 'ddl':
        batch, channels, height, width = inputs['image']
        check((batch, channels) == (1, 3), f'image is {inputs["image"]}')
        outputs = {'responses': (1, 4, height // 2, width // 2)}
    else:
        height, width = inputs['context'][2:]
        h, w = height // 2, width // 2
        expected = {
            'responses': (1, 15, 4, h, w),
            'evidence': (1, 7, h, w),
            'context': (1, 3, height, width),
        }
        check(inputs == expected and not (height % 16 or width % 16), f'shapes are {inputs}')
        outputs = dict.fromkeys(OUTPUTS, (1, 1, height, width))
    digest = hashlib.sha256(graph).hexdigest()
    return Plan(operation, library, digest, inputs, outputs)


def load_plan(cuda: FakeCuda, library: str, content: bytes) -> LoadedEngine:
    """Load an engine that was stored."""
    plan = Plan.from_bytes(content)
    check(plan.library == library, f'{library} loads an engine of {plan.library}')
    context = FakeContext(cuda, plan.inputs, plan.outputs, OPERATIONS[plan.operation])
    return LoadedEngine(context, tensors_of(plan.inputs, plan.outputs), [])


def tensors_of(inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> tuple[Tensor, ...]:
    """Describe the tensors of an engine, all of float32."""
    sides = ((inputs, True), (outputs, False))
    return tuple(
        Tensor(name, shape, np.float32, is_input)
        for tensors, is_input in sides
        for name, shape in tensors.items()
    )


class FakeContext:
    """An execution context that runs an operation on the memory of a FakeCuda.

    Args:
        cuda: whose memory and streams it uses.
        inputs, outputs: shape of each tensor; all are float32.
        operation: takes the inputs by name, returns the outputs.
    """

    def __init__(
        self,
        cuda: FakeCuda,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        operation: Operation,
    ) -> None:
        self.cuda = cuda
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self.operation = operation
        self.addresses: dict[str, int] = {}
        self.enqueued = 0
        self.works = True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        check(type(memory) is int, f'{memory!r} is no address')
        if name not in self.inputs and name not in self.outputs:
            return False
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        stream = self.cuda.stream_at(stream_handle)
        self.enqueued += 1
        for name in (*self.inputs, *self.outputs):
            self._view(name)
        for name in self.inputs:
            check(self.addresses[name] in self.cuda.written, f'input {name} was never written')
        if self.works:
            self.cuda.enqueue(stream, self._run)
        return self.works

    def _run(self) -> None:
        """Compute; memory that was freed since the launch is found here."""
        found = self.operation({name: self._view(name).copy() for name in self.inputs})
        check(found.keys() == self.outputs.keys(), f'the operation returned {sorted(found)}')
        for name, values in found.items():
            check(values.dtype == np.float32, f'{name} is {values.dtype}')
            check(values.shape == self.outputs[name], f'{name} is {values.shape}')
            self._view(name)[...] = values
            self.cuda.written.add(self.addresses[name])

    def _view(self, name: str) -> Maps:
        """Return a tensor where its address says; refuse memory that is not that tensor's."""
        shape = self.inputs.get(name) or self.outputs[name]
        check(name in self.addresses, f'tensor {name} has no address')
        memory = self.cuda.memory.get(self.addresses[name])
        check(memory is not None, f'the memory of {name} is not allocated')
        assert memory is not None
        check(memory.nbytes == 4 * int(np.prod(shape)), f'{name} has {memory.nbytes} bytes')
        return memory.view(np.float32).reshape(shape)
