from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plain_ddl_gru import standin_weights, torch

from sff_ros.errors import ModelError
from sff_ros.network.checkpoint import load_weights
from sff_ros.network.paper.ddl_gru import DdlGru


def small() -> Any:
    """Return a network of four tensors: 0.weight (2, 3), 0.bias (2,), 1.weight, 1.bias."""
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 5))


def save(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def test_a_published_layout_is_loaded(tmp_path: Path) -> None:
    network = DdlGru()
    weights = standin_weights(network.state_dict())
    load_weights(network, save(tmp_path / 'ckpt.pth', weights))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    network = small()
    state = {name: torch.full_like(t, 0.5).half() for name, t in network.state_dict().items()}
    load_weights(network, save(tmp_path / 'half.pth', state))
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert (parameter == 0.5).all()


def changed(**changes: Any) -> dict[str, Any]:
    """Return the small network's state with some entries changed; None leaves one out."""
    state = {**small().state_dict(), **changes}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


@pytest.mark.parametrize(
    ('state', 'faults'),
    [
        (lambda: changed(**{'1.bias': None}), r'1 missing \(1\.bias\)'),
        (lambda: changed(extra=torch.ones(1)), r'1 unexpected \(extra\)'),
        (lambda: changed(**{'0.weight': torch.ones(2, 4)}),
         r'1 wrong \(0\.weight is \(2, 4\), expected \(2, 3\)\)'),
        (lambda: changed(**{'0.bias': [1.0, 2.0]}),
         r'1 wrong \(0\.bias is a list, expected \(2,\)\)'),
        (lambda: changed(**{'0.bias': torch.ones(2, dtype=torch.int64)}),
         r'1 wrong \(0\.bias is \(2,\) torch\.int64, expected \(2,\)\)'),
        (lambda: changed(**{'0.bias': torch.ones(2).to_sparse()}),
         r'1 wrong \(0\.bias is a torch\.float32 torch\.sparse_coo tensor, expected \(2,\)\)'),
        (lambda: changed(**{'0.bias': torch.tensor([1.0, float('nan')])}),
         r'1 wrong \(0\.bias has NaN or Inf\)'),
        (lambda: {f'module.{name}': t for name, t in small().state_dict().items()},
         r'4 missing \(0\.weight, 0\.bias, 1\.weight, \.\.\.\); '
         r'4 unexpected \(module\.0\.weight, module\.0\.bias, module\.1\.weight, \.\.\.\)'),
        (lambda: {'state_dict': small().state_dict(), 'epoch': 3},
         r'4 missing \(0\.weight, 0\.bias, 1\.weight, \.\.\.\); '
         r'2 unexpected \(state_dict, epoch\)'),
        (lambda: changed(**{'0.bias': None, 'c': torch.ones(1), '1.bias': torch.ones(4)}),
         r'1 missing \(0\.bias\); 1 unexpected \(c\); '
         r'1 wrong \(1\.bias is \(4,\), expected \(5,\)\)'),
        (lambda: {7: torch.ones(1)},
         r'4 missing \(0\.weight, 0\.bias, 1\.weight, \.\.\.\); 1 unexpected \(7\)'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_in_one_line(
    tmp_path: Path, state: Callable[[], object], faults: str
) -> None:
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = save(tmp_path / 'ckpt.pth', state())
    with pytest.raises(ModelError) as caught:
        load_weights(network, path)
    prefix = re.escape(f'{path}: is no checkpoint of Sequential: ')
    assert re.fullmatch(prefix + faults, str(caught.value))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    path = save(tmp_path / 'other.pth', small().state_dict())
    with pytest.raises(ModelError) as caught:
        load_weights(DdlGru(), path)
    assert str(caught.value) == (
        f'{path}: is no checkpoint of DdlGru: 120 missing (cnet.conv1.weight, cnet.conv1.bias, '
        'cnet.layer1.0.conv1.weight, ...); 4 unexpected (0.weight, 0.bias, 1.weight, ...)'
    )


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def whole(folder: Path) -> bytes:
    return save(folder / 'whole.pth', small().state_dict()).read_bytes()


@pytest.mark.parametrize(
    'content',
    [
        lambda folder: b'',
        lambda folder: b'weights',
        lambda folder: b'\x89PNG\r\n\x1a\n' + bytes(100),
        lambda folder: b'PK\x03\x04' + bytes(60),
        lambda folder: whole(folder)[:100],
        lambda folder: whole(folder)[: len(whole(folder)) // 2],
        lambda folder: whole(folder)[:-10],
        lambda folder: pickle.dumps({'0.weight': [1.0, 2.0], 'when': complex(1, 2)})[:-4],
        lambda folder: save(folder / 'module.pth', small()).read_bytes(),
        lambda folder: save(folder / 'evil.pth', Evil(folder / 'touched')).read_bytes(),
        lambda folder: pickle.dumps(Evil(folder / 'touched')),
    ],
)
def test_foreign_and_cut_files_are_refused(
    tmp_path: Path, content: Callable[[Path], bytes]
) -> None:
    path = tmp_path / 'ckpt.pth'
    path.write_bytes(content(tmp_path))
    with pytest.raises(ModelError) as caught:
        load_weights(small(), path)
    assert str(caught.value) == f'{path}: is cut off, damaged or not a PyTorch checkpoint'
    assert not (tmp_path / 'touched').exists()


@pytest.mark.parametrize(
    ('content', 'kind'), [([1, 2], 'list'), (3, 'int'), (torch.ones(3), 'Tensor')]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object, kind: str) -> None:
    path = save(tmp_path / 'ckpt.pth', content)
    with pytest.raises(ModelError, match=f'holds a {kind}, expected a plain state dict'):
        load_weights(small(), path)


def test_unreadable_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'gone\.pth: cannot be read: No such file or directory'):
        load_weights(small(), tmp_path / 'gone.pth')
    with pytest.raises(ModelError, match='cannot be read: Is a directory'):
        load_weights(small(), tmp_path)
