"""Choose a backend by name, or the best that loads."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sff_ros.core.model_card import NETWORK
from sff_ros.errors import ModelError, quoted, shortened
from sff_ros.files.home import expanded
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.shipped import shipped_model

AUTO = 'auto'
CHECKPOINTS = ('.pt', '.pth')  # weights as PyTorch saves them, which no backend runs


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a backend is defined; its module is imported only when it is opened.

    Attributes:
        module, opener: names of the callable that returns it, given the path of a model if there
            is a suffix, else nothing.
        suffix: of the models that it runs; empty: it runs none.
    """

    module: str
    opener: str
    suffix: str = ''


# In order of preference; peak always loads.
BACKENDS: Mapping[str, Entry] = {
    'tensorrt': Entry('sff_ros.inference.tensorrt.backend', 'open_tensorrt', '.onnx'),
    'onnx': Entry('sff_ros.inference.onnx', 'open_onnx', '.onnx'),
    'torch': Entry('sff_ros.inference.torch', 'open_torch', '.safetensors'),
    'peak': Entry('sff_ros.inference.peak', 'PeakBackend'),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it is not a better one.

    Attributes:
        refused: better backends that could not be loaded, 'name: reason' each.
    """

    backend: DepthBackend
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        spec = self.backend.spec
        weights = f', weights {spec.sha256[:8]}' if spec.sha256 else ''
        why = f'; the best that loads ({"; ".join(self.refused)})' if self.refused else ''
        return f'{spec.name}, {spec.precision}{weights}{why}'


def choose_backend(name: str, model: str = '') -> Choice:
    """Load a backend by name; 'auto' takes the first that loads.

    Args:
        name: of BACKENDS, or 'auto'.
        model: a file as `sff export` writes it, .onnx or .safetensors, to run instead of the
            network that comes with the package; empty: that one. With a model, 'auto' considers
            the backends that run such a file only.

    Raises:
        ModelError: the name is unknown, or nothing could be loaded (each reason is named).
        ConfigError: the path of the model cannot be one.
    """
    refused: list[str] = []
    for candidate in _candidates(name, model):
        try:
            return Choice(_open(BACKENDS[candidate], model), tuple(refused))
        except (ImportError, ModelError) as err:
            refused.append(f'{candidate}: {_reason(err)}')
    raise ModelError(f'no backend could be loaded ({"; ".join(refused)})')


def open_backend(name: str, model: str = '') -> DepthBackend:
    """Return only the backend of choose_backend."""
    return choose_backend(name, model).backend


def open_standby(model: str = '') -> DepthBackend:
    """Load what serves while an engine is built: ONNX Runtime, else the classical backend.

    Args:
        model: as for choose_backend.
    """
    try:
        return open_backend('onnx', model)
    except ModelError:
        return open_backend('peak')


def _candidates(name: str, model: str) -> list[str]:
    """Return the backends to try, in order."""
    if name != AUTO and name not in BACKENDS:
        raise ModelError(
            f'backend {quoted(name)} is unknown; one of {AUTO}, {", ".join(BACKENDS)}'
        )
    suffix = Path(model).suffix
    if suffix in CHECKPOINTS:
        raise ModelError(
            f'{shortened(model)}: is a checkpoint, no model; `sff export` makes a model of one of '
            "`sff train`, and `sff predict` runs those of the paper's network"
        )
    asked = list(BACKENDS) if name == AUTO else [name]
    fit = [one for one in asked if not model or (suffix and BACKENDS[one].suffix == suffix)]
    if fit:
        return fit
    if name == 'peak':
        raise ModelError(f'backend peak runs no model, but model is {shortened(model)}')
    wanted = sorted({BACKENDS[one].suffix for one in asked} - {''})
    raise ModelError(f'{shortened(model)}: backend {name} runs {" or ".join(wanted)} files')


def _open(entry: Entry, model: str) -> DepthBackend:
    opener = getattr(importlib.import_module(entry.module), entry.opener)
    if not entry.suffix:
        backend: DepthBackend = opener()
        return backend
    path = expanded(model) if model else shipped_model(NETWORK + entry.suffix)
    backend = opener(path)
    return backend


def _reason(err: Exception) -> str:
    """Return in one line why a backend could not be loaded."""
    if isinstance(err, ModuleNotFoundError):
        return f'{err.name} is not installed'
    return ' '.join(str(err).split())
