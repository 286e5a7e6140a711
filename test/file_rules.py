"""Rules on files: one function of sff_ros writes them all, one knows home directories."""

from __future__ import annotations

import ast
from collections.abc import Iterator

HOMES = ('files/whole_file.py', 'files/unfinished.py')
# What writes a file, or may; libraries are given a `buffer` to write to.
WRITE_CALLS = {
    *('write_text', 'write_bytes', 'touch', 'imwrite', 'imwritemulti', 'VideoWriter'),
    *('save', 'savez', 'savez_compressed', 'savetxt', 'tofile', 'FileStorage'),
    *('print_png', 'savefig', 'NamedTemporaryFile', 'TemporaryFile', 'mkstemp'),
    *('copyfile', 'copy2', 'copytree'),
}
# (file, call) elsewhere: a device, and a lock.
WRITES_ELSEWHERE = (
    ('cameras/v4l2/node.py', 'open'),
    ('inference/tensorrt/engine_cache.py', 'open'),
)


def write_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a file of sff_ros, e.g. 'cli/demo.py', writes without write_file."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or file in HOMES:
            continue
        name = getattr(node.func, 'id', None) or getattr(node.func, 'attr', '')
        if (name in WRITE_CALLS or (name == 'open' and _writes(node))) and not _to_buffer(node):
            if (file, name) not in WRITES_ELSEWHERE:
                yield f'{file}:{node.lineno}: {name} may write a file: only write_file does'


def home_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield uses of expanduser and Path.home, which raise RuntimeError; `expanded` does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ('expanduser', 'home'):
            if file != 'files/home.py':
                yield f'{file}:{node.lineno}: {node.attr} only in files/home.py'


def _writes(call: ast.Call) -> bool:
    """Return whether a call of open has another mode than reading, or one that is computed."""
    first = 1 if isinstance(call.func, ast.Name) else 0  # open(path, mode), path.open(mode)
    modes = [*call.args[first : first + 1], *(k.value for k in call.keywords if k.arg == 'mode')]
    return any(not isinstance(m, ast.Constant) or m.value not in ('r', 'rb') for m in modes)


def _to_buffer(call: ast.Call) -> bool:
    return any(isinstance(value, ast.Name) and value.id == 'buffer' for value in call.args)
