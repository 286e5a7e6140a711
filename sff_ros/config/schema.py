"""Declare, check and build parameters from user input."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from sff_ros.errors import ConfigError, quoted

Value = bool | int | float | str | tuple[float, ...]
ConfigT = TypeVar('ConfigT')


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """The specification of one parameter.

    Attributes:
        doc: one sentence of documentation.
        unit: unit of the value; empty if none.
        low, high: inclusive range of a number; None if unbounded.
        choices: the allowed values of a string.
        live: whether a change takes effect while the node runs.
        formerly: dotted name that it had before; giving that is an error that names the new one.
    """

    doc: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    formerly: str = ''

    @property
    def allowed(self) -> str:
        """The allowed values as text; empty if any value is allowed."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        if self.low is None:
            return ''
        unit = f' {self.unit}' if self.unit else ''
        return f'{self.low:.10g} .. {self.high:.10g}{unit}'


def param(
    default: Value,
    doc: str,
    *,
    unit: str = '',
    span: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
    formerly: str = '',
) -> Any:
    """Declare one parameter as a dataclass field."""
    low, high = span if span is not None else (None, None)
    spec = ParamSpec(doc, unit, low, high, choices, live, formerly)
    return dataclasses.field(default=default, metadata={'spec': spec})


def group(cls: type[ConfigT]) -> Any:
    """Declare a nested group of parameters as a dataclass field."""
    return dataclasses.field(default_factory=cls)


class Checked:
    """Rejects values outside their declared type, range or choice."""

    __slots__ = ()

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            if 'spec' in field.metadata:
                check_value(
                    field.name,
                    getattr(self, field.name),
                    field.metadata['spec'],
                    hints[field.name],
                )


def check_value(name: str, value: Any, spec: ParamSpec, kind: Any) -> None:
    """Reject one value that is of the wrong type or not allowed.

    Raises:
        ConfigError: names the parameter, its value and what is allowed.
    """
    if kind is float and type(value) is int:
        given = quoted(value)
        raise ConfigError(f'{name} must be a float such as {given}.0, not the integer {given}')
    expected = tuple if kind == tuple[float, ...] else kind
    if type(value) is not expected:
        raise ConfigError(f'{name} must be {expected.__name__}, not {quoted(value)}')
    if spec.choices and value not in spec.choices:
        raise ConfigError(f'{name} is {quoted(value)}; allowed: {spec.allowed}')
    if expected is tuple and any(type(number) is not float for number in value):
        raise ConfigError(f'{name} must be floats such as 1.0, not {quoted(value)}')
    for number in value if expected is tuple else (value,):
        if spec.low is not None and spec.high is not None:
            if not spec.low <= number <= spec.high:
                raise ConfigError(f'{name} is {quoted(number)}; allowed: {spec.allowed}')


def walk(cls: type[Any], prefix: str = '') -> Iterator[tuple[str, ParamSpec, Value, Any]]:
    """Yield (dotted name, spec, default, type) of every parameter of a config class."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if 'spec' in field.metadata:
            default: Any = field.default
            yield prefix + field.name, field.metadata['spec'], default, hints[field.name]
        else:
            yield from walk(hints[field.name], f'{prefix}{field.name}.')


def from_flat(cls: type[ConfigT], values: Mapping[str, Any], prefix: str = '') -> ConfigT:
    """Build a config from dotted names; missing ones keep their default.

    Raises:
        ConfigError: a name is unknown, or a value is not allowed.
    """
    if not prefix:
        known = [name for name, *_ in walk(cls)]
        renamed = {spec.formerly: name for name, spec, *_ in walk(cls)}
        for name in values:
            if name in renamed:
                raise ConfigError(f'parameter {quoted(name)} is now called {renamed[name]}')
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f'; did you mean {near[0]}?' if near else f'; known: {", ".join(known)}'
                raise ConfigError(f'unknown parameter {quoted(name)}{hint}')
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = prefix + field.name
        if 'spec' not in field.metadata:
            arguments[field.name] = from_flat(hints[field.name], values, name + '.')
        elif name in values:
            check_value(name, values[name], field.metadata['spec'], hints[field.name])
            arguments[field.name] = values[name]
    return cls(**arguments)
