"""Who may import whom, and how long a file or function may be (docs/design.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60

# Room (folder or file of sff_ros) -> the other rooms it may import.
BASE = ('errors', 'config', 'config_cameras', 'config_schema')
ROOMS = {
    'errors': (),
    'config': ('errors', 'config_cameras', 'config_schema'),
    'config_cameras': ('errors', 'config_schema'),
    'config_schema': ('errors',),
    'core': ('errors',),
    'cameras': ('core', *BASE),
    'inference': ('core', *BASE),
    'network': ('core', *BASE),
    'training': ('core', 'network', *BASE),
    'pipeline': ('core', 'cameras', 'inference', *BASE),
    'nodes': ('core', 'cameras', 'inference', 'pipeline', *BASE),
    'cli': ('core', 'cameras', 'inference', 'network', 'training', 'pipeline', *BASE),
}

# (file pattern, module) beyond the table above: the demo watches the nodes that it starts, and
# one backend runs the network itself.
EXCEPTIONS = (
    ('cli/demo*.py', 'sff_ros.nodes.observer'),
    ('inference/torch.py', 'sff_ros.network'),
)

# Third-party package (pattern) -> the only files of sff_ros that may import it (patterns).
ROS_FILES = ('nodes/*', 'cameras/ros_driver*.py')
PACKAGES = {
    'rclpy': ROS_FILES,
    '*_msgs': ROS_FILES,
    '*_interfaces': ROS_FILES,
    'std_srvs': ROS_FILES,
    'tf2_ros': ROS_FILES,
    'message_filters': ROS_FILES,
    'cv_bridge': ('nodes/messages.py',),
    'sensor_msgs_py': ('nodes/messages.py',),
    'torch': ('network/*', 'training/*', 'inference/torch.py'),
    'onnx': ('network/export.py', 'network/half.py'),
    'onnxruntime': ('inference/onnx.py', 'network/export.py'),
    'safetensors': ('network/*',),
    'tensorrt': ('inference/tensorrt*.py',),
    'tensorrt_rtx': ('inference/tensorrt*.py',),
    'polygraphy': ('inference/tensorrt*.py',),
    'cuda': ('inference/cuda_program.py',),
    'linuxpy': ('cameras/v4l2*.py',),
}

CORE_PACKAGES = ('numpy', 'cv2', 'sff_ros')
NOT_IN_CORE = {  # of the standard library: threads, files and other processes
    *('asyncio', 'concurrent', 'multiprocessing', 'queue', 'subprocess', 'threading'),
    *('glob', 'importlib', 'io', 'os', 'pathlib', 'shutil', 'socket', 'tempfile'),
}
FILE_CALLS = {
    *('open', 'imread', 'imwrite', 'imreadmulti', 'VideoCapture', 'FileStorage'),
    *('load', 'save', 'savez', 'savez_compressed', 'loadtxt', 'savetxt', 'fromfile', 'tofile'),
}


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f'{"." * node.level}{node.module or ""}.{alias.name}'


def import_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a file of sff_ros, e.g. 'core/stack.py', imports and must not."""
    room = file.split('/')[0].removesuffix('.py')
    for line, module in imported_modules(tree):
        package, _, rest = module.partition('.')
        target = rest.split('.')[0]
        if package == '':
            yield f'{file}:{line}: relative import {module}'
        elif any(
            fnmatch(file, who) and f'{module}.'.startswith(f'{what}.') for who, what in EXCEPTIONS
        ):
            continue
        elif package == 'sff_ros' and target in ROOMS and target not in (room, *ROOMS[room]):
            yield f'{file}:{line}: {room} must not import {target}'
        elif package == 'sff_ros' and target not in ROOMS and not target.startswith('__'):
            yield f'{file}:{line}: {module} is in no known room'
        for pattern, homes in PACKAGES.items():
            if fnmatch(package, pattern) and not any(fnmatch(file, home) for home in homes):
                yield f'{file}:{line}: {package} only in {", ".join(homes)}'
        if room == 'core' and package not in ('', *CORE_PACKAGES):
            if package in NOT_IN_CORE or package not in sys.stdlib_module_names:
                yield f'{file}:{line}: core must not import {package}'


def call_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield calls of print outside cli, and of anything that opens a file inside core."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, 'id', None) or getattr(node.func, 'attr', '')
        if name == 'print' and not file.startswith('cli/'):
            yield f'{file}:{node.lineno}: print only in cli'
        if name in FILE_CALLS and file.startswith('core/'):
            yield f'{file}:{node.lineno}: core must not call {name}'


def length_breaches(file: str, source: str, tree: ast.AST) -> Iterator[str]:
    """Yield files and functions that are too long."""
    if len(source.splitlines()) > MAX_FILE_LINES:
        yield f'{file}: over {MAX_FILE_LINES} lines'
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES:
                yield f'{file}:{node.lineno}: {node.name} is over {MAX_FUNCTION_LINES} lines'


def breaches(file: str, source: str) -> list[str]:
    """Return every breach of the house rules in a file of sff_ros, with its line."""
    tree = ast.parse(source)
    found = [*import_breaches(file, tree), *call_breaches(file, tree)]
    found += length_breaches(file, source, tree)
    if file.split('/')[-1] in ('utils.py', 'util.py', 'helpers.py', 'common.py'):
        found.append(f'{file}: name a file after its one idea')
    return found


def sources(folder: str) -> dict[str, str]:
    """Return the Python files below a folder of the repository as {relative path: text}."""
    root = REPOSITORY / folder
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob('*.py')}


def test_package_keeps_the_rules() -> None:
    files = sources('sff_ros')
    assert {'core/stack.py', 'nodes/messages.py'} <= files.keys()
    found = [breach for file, text in sorted(files.items()) for breach in breaches(file, text)]
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('folder', ['test', 'launch', 'benchmarks'])
def test_other_files_are_short(folder: str) -> None:
    found = [
        breach
        for file, text in sorted(sources(folder).items())
        for breach in length_breaches(f'{folder}/{file}', text, ast.parse(text))
    ]
    assert not found, '\n'.join(found)


LONG_FUNCTION = 'def long() -> None:\n' + '    pass\n' * MAX_FUNCTION_LINES


@pytest.mark.parametrize(
    ('file', 'source', 'expected'),
    [
        ('core/x.py', 'import threading', 'core must not import threading'),
        ('core/x.py', 'from pathlib import Path', 'core must not import pathlib'),
        ('core/x.py', 'import scipy.ndimage', 'core must not import scipy'),
        ('core/x.py', 'def f():\n    import yaml', 'core/x.py:2: core must not import yaml'),
        ('core/x.py', 'import numpy as np\nnp.load("x")', 'core must not call load'),
        ('core/x.py', 'open("x")', 'core must not call open'),
        ('core/x.py', 'from sff_ros.config import DepthConfig', 'core must not import config'),
        ('core/x.py', 'from sff_ros.cameras.camera import X', 'core must not import cameras'),
        ('core/x.py', 'from sff_ros import cameras', 'core must not import cameras'),
        ('core/x.py', 'from ..cameras import camera', 'relative import'),
        ('core/utils.py', '', 'name a file after its one idea'),
        ('cameras/x.py', 'import sff_ros.pipeline', 'cameras must not import pipeline'),
        ('cameras/x.py', 'import sff_ros.inference.peak', 'cameras must not import inference'),
        ('cameras/x.py', 'import sff_ros.elsewhere', 'in no known room'),
        ('cameras/x.py', 'import rclpy', 'rclpy only in nodes/*'),
        ('inference/x.py', 'import torch', 'torch only in network/*'),
        (
            'inference/x.py',
            'from onnxruntime import InferenceSession',
            'only in inference/onnx.py',
        ),
        ('inference/onnx.py', 'import tensorrt', 'tensorrt only in inference/tensorrt*.py'),
        ('inference/onnx.py', 'from cuda.bindings import runtime', 'cuda_program.py'),
        ('cameras/x.py', 'from linuxpy.video import raw', 'linuxpy only in cameras/v4l2*.py'),
        ('pipeline.py', 'from sensor_msgs.msg import Image', 'sensor_msgs only in nodes/*'),
        ('pipeline.py', 'import sff_ros.nodes.worker', 'pipeline must not import nodes'),
        ('nodes/x.py', 'import cv_bridge', 'cv_bridge only in nodes/messages.py'),
        ('nodes/x.py', 'import sff_ros.cli.main', 'nodes must not import cli'),
        ('nodes/x.py', 'print(1)', 'print only in cli'),
        ('cli/x.py', 'import sff_ros.nodes.depth_node', 'cli must not import nodes'),
        ('cli/demo.py', 'import sff_ros.nodes.depth_node', 'cli must not import nodes'),
        ('cli/x.py', 'from sff_ros.nodes.observer import X', 'cli must not import nodes'),
        ('cli/x.py', 'from rclpy.node import Node', 'rclpy only in nodes/*'),
        ('cli/x.py', LONG_FUNCTION, 'long is over 60 lines'),
        ('cli/x.py', '\n' * (MAX_FILE_LINES + 1), 'over 300 lines'),
    ],
)
def test_breach_is_found(file: str, source: str, expected: str) -> None:
    found = breaches(file, source)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ('file', 'source'),
    [
        ('core/x.py', 'import cv2\nimport numpy as np\nfrom sff_ros.core.stack import Slice'),
        ('cameras/ros_driver.py', 'import rclpy\nfrom sff_ros.core import stack'),
        ('inference/torch.py', 'def f():\n    import torch'),
        ('nodes/x.py', 'from std_srvs.srv import Trigger\nfrom sff_ros import __version__'),
        ('cli/x.py', 'print(1)\n' + LONG_FUNCTION.replace('    pass\n', '', 1)),
        ('cli/demo_report.py', 'from sff_ros.nodes.observer import Seen'),
        ('pipeline.py', '\n' * MAX_FILE_LINES),
    ],
)
def test_what_is_allowed_passes(file: str, source: str) -> None:
    assert breaches(file, source) == []
