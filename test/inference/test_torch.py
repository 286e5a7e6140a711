"""The network in PyTorch: which files it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='torch is not installed')
safetensors = pytest.importorskip('safetensors.torch', reason='safetensors is not installed')

from sff_ros.errors import ModelError  # noqa: E402
from sff_ros.inference.torch import open_torch  # noqa: E402


def test_its_spec_is_that_of_the_file(noisy_models: Path) -> None:
    spec = open_torch(noisy_models / 'fast_gru.safetensors').spec
    assert (spec.slices, spec.size_multiple, spec.pooling) == (15, 16, 2)
    assert spec.name == ('torch (CUDA)' if torch.cuda.is_available() else 'torch')


@pytest.mark.parametrize('share', [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(noisy_models: Path, tmp_path: Path, share: float) -> None:
    whole = (noisy_models / 'fast_gru.safetensors').read_bytes()
    (tmp_path / 'cut.safetensors').write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match=r'cut\.safetensors: is cut off, damaged'):
        open_torch(tmp_path / 'cut.safetensors')


def test_a_flipped_bit_of_a_weight_is_refused(noisy_models: Path, tmp_path: Path) -> None:
    content = bytearray((noisy_models / 'fast_gru.safetensors').read_bytes())
    content[-1001] ^= 1
    (tmp_path / 'bent.safetensors').write_bytes(content)
    with pytest.raises(ModelError, match='is damaged: its weights do not have the digest'):
        open_torch(tmp_path / 'bent.safetensors')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'none\.safetensors: cannot be read'):
        open_torch(tmp_path / 'none.safetensors')


def test_weights_of_others_are_refused(noisy_models: Path, tmp_path: Path) -> None:
    foreign = tmp_path / 'foreign.safetensors'
    safetensors.save_file({'a': torch.zeros(3)}, foreign)
    with pytest.raises(ModelError, match='is not a model of this package; expected fast_gru'):
        open_torch(foreign)
    marked = {'sff_ros': '1', 'name': 'fast_gru', 'positions': '15', 'pooling': '2'}
    marked |= {'size_multiple': '16', 'sha256': '', 'precision': 'fp32'}
    safetensors.save_file({'a': torch.zeros(3)}, foreign, metadata=marked)
    with pytest.raises(ModelError, match=r'no checkpoint of FastGru: .* missing .*1 unexpected'):
        open_torch(foreign)
