"""Read and validate a YAML file of settings."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from sff_ros.errors import ConfigError


def read_mapping(path: Path) -> dict[str, object]:
    """Read a YAML file whose top level is a mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: the file cannot be read, is not a mapping, or repeats a key.
    """
    try:
        text = path.read_text(encoding='utf-8')
        node = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as err:
        raise ConfigError(f'{path}: cannot be read: {err.strerror}') from err
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise ConfigError(f'{path}: is not YAML: {" ".join(str(err).split())}') from err
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f'{path}: must hold keys and values, not a {type(content).__name__}')
    keys = [key.value for key, _ in node.value]
    for key in content:
        if not isinstance(key, str):
            raise ConfigError(f'{path}: key {key!r} must be a string')
        if keys.count(key) > 1:
            raise ConfigError(f'{path}: {key} is given {keys.count(key)} times')
    return content


def check_keys(
    content: dict[str, object],
    known: tuple[str, ...],
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Reject unknown keys.

    Args:
        content: of the file.
        known: all valid keys.
        renamed: former keys, and their new names.

    Raises:
        ConfigError: names the key, and the closest known one.
    """
    for key in content:
        if key in renamed:
            raise ConfigError(f'key {key!r} is now called {renamed[key]}')
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f'did you mean {near[0]}? ' if near else ''
            raise ConfigError(f'unknown key {key!r}; {hint}known: {", ".join(known)}')


def as_number(value: object, name: str) -> float:
    """Return a number; strings such as 1e-05, written by some YAML writers, are accepted.

    Raises:
        ConfigError: not a number.
    """
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ConfigError(f'{name} must be a number, not {value!r}')


def as_numbers(value: object, name: str, *, finite: bool = True) -> tuple[float, ...]:
    """Return a list of numbers.

    Raises:
        ConfigError: not a list of numbers, or holds NaN, or infinity if `finite`.
    """
    if not isinstance(value, list):
        raise ConfigError(f'{name} must be a list of numbers, not {value!r}')
    numbers = tuple(as_number(item, f'{name}[{i}]') for i, item in enumerate(value))
    for i, number in enumerate(numbers):
        if math.isnan(number) or (finite and math.isinf(number)):
            raise ConfigError(f'{name}[{i}] must be finite, not {number}')
    return numbers


def as_matrix(value: object, name: str) -> tuple[float, ...]:
    """Return the nine numbers of a 3x3 matrix, row by row, given flat or as three rows.

    Raises:
        ConfigError: not a 3x3 matrix.
    """
    if isinstance(value, list) and len(value) == 3:
        rows = [as_numbers(row, f'{name}[{i}]') for i, row in enumerate(value)]
        if all(len(row) == 3 for row in rows):
            return tuple(number for row in rows for number in row)
    elif isinstance(value, list) and len(value) == 9:
        return as_numbers(value, name)
    raise ConfigError(f'{name} must be three rows of 3 numbers, or 9 numbers')


def as_mapping(value: object, name: str, keys: tuple[str, ...]) -> dict[str, object]:
    """Return a nested mapping that has exactly the given keys.

    Raises:
        ConfigError: not a mapping, or a key is missing or unknown.
    """
    if not isinstance(value, dict) or set(value) != set(keys):
        raise ConfigError(f'{name} must have exactly the keys {", ".join(keys)}')
    return value
