"""From weights to the files of models/."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='torch is not installed')
onnx = pytest.importorskip('onnx', reason='onnx is not installed')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
pytest.importorskip('safetensors', reason='safetensors is not installed')

from sff_ros.cli.main import main  # noqa: E402
from sff_ros.core.model_card import read_card, read_sidecar  # noqa: E402
from sff_ros.errors import ModelError  # noqa: E402
from sff_ros.network import export  # noqa: E402
from sff_ros.network.checkpoint import read_safetensors  # noqa: E402
from sff_ros.network.fast_gru import FastGru  # noqa: E402

GRAPHS = ('fast_gru.onnx', 'fast_gru_fp16.onnx', 'ddl.onnx')
FILES = {*GRAPHS, *(f'{name}.json' for name in GRAPHS), 'fast_gru.safetensors'}


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('exported') / 'new'
    torch.manual_seed(0)
    files = export.export_model(FastGru(), folder)
    assert {file.name for file in files} == FILES
    return folder


def test_nothing_but_the_models_is_left(exported: Path) -> None:
    assert {file.name for file in exported.iterdir()} == FILES
    assert all(file.stat().st_size < 12e6 for file in exported.iterdir())
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in exported.iterdir())


@pytest.mark.parametrize(
    ('file', 'name', 'multiple', 'precision'),
    [
        ('fast_gru.onnx', 'fast_gru', 16, 'fp32'),
        ('fast_gru_fp16.onnx', 'fast_gru', 16, 'fp16'),
        ('ddl.onnx', 'ddl', 2, 'fp32'),
    ],
)
def test_a_graph_is_plain_and_says_what_it_is(
    exported: Path, file: str, name: str, multiple: int, precision: str
) -> None:
    model = onnx.load(exported / file)
    card = read_card({entry.key: entry.value for entry in model.metadata_props}, name)
    content, sidecar = (exported / file).read_bytes(), (exported / f'{file}.json').read_text()
    assert read_sidecar(sidecar, content, name) == card
    assert (card.positions, card.pooling, card.size_multiple) == (15, 2, multiple)
    assert card.precision == precision
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [('', 17)]
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {'Constant', 'If', 'Loop', 'Col2Im', 'ScatterND', 'Mod', 'Expand'}
    assert not any(node.domain for node in model.graph.node)
    sizes = [
        [axis.dim_param or axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    ]
    if name == 'fast_gru':
        volume = [[1, 15, 4, 'h', 'w'], [1, 7, 'h', 'w'], [1, 3, 'H', 'W']]
        assert sizes == [*volume, [1, 1, 'H', 'W'], [1, 1, 'H', 'W']]
    else:
        assert sizes == [[1, 3, 'H', 'W'], [1, 4, 'h', 'w']]


def test_one_set_of_weights_has_one_digest(exported: Path) -> None:
    metadata = read_safetensors(exported / 'fast_gru.safetensors')[1]
    model = onnx.load(exported / 'fast_gru.onnx')
    digests = {e.value for e in model.metadata_props if e.key == 'sha256'}
    assert digests == {metadata['sha256']}
    assert len(metadata['sha256']) == 64


@pytest.mark.parametrize('suffix', ['.pt', '.safetensors'])
def test_the_verb_takes_a_checkpoint_or_an_export(
    exported: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, metadata = read_safetensors(exported / 'fast_gru.safetensors')
    source = exported / 'fast_gru.safetensors'
    if suffix == '.pt':
        source = tmp_path / 'checkpoint.pt'
        torch.save({'average': weights, 'step': 3}, source)
    assert main(['export', str(source), '--out', str(tmp_path / 'out')]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FILES)
    again = read_safetensors(tmp_path / 'out' / 'fast_gru.safetensors')
    assert again[1] == metadata
    assert all(torch.equal(again[0][name], values) for name, values in weights.items())


def test_a_graph_that_says_something_else_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'fast_gru.onnx').write_text('the old one')
    monkeypatch.setattr(export, 'measure_contrast', lambda image, pooling: np.ones((4, 24, 56)))
    with pytest.raises(ModelError, match=r'ddl\.onnx: responses is off by .* on average'):
        export.export_model(FastGru(), tmp_path)
    assert (tmp_path / 'fast_gru.onnx').read_text() == 'the old one'
    assert [file.name for file in tmp_path.iterdir()] == ['fast_gru.onnx']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'weights': {}}, "holds no 'average', expected a checkpoint of `sff train`"),
        ({'average': {'a': torch.zeros(1)}}, 'is no checkpoint of FastGru: .* missing'),
    ],
)
def test_other_checkpoints_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict[str, object], message: str
) -> None:
    torch.save(content, tmp_path / 'other.pt')
    assert main(['export', str(tmp_path / 'other.pt'), '--out', str(tmp_path / 'out')]) == 1
    said = capsys.readouterr().err
    assert message.split(':')[0] in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / 'out').exists()
