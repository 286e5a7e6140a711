"""Backends: one protocol from a focus volume to slice positions and a confidence."""

from __future__ import annotations

import importlib

from sff_ros.errors import ModelError
from sff_ros.inference.backend import DepthBackend

# Name -> module and class, loaded only when asked for; the best that may be missing comes first.
BACKENDS = {'peak': ('sff_ros.inference.peak', 'PeakBackend')}


def open_backend(name: str) -> DepthBackend:
    """Load a backend by name; 'auto' takes the first that loads.

    Raises:
        ModelError: the name is unknown, or nothing could be loaded (each reason is named).
    """
    if name != 'auto' and name not in BACKENDS:
        raise ModelError(f'backend {name!r} is unknown; one of auto, {", ".join(BACKENDS)}')
    reasons = []
    for candidate in BACKENDS if name == 'auto' else (name,):
        module, cls = BACKENDS[candidate]
        try:
            backend: DepthBackend = getattr(importlib.import_module(module), cls)()
            return backend
        except (ImportError, ModelError) as err:
            reasons.append(f'{candidate}: {err}')
    raise ModelError(f'no backend could be loaded ({"; ".join(reasons)})')
