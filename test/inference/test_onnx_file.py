"""An ONNX file and its card: beside it, of another file, nowhere."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sff_ros.core.model_card import ModelCard, to_sidecar
from sff_ros.errors import ModelError
from sff_ros.inference.onnx_file import read_graph, sidecar_path

CARD = ModelCard('fast_gru', 15, 2, 16, 'ab' * 32, '0.2.0', 'fp16')
GRAPH = bytes(range(200))


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)


def write(folder: Path, content: bytes = GRAPH, card: ModelCard = CARD) -> Path:
    """Write a graph and a card that describes GRAPH."""
    path = folder / 'mine.onnx'
    path.write_bytes(content)
    sidecar_path(path).write_text(to_sidecar(card, GRAPH))
    return path


@pytest.mark.usefixtures('no_runtime')
def test_the_card_beside_a_graph_needs_no_library(tmp_path: Path) -> None:
    graph = read_graph(write(tmp_path), 'fast_gru')
    assert (graph.content, graph.card) == (GRAPH, CARD)
    assert sidecar_path(tmp_path / 'mine.onnx') == tmp_path / 'mine.onnx.json'


@pytest.mark.parametrize('content', [GRAPH[:-1], GRAPH + b'x', b'', b'\x01' + GRAPH[1:]])
def test_a_graph_that_its_card_does_not_describe_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ModelError) as caught:
        read_graph(path, 'fast_gru')
    assert str(caught.value) == (
        f'{path}.json: describes another ONNX file than the one beside it, or that is damaged'
    )


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'is no JSON'),
        ('{"sff_ros"', 'is no JSON'),
        ('[1, 2]', 'is no JSON object of strings'),
        ('{"sff_ros": "1", "name": "fast_gru", "positions": 15}', 'is no JSON object of strings'),
        ('{"other": "1"}', 'is not a model of this package; expected fast_gru'),
        ('{"sff_ros": "1", "name": "ddl"}', "holds 'ddl', expected fast_gru"),
        ('{"sff_ros": "1", "name": "fast_gru"}', "has metadata that this version cannot read: 'p"),
    ],
)
def test_another_card_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path)
    sidecar_path(path).write_text(text)
    with pytest.raises(ModelError) as caught:
        read_graph(path, 'fast_gru')
    assert str(caught.value).startswith(f'{path}.json: {words}')


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    sidecar_path(path).write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ModelError, match=r'mine\.onnx\.json: is no JSON$'):
        read_graph(path, 'fast_gru')


@pytest.mark.parametrize('file', ['network_file', 'measure_file'])
def test_no_flipped_bit_of_a_shipped_graph_is_loaded(
    request: pytest.FixtureRequest, tmp_path: Path, file: str
) -> None:
    shipped: Path = request.getfixturevalue(file)
    path = Path(shutil.copy(shipped, tmp_path))
    shutil.copy(sidecar_path(shipped), tmp_path)
    assert read_graph(path, shipped.stem) == read_graph(shipped, shipped.stem)
    content = bytearray(shipped.read_bytes())
    for place in np.random.default_rng(0).integers(0, len(content), 80):
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(ModelError, match='or that is damaged'):
            read_graph(path, shipped.stem)
        content[place] ^= 1 << place % 8


def test_a_graph_without_its_card_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    sidecar_path(path).unlink()
    with pytest.raises(ModelError) as caught:
        read_graph(path, 'fast_gru')
    assert str(caught.value) == (
        f'{path}: mine.onnx.json, which has its digest, is not beside it: copy it there, too; '
        '`sff export` writes both'
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'absent\.onnx: cannot be read: No such file'):
        read_graph(tmp_path / 'absent.onnx', 'fast_gru')
