"""Depth by shape from focus: a lens sweeps, a stack of images becomes metres.

`__all__` is the Python API; README shows it in five lines. Its names are loaded when they are
first used, so that `import sff_ros` costs nothing: no NumPy, no OpenCV, no ROS, no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers and editors see; _HOMES says the same
    from sff_ros.api import StackDepth, stack_to_depth
    from sff_ros.core.focus.estimate import FocusEstimate
    from sff_ros.core.optics.intrinsics import Intrinsics
    from sff_ros.core.sweep.blank import BlankSlice
    from sff_ros.core.sweep.stack import FocalStack, Slice
    from sff_ros.errors import (
        CalibrationError,
        CameraError,
        CameraLostError,
        ConfigError,
        ModelError,
        SffError,
        StackError,
    )
    from sff_ros.files.stack import RecordedStack, read_stack
    from sff_ros.inference.backend import DepthBackend
    from sff_ros.inference.choice import open_backend
    from sff_ros.pipeline import FocusMap, ShapeFromFocus

__version__ = '0.2.0'

__all__ = [
    'BlankSlice',
    'CalibrationError',
    'CameraError',
    'CameraLostError',
    'ConfigError',
    'DepthBackend',
    'FocalStack',
    'FocusEstimate',
    'FocusMap',
    'Intrinsics',
    'ModelError',
    'RecordedStack',
    'SffError',
    'ShapeFromFocus',
    'Slice',
    'StackDepth',
    'StackError',
    '__version__',
    'open_backend',
    'read_stack',
    'stack_to_depth',
]

# Module -> the public names that it holds.
_HOMES = {
    'sff_ros.api': ('StackDepth', 'stack_to_depth'),
    'sff_ros.core.focus.estimate': ('FocusEstimate',),
    'sff_ros.core.optics.intrinsics': ('Intrinsics',),
    'sff_ros.core.sweep.blank': ('BlankSlice',),
    'sff_ros.core.sweep.stack': ('FocalStack', 'Slice'),
    'sff_ros.errors': (
        *('CalibrationError', 'CameraError', 'CameraLostError', 'ConfigError', 'ModelError'),
        *('SffError', 'StackError'),
    ),
    'sff_ros.files.stack': ('RecordedStack', 'read_stack'),
    'sff_ros.inference.backend': ('DepthBackend',),
    'sff_ros.inference.choice': ('open_backend',),
    'sff_ros.pipeline': ('FocusMap', 'ShapeFromFocus'),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    """Name what is public, loaded or not."""
    return sorted({*globals(), *__all__})
