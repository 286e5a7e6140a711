"""Parser of the driver settings to make before a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.errors import ConfigError, quoted
from sff_ros.files.yaml_reader import parse_yaml


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter to set.

    Attributes:
        names: alternatives; the first that exists is set.
        value: to set.
        optional: whether all may be missing.
    """

    names: tuple[str, ...]
    value: bool | int | float | str
    optional: bool


def parse_settings(text: str) -> tuple[Setting, ...]:
    """Return the settings of `a=1, b|c?=false`: values in YAML, `?` for optional.

    Raises:
        ConfigError: a part is not a setting; quotes it.
    """
    return tuple(_setting(part.strip()) for part in text.split(',') if part.strip())


def _setting(part: str) -> Setting:
    left, equals, right = part.partition('=')
    optional = left.rstrip().endswith('?')
    names = tuple(name.strip() for name in left.rstrip().removesuffix('?').split('|'))
    try:
        value = parse_yaml(right)
    except ConfigError:
        value = None
    if not equals or not all(names) or not isinstance(value, (bool, int, float, str)):
        raise ConfigError(
            f'ros_driver.prepare has {quoted(part)}; allowed: name=value, with | between names '
            'and ? after them'
        )
    return Setting(names, value, optional)
