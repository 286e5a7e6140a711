"""Read an ONNX file and its card.

`sff export` writes the card beside the graph, as NAME.onnx.json, with a digest of the graph: so
TensorRT, whose parser reports no metadata, needs no other library, and a file that is cut off is
refused. The graph has the card in its metadata as well: ONNX Runtime, where it is installed, reads
it there if there is no JSON file, as beside exports of version 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sff_ros.core.model_card import ModelCard, read_card, read_sidecar
from sff_ros.errors import ModelError

QUIET = 4  # only what is fatal: errors are raised in one line


@dataclass(frozen=True, slots=True)
class Graph:
    """One of our ONNX files, whole, and its card."""

    content: bytes
    card: ModelCard


def read_graph(path: Path, name: str) -> Graph:
    """Read one of our ONNX files.

    Args:
        path: of the graph.
        name: of the graph that is expected, e.g. 'fast_gru'.

    Raises:
        ModelError: it cannot be read, is cut off or holds something else, or nothing says what it
            holds.
    """
    content, sidecar = _read(path), sidecar_path(path)
    if sidecar.is_file():
        try:
            card = read_sidecar(_read(sidecar).decode(errors='replace'), content, name)
        except ModelError as err:
            raise ModelError(f'{sidecar}: {err}') from err
        return Graph(content, card)
    try:
        return Graph(content, read_card(_embedded(content, sidecar.name), name))
    except ModelError as err:
        raise ModelError(f'{path}: {err}') from err


def sidecar_path(path: Path) -> Path:
    """Return the path of an ONNX file's card: NAME.onnx.json."""
    return path.with_name(f'{path.name}.json')


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise ModelError(f'{path}: cannot be read: {err.strerror}') from err


def _embedded(content: bytes, sidecar: str) -> Mapping[str, str]:
    """Return the metadata within a graph.

    Raises:
        ModelError: it is cut off or no ONNX file, or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise ModelError(
            f'{sidecar} is not beside it, and onnxruntime, which would read the graph instead, is '
            'not installed; `sff export` writes both files'
        ) from err
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            content, options, providers=['CPUExecutionProvider']
        )
    except Exception as err:  # the runtime has no base class for its errors
        raise ModelError('is cut off, damaged or no ONNX model') from err
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return metadata
