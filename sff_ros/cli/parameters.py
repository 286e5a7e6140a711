"""`sff parameters`: every node parameter, as the Markdown of docs/parameters.md."""

from __future__ import annotations

import argparse
from typing import Any

from sff_ros.config.nodes import NODE_CONFIGS
from sff_ros.config.schema import ParamSpec, walk

HELP = 'Print every parameter of the nodes as Markdown.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare that `sff parameters` has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Run `sff parameters`."""
    print(markdown(), end='')
    return 0


def markdown() -> str:
    """Return docs/parameters.md."""
    lines = [
        '# Parameters',
        '',
        'Written by `sff parameters` from `sff_ros/config/`. A parameter marked *live* may be',
        'changed while the node is active (`ros2 param set`); the others take effect when it is',
        'configured. An unknown name or a value that is not allowed is an error at start.',
    ]
    for node, cls in NODE_CONFIGS.items():
        lines += ['', f'## {node}', '', '| parameter | default | allowed | live | meaning |']
        lines += ['|---|---|---|---|---|']
        lines += [_row(name, spec, default) for name, spec, default, _ in walk(cls)]
    return '\n'.join(lines) + '\n'


def _row(name: str, spec: ParamSpec, default: Any) -> str:
    unit = f' {spec.unit}' if spec.unit and not isinstance(default, (tuple, str)) else ''
    # By type: 0.0 is not false.
    is_bool = isinstance(default, bool)
    shown = str(default).lower() if is_bool else {'': "''", (): '[]'}.get(default, default)
    live = 'live' if spec.live else ''
    return f'| `{name}` | {shown}{unit} | {spec.allowed} | {live} | {spec.doc} |'
