"""Convert an exported graph to fp16, with the parts that need precision in fp32.

TensorRT runs a strongly typed network in the types of the graph, so what may lose digits is
decided here, once, at export. Convolutions and operators that only pass on their results compute
in fp16. Everything else stays fp32: the normalisation of the focus curves with its logarithm,
softmax, exp, sums over positions, the look-up around the estimate, and the estimate itself, which
is the input plus corrections. Inputs and outputs keep their types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sff_ros.errors import ModelError, quoted

PRECISION_KEY = 'precision'  # of the model's metadata
MOST = float(np.finfo(np.float16).max)
_FLOAT, _FLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16

# Operators that are fp16 if all their data are: name -> how many of the inputs are data; the rest
# are sizes and scales, which keep their type. None: all inputs.
_FOLLOWERS: dict[str, int | None] = {
    **dict.fromkeys(('Add', 'Concat', 'Mul', 'Sub'), None),
    **dict.fromkeys(('Relu', 'Sigmoid', 'Tanh', 'AveragePool', 'Resize'), 1),
    **dict.fromkeys(('DepthToSpace', 'Reshape', 'Slice', 'SpaceToDepth', 'Split', 'Transpose'), 1),
}


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph of the same inputs, outputs and operators that computes in fp16 where it can.

    Args:
        model: fp32, without subgraphs.

    Raises:
        ModelError: a weight exceeds fp16, or the graph has no convolution to convert.
    """
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    work = _Conversion(_element_types(typed.graph), _constants(model.graph))
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    graph = converted.graph
    users = _users(model.graph)
    for node in model.graph.node:
        work.convert(node, users)
    if not work.fp16:
        raise ModelError('the graph has no convolution: there is nothing to run in fp16')
    for output in graph.output:
        work.restore(output.name)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(work.nodes)
    graph.initializer.extend(work.weights.values())
    _drop_unused_weights(graph)
    _note_precision(converted)
    onnx.checker.check_model(converted)
    return converted


@dataclass(slots=True)
class _Conversion:
    """The state of one conversion, node by node in the order of the graph.

    Attributes:
        types: element type of every tensor of the fp32 graph.
        constants: weights and constants by name.
        fp16: tensors that are fp16 now.
        weights: fp16 copies of constants, by their new names.
        casts: tensors that exist in the other type as well.
        nodes: the new graph so far.
    """

    types: dict[str, int]
    constants: dict[str, TensorProto]
    fp16: set[str] = field(default_factory=set)
    weights: dict[str, TensorProto] = field(default_factory=dict)
    casts: set[str] = field(default_factory=set)
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    def convert(self, node: onnx.NodeProto, users: dict[str, list[onnx.NodeProto]]) -> None:
        """Add a node in the type that it computes in, with the casts that it needs."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        target = _FLOAT16 if self._runs_fp16(node, users) else _FLOAT
        data = self._data(node)
        for index, name in enumerate(node.input):
            if name in data:
                copy.input[index] = self._as(name, target)
        self.nodes.append(copy)
        if target == _FLOAT16:
            self.fp16.update(name for name in node.output if name)

    def restore(self, output: str) -> None:
        """Cast an output of the graph back to fp32, under its own name."""
        if output not in self.fp16:
            return
        inner = f'{output}_inside'
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == output:
                        names[index] = inner
        self.nodes.append(helper.make_node('Cast', [inner], [output], f'{output}_cast', to=_FLOAT))

    def _data(self, node: onnx.NodeProto) -> list[str]:
        """Return the inputs of a node whose type may change."""
        count = None if node.op_type == 'Conv' else _FOLLOWERS.get(node.op_type)
        known = node.op_type == 'Conv' or node.op_type in _FOLLOWERS
        names = node.input[: count if known else None]
        return [name for name in names if self.types.get(name) == _FLOAT]

    def _runs_fp16(self, node: onnx.NodeProto, users: dict[str, list[onnx.NodeProto]]) -> bool:
        if node.op_type == 'Conv':
            return True
        if node.op_type not in _FOLLOWERS:
            return False
        data = [name for name in self._data(node) if name not in self.constants]
        fp16 = [name in self.fp16 for name in data]
        # The inputs of a convolution are rounded there in any case.
        enters = all(user.op_type == 'Conv' for user in users.get(node.output[0], []))
        return any(fp16) and (all(fp16) or (node.op_type == 'Concat' and enters))

    def _as(self, name: str, target: int) -> str:
        """Return the name of a tensor in a type; add the cast if there is none."""
        if (name in self.fp16) == (target == _FLOAT16):
            return name
        other = f'{name}_{"fp16" if target == _FLOAT16 else "fp32"}'
        if name in self.constants:
            if other not in self.weights:
                self.weights[other] = _fp16_weight(self.constants[name], other)
        elif other not in self.casts:
            self.casts.add(other)
            self.nodes.append(
                helper.make_node('Cast', [name], [other], f'{other}_cast', to=target)
            )
        return other


def _fp16_weight(tensor: TensorProto, name: str) -> TensorProto:
    """Return a weight in fp16, under a new name."""
    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0))
    if not largest <= MOST:
        raise ModelError(f'weight {quoted(tensor.name)} is {largest:g}, fp16 ends at {MOST:g}')
    return numpy_helper.from_array(values.astype(np.float16), name)


def _element_types(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the element type of every tensor, as shape inference found it."""
    infos = (*graph.input, *graph.value_info, *graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    types.update((name, tensor.data_type) for name, tensor in _constants(graph).items())
    return types


def _constants(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    """Return weights and the values of Constant nodes, by name."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == 'Constant' and node.attribute[0].name == 'value':
            found[node.output[0]] = node.attribute[0].t
    return found


def _users(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Return the nodes that use each tensor; an output of the graph is used by an Identity."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for name, node in _uses(graph):
        users.setdefault(name, []).append(node)
    return users


def _uses(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.NodeProto]]:
    for node in graph.node:
        for name in node.input:
            yield name, node
    for output in graph.output:
        yield output.name, helper.make_node('Identity', [output.name], [])


def _drop_unused_weights(graph: onnx.GraphProto) -> None:
    """Remove fp32 weights and constants of which only the fp16 copies are used."""
    used = {name for name, _ in _uses(graph)}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    nodes = [node for node in graph.node if node.op_type != 'Constant' or node.output[0] in used]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(weights)
    graph.node.extend(nodes)


def _note_precision(model: onnx.ModelProto) -> None:
    """Set the precision in the metadata."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    metadata[PRECISION_KEY] = 'fp16'
    helper.set_model_props(model, metadata)
