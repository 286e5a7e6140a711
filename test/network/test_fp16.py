"""The fp16 graph: what stays fp32, and that it answers as the fp32 one does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rendered import plane, render

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.canonical import to_canonical
from sff_ros.core.focus.measure import FocusVolume, measure_contrast
from sff_ros.core.focus.peak import gather_evidence
from sff_ros.errors import ModelError
from sff_ros.inference.shipped import shipped_model

onnx = pytest.importorskip('onnx', reason='onnx is not installed')
ort = pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')

from sff_ros.network.fp16 import to_fp16  # noqa: E402 - needs onnx

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
AGREE = 0.05  # slices, mean: what fp16 may cost
SCALES_AGREE = 0.02  # of a scale, mean

Array = Any


@pytest.fixture(scope='module')
def model() -> Any:
    """The network that comes with the package."""
    try:
        return onnx.load(str(shipped_model('fast_gru.onnx')))
    except ModelError as err:
        pytest.skip(str(err))


def sweep() -> dict[str, Array]:
    """Return the network's inputs for a rendered slope over the whole sweep."""
    context, responses = RunningAllInFocus(), []
    for image in render(plane(-1, 15)):
        responses.append(measure_contrast(image, 2))
        context.add(image, responses[-1])
    size = (image.shape[0], image.shape[1])
    volume = FocusVolume(np.stack(responses), np.arange(15.0), size, 2)
    canonical = to_canonical(volume, gather_evidence(volume), context.image)
    return {
        'responses': canonical.responses[None],
        'evidence': canonical.evidence[None],
        'context': canonical.context[None],
    }


def types(model: Any) -> dict[str, int]:
    """Return the element type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    infos = (*graph.input, *graph.value_info, *graph.output)
    found = {info.name: info.type.tensor_type.elem_type for info in infos}
    found.update((tensor.name, tensor.data_type) for tensor in graph.initializer)
    return found


def run(model: Any, inputs: Mapping[str, Array], rounding: bool = False) -> tuple[Array, Array]:
    """Run on the processor.

    Args:
        rounding: give every fp16 tensor out, so that none is carried on in fp32 instead, which is
            how ONNX Runtime makes up for operators that it has no fp16 code of.
    """
    if rounding:
        kinds = types(model)
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        names = [name for node in model.graph.node for name in node.output if kinds[name] == HALF]
        assert len(names) > 100
        copy.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, HALF, None) for name in names
        )
        model = copy
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    position, scale = session.run(None, dict(inputs))[:2]
    return position, scale


def scaled(factor: float, what: str) -> dict[str, Array]:
    inputs = sweep()
    inputs[what] = inputs[what] * np.float32(factor)
    return inputs


def flat(contrast: float) -> dict[str, Array]:
    inputs = sweep()
    inputs['responses'] = np.full_like(inputs['responses'], contrast)
    return inputs


@pytest.mark.parametrize(
    'inputs',
    [sweep(), scaled(50 / 9, 'responses'), scaled(1e-3, 'responses'), flat(0), flat(50),
     scaled(40, 'context')],
    ids=['slope', 'contrast up to 50', 'faint', 'no energy', 'only contrast', 'one bright spot'],
)  # fmt: skip
def test_it_answers_as_the_fp32_graph(model: Any, inputs: dict[str, Array]) -> None:
    position, scale = run(model, inputs)
    rounded = run(to_fp16(model), inputs, rounding=True)
    assert np.isfinite(rounded[0]).all()
    assert np.abs(rounded[0] - position).mean() <= AGREE
    # A standard deviation is made of it: it may lose no more than it is known to.
    assert np.abs(np.log(rounded[1] / scale)).mean() <= SCALES_AGREE
    # Were nothing rounded, nothing would be tested.
    assert np.abs(rounded[0] - position).max() > 1e-6


def test_the_trunks_are_fp16_and_the_rest_is_not(model: Any) -> None:
    fp16 = to_fp16(model)
    kinds = types(fp16)
    by_operator: dict[str, set[int]] = {}
    for node in fp16.graph.node:
        by_operator.setdefault(node.op_type, set()).add(kinds[node.output[0]])
    for operator in ('Conv', 'Sigmoid', 'Tanh'):
        assert by_operator[operator] == {HALF}, operator
    for operator in ('Softmax', 'Exp', 'Log', 'Div', 'ReduceMean', 'ReduceSum', 'Abs', 'Clip'):
        assert by_operator.get(operator, {FLOAT}) == {FLOAT}, operator
    for tensor in (*fp16.graph.input, *fp16.graph.output):
        assert tensor.type.tensor_type.elem_type == FLOAT
    for node in fp16.graph.node:  # strongly typed: no operator mixes the two
        if node.op_type in ('Add', 'Sub', 'Mul', 'Concat', 'Conv'):
            assert len({kinds[name] for name in node.input}) == 1, node.name


def test_it_is_the_same_every_time_and_says_what_it_is(model: Any) -> None:
    fp16 = to_fp16(model)
    assert to_fp16(model).SerializeToString() == fp16.SerializeToString()
    before = {entry.key: entry.value for entry in model.metadata_props}
    after = {entry.key: entry.value for entry in fp16.metadata_props}
    assert after == {**before, 'precision': 'fp16'}
    assert fp16.ByteSize() < 0.6 * model.ByteSize()
    assert [i.name for i in fp16.graph.input] == ['responses', 'evidence', 'context']


def small(weight: float, halved: bool = False) -> Any:
    """Return a graph of one convolution, whose result leaves it twice."""
    helper = onnx.helper
    kernel = np.full((1, 1, 1, 1), weight, np.float32)
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['y']),
        helper.make_node('Relu' if halved else 'Exp', ['y'], ['z']),
    ]
    shape = (1, 1, 'h', 'w')
    graph = helper.make_graph(
        nodes,
        'small',
        [helper.make_tensor_value_info('x', FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name in ('y', 'z')],
        [onnx.numpy_helper.from_array(kernel, 'w')],
    )
    opset = [helper.make_opsetid('', 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.mark.parametrize('halved', [False, True])
def test_a_result_that_is_used_inside_as_well_keeps_name_and_type(halved: bool) -> None:
    fp16 = to_fp16(small(0.1, halved))
    x = np.full((1, 1, 2, 2), 3, np.float32)
    y, z = run(fp16, {'x': x})
    rounded = np.float32(np.float16(np.float16(0.1) * np.float16(3)))
    assert y.dtype == z.dtype == np.float32
    np.testing.assert_allclose(y, rounded, rtol=1e-3)
    np.testing.assert_allclose(z, rounded if halved else np.exp(rounded), rtol=1e-3)


@pytest.mark.parametrize('weight', [70000.0, np.inf, np.nan])
def test_a_weight_beyond_fp16_is_refused(weight: float) -> None:
    with pytest.raises(ModelError, match=r"weight 'w' is .*, fp16 ends at 65504"):
        to_fp16(small(weight))


def test_a_graph_without_convolution_is_refused() -> None:
    model = small(1.0)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(
        [onnx.helper.make_node('Exp', ['x'], ['y']), onnx.helper.make_node('Exp', ['y'], ['z'])]
    )
    with pytest.raises(ModelError, match='no convolution'):
        to_fp16(model)


def test_the_shipped_file_is_what_this_code_makes(model: Any) -> None:
    try:
        shipped = Path(shipped_model('fast_gru_fp16.onnx'))
    except ModelError as err:
        pytest.skip(str(err))
    assert shipped.read_bytes() == to_fp16(model).SerializeToString()
