"""Read the weights of a network from a checkpoint, and report what does not fit."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sff_ros.errors import ModelError
from sff_ros.files.whole_file import check_file, read_file

MAX_BYTES = 1 << 32  # of a file
NAMED = 3  # names that an error quotes of each kind; the rest are counted


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a plain state dict, as `torch.save(network.state_dict(), path)` writes it.

    Nothing in the file is run: it is read with `weights_only`.

    Raises:
        ModelError: the file cannot be read, is no state dict, or is that of another network; the
            network is then unchanged.
    """
    assign_weights(network, read_checkpoint(path), path)


def assign_weights(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Set the weights of a network to those that were read from a file.

    Raises:
        ModelError: they are those of another network; the network is then unchanged.
    """
    faults = _faults(state, network.state_dict())
    if faults:
        raise ModelError(
            f'{path}: is no checkpoint of {type(network).__name__}: {"; ".join(faults)}'
        )
    network.load_state_dict(state)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return weights and metadata of a safetensors file.

    Raises:
        ModelError: the file cannot be read, or is damaged.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as err:
        raise ModelError(f'{path}: needs safetensors: pip install safetensors') from err
    try:
        check_file(path, MAX_BYTES)
        with safe_open(path, framework='pt') as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except OSError as err:
        raise ModelError(f'{path}: cannot be read: {err.strerror or err}') from err
    except SafetensorError as err:
        raise ModelError(f'{path}: is cut off, damaged or no safetensors file') from err


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Return what `torch.save` wrote, if it is a mapping at all; nothing in it is run.

    Raises:
        ModelError: the file cannot be read, or holds something else.
    """
    try:
        buffer = io.BytesIO(read_file(path, MAX_BYTES))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about its pickle format; an error is enough
            state = torch.load(buffer, map_location='cpu', weights_only=True)
    except OSError as err:
        raise ModelError(f'{path}: cannot be read: {err.strerror}') from err
    except MemoryError as err:
        raise ModelError(f'{path}: cannot be read: out of memory') from err
    except Exception as err:  # arbitrary bytes may raise anything
        raise ModelError(f'{path}: is cut off, damaged or not a PyTorch checkpoint') from err
    if not isinstance(state, Mapping):
        raise ModelError(f'{path}: holds a {type(state).__name__}, expected a plain state dict')
    return state


def read_trained(path: Path) -> Mapping[str, Any]:
    """Return the weights in a .safetensors, or the running average in a checkpoint of `sff train`.

    Raises:
        ModelError: the file cannot be read, is damaged, or holds something else.
    """
    if path.suffix == '.safetensors':
        return read_safetensors(path)[0]
    average = read_checkpoint(path).get('average')
    if not isinstance(average, Mapping):
        raise ModelError(f"{path}: holds no 'average', expected a checkpoint of `sff train`")
    return average


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return the sha256 of all names and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].numpy().tobytes())
    return digest.hexdigest()


def _faults(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Return a phrase each on the names that are missing, unexpected or wrong."""
    missing = [name for name in expected if name not in state]
    unexpected = [str(name) for name in state if name not in expected]
    both = [name for name in expected if name in state]
    wrong = [
        f'{name} is {_kind(state[name])}, expected {_kind(expected[name])}'
        for name in both
        if _kind(state[name]) != _kind(expected[name])
    ]
    if not (missing or unexpected or wrong):
        wrong = [f'{name} has NaN or Inf' for name in both if not state[name].isfinite().all()]
    kinds = {'missing': missing, 'unexpected': unexpected, 'wrong': wrong}
    return [f'{len(names)} {kind} ({_first(names)})' for kind, names in kinds.items() if names]


def _kind(value: object) -> str:
    """Describe what must match: the shape, and the type unless it is floating point."""
    if not isinstance(value, Tensor):
        return f'a {type(value).__name__}'
    if value.layout is not torch.strided or value.is_quantized or value.is_complex():
        return f'a {value.dtype} {value.layout} tensor'
    if value.is_floating_point():
        return f'{tuple(value.shape)}'
    return f'{tuple(value.shape)} {value.dtype}'


def _first(names: list[str]) -> str:
    return ', '.join(names[:NAMED]) + (', ...' if len(names) > NAMED else '')
