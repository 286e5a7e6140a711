"""ONNX files by hand, as far as their metadata go: neither `onnx` nor a network is needed."""

from __future__ import annotations


def number(value: int) -> bytes:
    """Encode a number as Protocol Buffers do."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def part(field: int, content: bytes) -> bytes:
    """Encode a field of bytes."""
    return number(field << 3 | 2) + number(len(content)) + content


def entry(key: str, value: str) -> bytes:
    """Encode one entry of the metadata."""
    return part(14, part(1, key.encode()) + part(2, value.encode()))


VERSION = number(1 << 3) + number(8)  # ir_version, a plain number
GRAPH = part(7, bytes(300))
MODEL_HEAD = VERSION + part(2, b'pytorch') + GRAPH
