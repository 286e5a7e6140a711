"""Read an ONNX file and its card.

`sff export` writes the card beside the graph, as NAME.onnx.json, with a digest of the graph: so a
damaged file is refused, most of which every runtime would load, and TensorRT, whose parser reports
no metadata, needs no other library. Both files belong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sff_ros.core.model_card import ModelCard, read_sidecar
from sff_ros.errors import ModelError
from sff_ros.files.whole_file import read_file

MAX_BYTES = 1 << 31  # of a file; what ONNX can hold


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
        ModelError: it or its card cannot be read, it is damaged, or holds something else.
    """
    content, sidecar = _read(path), sidecar_path(path)
    if not sidecar.exists():
        raise ModelError(
            f'{path}: {sidecar.name}, which has its digest, is not beside it: copy it there, too; '
            '`sff export` writes both'
        )
    try:
        card = read_sidecar(_read(sidecar).decode(errors='replace'), content, name)
    except ModelError as err:
        raise ModelError(f'{sidecar}: {err}') from err
    return Graph(content, card)


def sidecar_path(path: Path) -> Path:
    """Return the path of an ONNX file's card: NAME.onnx.json."""
    return path.with_name(f'{path.name}.json')


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_BYTES)
    except OSError as err:
        raise ModelError(f'{path}: cannot be read: {err.strerror}') from err
