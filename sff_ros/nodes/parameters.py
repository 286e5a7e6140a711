"""Declare a config class as described, bounded and validated node parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter

from sff_ros.config.schema import ParamSpec, from_flat, walk
from sff_ros.errors import ConfigError, SffError

ConfigT = TypeVar('ConfigT')

# Parameters that rclpy itself declares on our nodes.
_FOREIGN = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


class NodeParameters(Generic[ConfigT]):
    """Declares every field of a config class on a node and keeps the config up to date.

    Args:
        node: on which.
        cls: the config class.
        check: raises an SffError if the node, as it is now, cannot take a new config.

    Attributes:
        config: the current values. Fields that are not live can change only while the node is
            unconfigured.
        locked: set by the node while it is configured.
    """

    def __init__(
        self, node: Node, cls: type[ConfigT], check: Callable[[ConfigT], None] = lambda _: None
    ) -> None:
        self._node = node
        self._cls = cls
        self._check = check
        self._specs = {name: spec for name, spec, *_ in walk(cls)}
        self.locked = False
        overrides = {
            name: () if parameter.value is None else _plain(parameter.value)  # None: []
            for name, parameter in node._parameter_overrides.items()
            if not name.startswith(_FOREIGN)
        }
        # Checked before declaration: ROS silently ignores unknown names.
        self.config = from_flat(cls, overrides)
        try:
            for name, spec, default, kind in walk(cls):
                _declare(node, name, spec, default, kind)
        except InvalidParameterTypeException as err:
            raise ConfigError(str(err)) from err
        self.config = from_flat(cls, self._values())
        node.add_on_set_parameters_callback(self._on_set)

    def _values(self) -> dict[str, Any]:
        return {name: _plain(self._node.get_parameter(name).value) for name in self._specs}

    def _on_set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        """Accept or reject a set of changes as a whole, with the reason."""
        changes = {p.name: _plain(p.value) for p in parameters if p.name in self._specs}
        frozen = [name for name in changes if self.locked and not self._specs[name].live]
        if frozen:
            reason = f'{frozen[0]} takes effect at configure: clean the node up first'
            return SetParametersResult(successful=False, reason=reason)
        try:
            config = from_flat(self._cls, {**self._values(), **changes})
            self._check(config)
        except SffError as err:
            return SetParametersResult(successful=False, reason=str(err))
        self.config = config
        return SetParametersResult(successful=True)


def _plain(value: Any) -> Any:
    """Convert ROS's list types to the tuples of config classes."""
    is_list = not isinstance(value, (str, bytes)) and hasattr(value, '__len__')
    return tuple(value) if is_list else value


def _declare(node: Node, name: str, spec: ParamSpec, default: Any, kind: Any) -> None:
    if kind == tuple[float, ...]:
        # An empty list is untyped: `ros2 param set` sends booleans, parameter files nothing. So
        # ROS accepts any type here, and the config rejects wrong ones.
        described = _describe(name, spec)
        described.dynamic_typing = True
        declared: Parameter[Any] = node.declare_parameter(name, None, described)
        if declared.type_ == Parameter.Type.NOT_SET:
            node.set_parameters([Parameter(name, Parameter.Type.DOUBLE_ARRAY, list(default))])
    else:
        node.declare_parameter(name, default, _describe(name, spec, type(default)))


def _describe(name: str, spec: ParamSpec, kind: type | None = None) -> ParameterDescriptor:
    """Return the descriptor that `ros2 param describe` and rqt show."""
    descriptor = ParameterDescriptor(name=name, description=spec.doc)
    notes = [spec.allowed] if spec.choices or kind is None else []
    notes += [f'unit: {spec.unit}'] if spec.unit else []
    notes += [] if spec.live else ['takes effect at configure']
    descriptor.additional_constraints = '; '.join(note for note in notes if note)
    if spec.low is None or spec.high is None:
        return descriptor
    if kind is int:
        descriptor.integer_range = [
            IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=0)
        ]
    elif kind is float:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high), step=0.0)
        ]
    return descriptor
