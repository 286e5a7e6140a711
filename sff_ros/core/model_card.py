"""The description of a model: in its metadata, and in a JSON file beside an ONNX graph."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sff_ros.errors import ModelError, quoted

NETWORK, MEASURE = 'fast_gru', 'ddl'  # the graphs: what estimates, what measures a slice
GRAPH_SHA256 = 'graph_sha256'  # key of a sidecar: which ONNX file it describes
MARK = 'sff_ros'  # the key that only our files have; its value is the version that wrote them


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What must be known of a network to run it.

    Attributes:
        name: of the graph, e.g. 'fast_gru'.
        positions: positions of the canonical sweep that it takes.
        pooling: side of the blocks that its focus responses are averaged over, px.
        size_multiple: height and width of an image must be multiples of this, px.
        sha256: digest of the weights; empty where there are none.
        version: of the package that wrote it.
        precision: of the computation, 'fp32' or 'fp16'.
    """

    name: str
    positions: int
    pooling: int
    size_multiple: int
    sha256: str
    version: str
    precision: str = 'fp32'

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata to store in a file."""
        return {
            MARK: self.version,
            'name': self.name,
            'positions': str(self.positions),
            'pooling': str(self.pooling),
            'size_multiple': str(self.size_multiple),
            'sha256': self.sha256,
            'precision': self.precision,
        }


def to_sidecar(card: ModelCard, graph: bytes) -> str:
    """Return the JSON text to write beside an ONNX file.

    Args:
        card: of the graph.
        graph: content of the ONNX file.
    """
    entries = {**card.to_metadata(), GRAPH_SHA256: hashlib.sha256(graph).hexdigest()}
    return json.dumps(entries, indent=2) + '\n'


def read_sidecar(text: str, graph: bytes, name: str) -> ModelCard:
    """Return the card in the text beside an ONNX file.

    Args:
        text: as of to_sidecar.
        graph: content of the ONNX file.
        name: of the graph that is expected.

    Raises:
        ModelError: it is not ours, of another graph or of another content; no file is named.
    """
    try:
        entries = json.loads(text)
    except ValueError as err:
        raise ModelError('is no JSON') from err
    if not isinstance(entries, dict) or not all(isinstance(v, str) for v in entries.values()):
        raise ModelError('is no JSON object of strings')
    card = read_card(entries, name)
    if entries.get(GRAPH_SHA256) != hashlib.sha256(graph).hexdigest():
        raise ModelError('describes another ONNX file than the one beside it, or that is damaged')
    return card


def read_card(metadata: Mapping[str, str], name: str) -> ModelCard:
    """Parse the metadata of a file.

    Args:
        metadata: of the file.
        name: of the expected graph.

    Raises:
        ModelError: not written by this package, or another graph; the file is not named.
    """
    if MARK not in metadata:
        raise ModelError(
            f'is not a model of this package; expected {name} as written by `sff export`'
        )
    if metadata.get('name') != name:
        raise ModelError(f'holds {quoted(metadata.get("name"))}, expected {name}')
    try:
        return ModelCard(
            name=name,
            positions=int(metadata['positions']),
            pooling=int(metadata['pooling']),
            size_multiple=int(metadata['size_multiple']),
            sha256=metadata['sha256'],
            version=metadata[MARK],
            precision=metadata['precision'],
        )
    except (KeyError, ValueError) as err:
        raise ModelError(f'has metadata that this version cannot read: {err}') from err
