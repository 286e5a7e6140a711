"""Export trained weights to the files of models/: ONNX graphs, their cards, and the weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from sff_ros import __version__
from sff_ros.core.focus.canonical import EVIDENCE_CHANNELS, POSITIONS
from sff_ros.core.focus.measure import DILATIONS, POOLING, measure_contrast
from sff_ros.core.model_card import MEASURE, NETWORK, ModelCard, to_sidecar
from sff_ros.errors import ModelError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.whole_file import write_file
from sff_ros.network.checkpoint import digest_of
from sff_ros.network.ddl_graph import Ddl
from sff_ros.network.fast_gru import SIZE_MULTIPLE, FastGru
from sff_ros.network.fp16 import to_fp16

OPSET = 17  # that TensorRT 10 and ONNX Runtime 1.16 support
TRACED, CHECKED = (64, 96), (48, 112)  # px: the graph must not be specific to the first
# Largest mean difference between ONNX Runtime and PyTorch: positions, confidence, responses.
TOLERANCE, FP16_TOLERANCE = 1e-4, 0.05
FORBIDDEN = {
    'Col2Im',
    'If',
    'Loop',
    'Scan',
    'NonZero',
}  # operators that static engines do not support

Array = npt.NDArray[np.float32]
Axes = Mapping[str, Sequence[str | int]]


class RunTime(nn.Module):
    """The network as backends run it: only the result of the last step."""

    def __init__(self, network: FastGru) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, responses: Tensor, evidence: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return position and the Laplace scale of its error, both canonical, (B, 1, H, W)."""
        predictions = self.network(responses, evidence, context)
        return predictions.position, predictions.log_scale.exp()


def export_model(network: FastGru, folder: Path) -> tuple[Path, ...]:
    """Write the files of models/, each atomically.

    They are fast_gru.onnx, fast_gru_fp16.onnx, ddl.onnx, the card of each as NAME.onnx.json, and
    fast_gru.safetensors.

    Before any file of the folder changes, each graph is checked, and compared with PyTorch at
    another size than it was traced with.

    Returns:
        The files.

    Raises:
        ModelError: a graph differs from the network.
        OSError: the folder cannot be written.
    """
    network = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    state = {name: values.contiguous() for name, values in network.state_dict().items()}
    card = ModelCard(NETWORK, POSITIONS, POOLING, SIZE_MULTIPLE, digest_of(state), __version__)
    folder.mkdir(parents=True, exist_ok=True)
    with staged_folder(folder) as stage:
        _write_network(RunTime(network).eval(), card, stage / f'{NETWORK}.onnx')
        measure = replace(card, name=MEASURE, size_multiple=POOLING, sha256='')
        _write_measure(measure, stage / f'{MEASURE}.onnx')
        weights = to_safetensors(state, metadata=card.to_metadata())
        write_file(stage / f'{NETWORK}.safetensors', weights)
        written = tuple(folder / file.name for file in sorted(stage.iterdir()))
    return written


def _write_network(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Write and check the graph `fast_gru`."""
    axes = {
        'responses': (1, POSITIONS, len(DILATIONS), 'h', 'w'),
        'evidence': (1, EVIDENCE_CHANNELS, 'h', 'w'),
        'context': (1, 3, 'H', 'W'),
        'position': (1, 1, 'H', 'W'),
        'scale': (1, 1, 'H', 'W'),
    }
    _write(network, _sweep(TRACED), axes, card, path)
    inputs = _sweep(CHECKED)
    with torch.inference_mode():
        expected = [values.numpy() for values in network(*inputs)]
    feed = dict(zip(axes, inputs, strict=False))
    _compare(path, feed, expected, TOLERANCE)
    fp16_path = path.with_name(f'{NETWORK}_fp16.onnx')
    fp16 = to_fp16(onnx.load(str(path)))
    _write_graph(fp16, replace(card, precision='fp16'), fp16_path)
    _compare(fp16_path, feed, expected, FP16_TOLERANCE)


def _write_measure(card: ModelCard, path: Path) -> None:
    """Write the graph `ddl` and check it against the focus measure on the host."""
    axes = {'image': (1, 3, 'H', 'W'), 'responses': (1, len(DILATIONS), 'h', 'w')}
    _write(Ddl(), (_random_image(TRACED),), axes, card, path)
    image = _random_image(CHECKED)
    slice_ = image[0].permute(1, 2, 0).numpy().astype(np.uint8)
    _compare(path, {'image': image}, [measure_contrast(slice_, POOLING)[None]], TOLERANCE)


def _write(
    module: nn.Module, inputs: tuple[Tensor, ...], axes: Axes, card: ModelCard, path: Path
) -> None:
    """Trace a module, fold what is constant, name its axes, and add the metadata."""
    names = list(axes)
    dynamic = {
        name: {index: axis for index, axis in enumerate(sizes) if isinstance(axis, str)}
        for name, sizes in axes.items()
    }
    traced = path.with_suffix('.traced')
    with warnings.catch_warnings():
        # PyTorch's older exporter: its graph has as many nodes as that of the newer one and runs
        # as fast, but it takes a second instead of a minute, and no further package.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module,
            inputs,
            str(traced),
            dynamo=False,
            opset_version=OPSET,
            input_names=names[: len(inputs)],
            output_names=names[len(inputs) :],
            dynamic_axes=dynamic,
        )
    graph = _folded(traced)
    traced.unlink()
    _name_axes(graph, axes)
    onnx.helper.set_model_props(graph, card.to_metadata())
    _check(graph)
    _write_graph(graph, card, path)


def _write_graph(graph: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Write a graph, and its card beside it for readers without ONNX Runtime."""
    content = graph.SerializeToString()
    write_file(path, content)
    write_file(path.with_name(f'{path.name}.json'), to_sidecar(card, content))


def _folded(traced: Path) -> onnx.ModelProto:
    """Return a graph as simplified by ONNX Runtime, with standard operators only."""
    folded = traced.with_suffix('.folded')
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = (
        3  # no warning that the file may be specific to this machine: at this level it is not
    )
    onnxruntime.InferenceSession(str(traced), options, providers=['CPUExecutionProvider'])
    graph = onnx.load(str(folded))
    folded.unlink()
    used = [opset for opset in graph.opset_import if opset.domain == '']
    del graph.opset_import[:]
    graph.opset_import.extend(used)
    return graph


def _name_axes(graph: onnx.ModelProto, axes: Axes) -> None:
    """Set the sizes of inputs and outputs, some of which tracing lost or invented."""
    for tensor in (*graph.graph.input, *graph.graph.output):
        dimensions = tensor.type.tensor_type.shape.dim
        for dimension, axis in zip(dimensions, axes[tensor.name], strict=True):
            dimension.Clear()
            if isinstance(axis, str):
                dimension.dim_param = axis
            else:
                dimension.dim_value = axis


def _check(graph: onnx.ModelProto) -> None:
    """Refuse a graph that some runtime does not support.

    Raises:
        ModelError: names the operators.
    """
    onnx.checker.check_model(graph, full_check=True)
    foreign = {
        node.op_type for node in graph.graph.node if node.domain or node.op_type in FORBIDDEN
    }
    if foreign:
        raise ModelError(
            f'the graph has {", ".join(sorted(foreign))}, which not all runtimes take'
        )


def _compare(
    path: Path, inputs: Mapping[str, Tensor], expected: Sequence[Array], tolerance: float
) -> None:
    """Run a graph and refuse it if it differs.

    Raises:
        ModelError: names the output and by how much.
    """
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    found = session.run(None, {name: values.numpy() for name, values in inputs.items()})
    for output, got, want in zip(session.get_outputs(), found, expected, strict=True):
        apart = float(np.abs(got - want).mean())
        if not apart <= tolerance:
            raise ModelError(f'{path.name}: {output.name} is off by {apart:.2g} on average')


def _sweep(size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return random inputs of the network."""
    random = _random(sum(size))
    h, w = size[0] // POOLING, size[1] // POOLING
    evidence = torch.cat(
        [random(1, 2, h, w) * (POSITIONS - 1), random(1, EVIDENCE_CHANNELS - 2, h, w)], 1
    )
    return random(1, POSITIONS, len(DILATIONS), h, w), evidence, 2 * random(1, 3, *size)


def _random_image(size: tuple[int, int]) -> Tensor:
    """Return a random image of 8 bits, (1, 3, H, W)."""
    return torch.floor(256 * _random(sum(size))(1, 3, *size))


def _random(seed: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.rand(*shape, generator=generator)
