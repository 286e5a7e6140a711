"""Read an ONNX file and what it says of itself, without `onnx` and without ONNX Runtime.

An ONNX file is one message of Protocol Buffers: fields of (number, wire type) and content, of
which only the `metadata_props` are looked into. That the fields fill the file tells in passing
that it was not cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sff_ros.core.model_card import ModelCard, read_card
from sff_ros.errors import ModelError

# Field numbers of onnx.proto; each entry of the metadata is a message of key and value.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True, slots=True)
class Graph:
    """One of our ONNX files, whole, and what it says of itself."""

    content: bytes
    card: ModelCard


def read_graph(path: Path, name: str) -> Graph:
    """Read one of our ONNX files.

    Args:
        name: of the graph that is expected, e.g. 'fast_gru'.

    Raises:
        ModelError: it cannot be read, is cut off or holds something else.
    """
    try:
        content = path.read_bytes()
        return Graph(content, read_card(read_metadata(content), name))
    except OSError as err:
        raise ModelError(f'{path}: cannot be read: {err.strerror}') from err
    except ModelError as err:
        raise ModelError(f'{path}: {err}') from err


def read_metadata(model: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file.

    Raises:
        ModelError: it is cut off or no ONNX file; the file is not named.
    """
    metadata = {}
    numbers = set()
    try:
        for number, content in _fields(memoryview(model)):
            numbers.add(number)
            if number == _METADATA:
                entry = dict(_fields(content))
                metadata[_text(entry[_KEY])] = _text(entry[_VALUE])
    except (ValueError, KeyError, IndexError) as err:
        raise ModelError('is cut off, damaged or no ONNX model') from err
    if _GRAPH not in numbers:
        raise ModelError('is no ONNX model: it has no graph')
    return metadata


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each field; numbers themselves come without content.

    Raises:
        ValueError, IndexError: these bytes are no message.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        length = 0
        if kind == _VARINT:
            _, place = _varint(message, place)
        elif kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f'wire type {kind}')
        if number == 0 or place + length > len(message):
            raise ValueError(f'field {number} of {length} bytes at {place}')
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, lowest first, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise ValueError('a number of more than 64 bits')


def _text(content: memoryview) -> str:
    return bytes(content).decode()
