"""Reading an ONNX file by hand: our own, cut off, foreign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_bytes import GRAPH, MODEL_HEAD, entry, number, part

from sff_ros.errors import ModelError
from sff_ros.inference.onnx_file import read_graph, read_metadata

CARD = {
    'sff_ros': '0.1.0',
    'name': 'fast_gru',
    'positions': '15',
    'pooling': '2',
    'size_multiple': '16',
    'sha256': 'ab' * 32,
    'precision': 'fp16',
}
MODEL = MODEL_HEAD + b''.join(entry(*pair) for pair in CARD.items())


def test_metadata_are_found_among_other_fields() -> None:
    assert read_metadata(MODEL) == CARD
    fixed = number(20 << 3 | 1) + bytes(8) + number(21 << 3 | 5) + bytes(4)
    assert read_metadata(fixed + MODEL) == CARD
    assert read_metadata(GRAPH + entry('long', 'x' * 300)) == {'long': 'x' * 300}


def test_a_file_of_ours_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / 'fast_gru.onnx'
    path.write_bytes(MODEL)
    graph = read_graph(path, 'fast_gru')
    assert graph.content == MODEL
    assert (graph.card.positions, graph.card.pooling, graph.card.size_multiple) == (15, 2, 16)
    assert (graph.card.sha256, graph.card.precision) == ('ab' * 32, 'fp16')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (MODEL[:-1], 'is cut off, damaged or no ONNX model'),
        (MODEL[:40], 'is cut off, damaged or no ONNX model'),
        (b'', 'is no ONNX model: it has no graph'),
        (b'\x89PNG\r\n\x1a\n' + bytes(50), 'is cut off, damaged or no ONNX model'),
        (b'\xff' * 50, 'is cut off, damaged or no ONNX model'),
        (GRAPH + part(14, part(1, b'key only')), 'is cut off, damaged or no ONNX model'),
        (GRAPH, 'is not a model of this package; expected fast_gru'),
        (GRAPH + entry('sff_ros', '1') + entry('name', 'ddl'), "holds 'ddl', expected fast_gru"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / 'other.onnx'
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_graph(path, 'fast_gru')
    assert str(caught.value).startswith(f'{path}: {words}')


def test_random_bytes_never_do_worse_than_an_error() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 400):
        raw = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        with pytest.raises(ModelError):
            read_metadata(raw)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'absent\.onnx: cannot be read: No such file'):
        read_graph(tmp_path / 'absent.onnx', 'fast_gru')
