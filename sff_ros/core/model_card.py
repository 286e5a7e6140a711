"""The metadata of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sff_ros.errors import ModelError

NETWORK, MEASURE = 'fast_gru', 'ddl'  # the graphs: depth network, focus measure of a slice
MARK = 'sff_ros'  # the key that identifies our files; its value is the version that wrote them


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What must be known of a network to run it.

    Attributes:
        name: of the graph, e.g. 'fast_gru'.
        positions: number of canonical positions in its input.
        pooling: side of the blocks that its focus responses are averaged over, px.
        size_multiple: height and width of an image must be multiples of this, px.
        sha256: digest of the weights; empty if there are none.
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
        raise ModelError(f'holds {metadata.get("name")!r}, expected {name}')
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
