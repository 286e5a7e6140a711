"""The parameters of capture_node, from the files and options of a command."""

from __future__ import annotations

import argparse
from pathlib import Path

from sff_ros.config.nodes import CaptureConfig
from sff_ros.config.schema import from_flat, walk
from sff_ros.errors import ConfigError, quoted, shortened
from sff_ros.files.home import expanded
from sff_ros.files.yaml_reader import as_number, parse_yaml, read_mapping

NODES = ('capture_node', '**')


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the camera arguments of a command, with ROS conventions."""
    parser.add_argument(
        '--params-file',
        metavar='YAML',
        type=Path,
        action='append',
        default=[],
        help='parameters of capture_node, as for `ros2 launch`; may be repeated',
    )
    parser.add_argument(
        '-p',
        '--param',
        metavar='NAME:=VALUE',
        action='append',
        default=[],
        help='one parameter, e.g. -p camera:=v4l2 -p v4l2.device:=/dev/video0',
    )


def read_capture_config(args: argparse.Namespace) -> CaptureConfig:
    """Return capture_node's parameters; later values override earlier ones.

    Raises:
        ConfigError: a file or value is malformed, or a name is unknown.
    """
    values: dict[str, object] = {}
    for path in args.params_file:
        for node, content in read_mapping(expanded(path)).items():
            if node.split('/')[-1] in NODES:
                where = f'{path}: {shortened(node)}'
                values |= _flat(_parameters(content, where), where)
    for given in args.param:
        name, sign, text = given.partition(':=')
        if not sign:
            raise ConfigError(f'-p {quoted(given)} must be NAME:=VALUE')
        values[name] = _value(name, text, given)
    return from_flat(CaptureConfig, values)


def _value(name: str, text: str, given: str) -> object:
    """Return a value in the type of its parameter: on a command line 0 may be a name, or 0.0."""
    kind = next((kind for known, _, _, kind in walk(CaptureConfig) if known == name), None)
    try:
        value = parse_yaml(text)
    except ConfigError as err:
        raise ConfigError(f'-p {quoted(given)}: the value {err}') from err
    if kind is str and not isinstance(value, str):
        return text
    if kind is float and type(value) is int:
        return as_number(value, name)
    return _plain(value)


def _parameters(content: object, where: str) -> dict[object, object]:
    inner = content.get('ros__parameters') if isinstance(content, dict) else None
    if not isinstance(inner, dict):
        raise ConfigError(f'{where} must hold ros__parameters')
    return inner


def _flat(tree: dict[object, object], where: str, prefix: str = '') -> dict[str, object]:
    """Return nested names joined by dots.

    Raises:
        ConfigError: a name is no string.
    """
    flat: dict[str, object] = {}
    for name, value in tree.items():
        if not isinstance(name, str):
            raise ConfigError(f'{where}: key {quoted(name)} must be a string')
        if isinstance(value, dict):
            flat |= _flat(value, where, f'{prefix}{name}.')
        else:
            flat[prefix + name] = _plain(value)
    return flat


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
