"""Rules on files: one module of sff_ros reads and writes them, one knows home directories."""

from __future__ import annotations

import ast
from collections.abc import Iterator

HOMES = ('files/whole_file.py', 'files/unfinished.py')
# What reads or writes a file, or may; libraries are given a `buffer`.
FILE_CALLS = {
    *('open', 'read_text', 'read_bytes', 'load', 'loadtxt', 'imread', 'imreadmulti', 'fromfile'),
    *('write_text', 'write_bytes', 'touch', 'imwrite', 'imwritemulti', 'VideoWriter'),
    *('save', 'savez', 'savez_compressed', 'savetxt', 'tofile', 'FileStorage'),
    *('print_png', 'savefig', 'NamedTemporaryFile', 'TemporaryFile', 'mkstemp'),
    *('copyfile', 'copy2', 'copytree'),
}
# (file, call) elsewhere: devices, /sys, locks, graphs that were just written, and methods of ours
# with such a name.
ELSEWHERE = (
    ('cameras/v4l2/node.py', 'open'),
    ('cameras/v4l2/search.py', 'read_text'),
    ('cameras/v4l2/timing.py', 'read_text'),
    ('files/memory.py', 'read_text'),
    ('inference/onnx.py', 'read_text'),
    ('inference/tensorrt/engine_cache.py', 'open'),
    ('inference/tensorrt/engine_cache.py', 'load'),
    ('middleware/shared_memory.py', 'open'),
    ('network/export.py', 'load'),
    ('nodes/capture_node.py', 'open'),
    ('nodes/sweeper.py', 'open'),
)


def file_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a file of sff_ros, e.g. 'cli/demo.py', reads or writes by itself.

    read_file refuses what has no end, write_file loses nothing on a full disk.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or file in HOMES or file.startswith('core/'):
            continue
        name = getattr(node.func, 'id', None) or getattr(node.func, 'attr', '')
        if name in FILE_CALLS and (file, name) not in ELSEWHERE and not _has_buffer(node):
            yield f'{file}:{node.lineno}: {name} of a file: only read_file and write_file'


def home_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield uses of expanduser and Path.home, which raise RuntimeError; `expanded` does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ('expanduser', 'home'):
            if file != 'files/home.py':
                yield f'{file}:{node.lineno}: {node.attr} only in files/home.py'


def _has_buffer(call: ast.Call) -> bool:
    return any(isinstance(value, ast.Name) and value.id == 'buffer' for value in call.args)


def quote_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield values that are quoted by !r, which has no limit; errors.quoted has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord('r'):
            if file != '__init__.py':
                yield f'{file}:{node.lineno}: !r has no limit: use quoted'
