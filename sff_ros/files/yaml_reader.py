"""Read and validate YAML: files of settings, and single values."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from sff_ros.errors import ConfigError, quoted, shortened
from sff_ros.files.whole_file import read_file

MAX_BYTES = 256_000  # of a file of settings; PyYAML takes seconds for it
MAX_VALUES = 200_000  # keys and values, what an alias stands for counted each time


def read_mapping(path: Path) -> dict[str, object]:
    """Read a YAML file whose top level is a mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: the file cannot be read, is not a mapping, repeats a key, or has more than
            MAX_BYTES or MAX_VALUES.
    """
    try:
        node, content = _parse(read_file(path, MAX_BYTES).decode())
    except OSError as err:
        raise ConfigError(f'{path}: cannot be read: {err.strerror}') from err
    except UnicodeDecodeError as err:
        raise ConfigError(f'{path}: is not YAML: {err}') from err
    except ConfigError as err:
        raise ConfigError(f'{path}: {err}') from err
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f'{path}: must hold keys and values, not a {type(content).__name__}')
    given = Counter(key.value for key, _ in node.value)
    for key in content:
        if not isinstance(key, str):
            raise ConfigError(f'{path}: key {quoted(key)} must be a string')
        if given[key] > 1:
            raise ConfigError(f'{path}: {shortened(key)} is given {given[key]} times')
    return content


def parse_yaml(text: str) -> object:
    """Return the value of a YAML text, of whatever type.

    Raises:
        ConfigError: it is not YAML, or has more than MAX_VALUES; no file is named.
    """
    return _parse(text)[1]


def _parse(text: str) -> tuple[yaml.Node | None, object]:
    """Return the root and its value."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        count = _count(node, {}, set())
        if count > MAX_VALUES:
            raise ConfigError(f'has {quoted(count)} values by its aliases; allowed: {MAX_VALUES}')
        return node, loader.construct_document(node)
    except ConfigError:
        raise
    except Exception as err:  # arbitrary text may raise anything, a wrong `!!int` IndexError
        raise ConfigError(f'is not YAML: {shortened(str(err))}') from err


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Return how many keys and values a node has, with those that aliases repeat.

    Args:
        node: the root.
        known: of the nodes that were counted, by identity.
        above: nodes that hold this one.

    Raises:
        ConfigError: an alias is inside of what it stands for.
    """
    if id(node) in above:
        raise ConfigError('has an alias of what it is itself a part of')
    if id(node) not in known:
        above.add(id(node))
        pairs = node.value if isinstance(node, yaml.CollectionNode) else []
        is_mapping = isinstance(node, yaml.MappingNode)
        parts = [part for pair in pairs for part in pair] if is_mapping else pairs
        known[id(node)] = 1 + sum(_count(part, known, above) for part in parts)
        above.remove(id(node))
    return known[id(node)]


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
            raise ConfigError(f'key {quoted(key)} is now called {renamed[key]}')
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f'did you mean {near[0]}? ' if near else ''
            raise ConfigError(f'unknown key {quoted(key)}; {hint}known: {", ".join(known)}')


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
    raise ConfigError(f'{name} must be a number, not {quoted(value)}')


def as_numbers(value: object, name: str, *, finite: bool = True) -> tuple[float, ...]:
    """Return a list of numbers.

    Raises:
        ConfigError: not a list of numbers, or holds NaN, or infinity if `finite`.
    """
    if not isinstance(value, list):
        raise ConfigError(f'{name} must be a list of numbers, not {quoted(value)}')
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
