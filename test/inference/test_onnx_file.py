"""An ONNX file and its card: beside it, within it, of another file, nowhere."""

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
def test_an_export_without_a_card_beside_it_is_read_by_onnx_runtime(
    request: pytest.FixtureRequest, tmp_path: Path, file: str
) -> None:
    """As version 0.1 wrote them."""
    shipped: Path = request.getfixturevalue(file)
    assert sidecar_path(shipped).is_file()
    path = Path(shutil.copy(shipped, tmp_path))
    assert not sidecar_path(path).exists()
    assert read_graph(path, shipped.stem) == read_graph(shipped, shipped.stem)


@pytest.mark.usefixtures('no_runtime')
def test_without_a_card_and_without_onnx_runtime_it_says_what_helps(tmp_path: Path) -> None:
    path = write(tmp_path)
    sidecar_path(path).unlink()
    with pytest.raises(ModelError) as caught:
        read_graph(path, 'fast_gru')
    assert str(caught.value) == (
        f'{path}: mine.onnx.json is not beside it, and onnxruntime, which would read the graph '
        'instead, is not installed; `sff export` writes both files'
    )


def test_random_bytes_without_a_card_are_an_error(tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    rng = np.random.default_rng(0)
    path = tmp_path / 'random.onnx'
    for size in range(0, 400, 20):
        path.write_bytes(rng.integers(0, 256, size, dtype=np.uint8).tobytes())
        with pytest.raises(ModelError, match=r'random\.onnx: is cut off, damaged or no ONNX'):
            read_graph(path, 'fast_gru')


def test_an_onnx_file_of_others_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip('onnx', reason='onnx is not installed')
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    axis = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    result = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Relu', ['x'], ['y'])
    graph = onnx.helper.make_graph([node], 'foreign', [axis], [result])
    opset = onnx.helper.make_opsetid('', 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    (tmp_path / 'foreign.onnx').write_bytes(model.SerializeToString())
    with pytest.raises(
        ModelError, match=r'foreign\.onnx: is not a model of this package; expected'
    ):
        read_graph(tmp_path / 'foreign.onnx', 'fast_gru')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'absent\.onnx: cannot be read: No such file'):
        read_graph(tmp_path / 'absent.onnx', 'fast_gru')
