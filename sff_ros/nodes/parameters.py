"""A config class as the described, bounded and checked parameters of a node."""

from __future__ import annotations

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
from sff_ros.errors import ConfigError

ConfigT = TypeVar('ConfigT')

# Parameters that rclpy itself declares on our nodes.
_FOREIGN = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


class NodeParameters(Generic[ConfigT]):
    """Declares every field of a config class on a node and keeps the config up to date.

    Attributes:
        config: the values in force. Fields that are not live change only while the node is
            unconfigured; a refused change says so.
        locked: set by the node while it is configured.
    """

    def __init__(self, node: Node, cls: type[ConfigT]) -> None:
        self._node = node
        self._cls = cls
        self._specs = {name: spec for name, spec, *_ in walk(cls)}
        self.locked = False
        overrides = {
            name: _plain(parameter.value)
            for name, parameter in node._parameter_overrides.items()
            if not name.startswith(_FOREIGN) and parameter.value is not None  # []
        }
        # Checked before they are declared: ROS drops unknown names without a word.
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
        """Accept a change, or say why not; a set of changes is taken or refused as one."""
        changes = {p.name: _plain(p.value) for p in parameters if p.name in self._specs}
        frozen = [name for name in changes if self.locked and not self._specs[name].live]
        if frozen:
            reason = f'{frozen[0]} takes effect at configure: clean the node up first'
            return SetParametersResult(successful=False, reason=reason)
        try:
            self.config = from_flat(self._cls, {**self._values(), **changes})
        except ConfigError as err:
            return SetParametersResult(successful=False, reason=str(err))
        return SetParametersResult(successful=True)


def _plain(value: Any) -> Any:
    """Return ROS's list types as the tuples that config classes hold."""
    is_list = not isinstance(value, (str, bytes)) and hasattr(value, '__len__')
    return tuple(value) if is_list else value


def _declare(node: Node, name: str, spec: ParamSpec, default: Any, kind: Any) -> None:
    if kind == tuple[float, ...]:
        # An empty list has no type of its own: `ros2 param set` sends one of booleans, and files
        # none at all. So ROS takes any type here, and the config refuses the wrong ones.
        described = _describe(name, spec)
        described.dynamic_typing = True
        declared: Parameter[Any] = node.declare_parameter(name, None, described)
        if declared.type_ == Parameter.Type.NOT_SET:
            node.set_parameters([Parameter(name, Parameter.Type.DOUBLE_ARRAY, list(default))])
    else:
        node.declare_parameter(name, default, _describe(name, spec, type(default)))


def _describe(name: str, spec: ParamSpec, kind: type | None = None) -> ParameterDescriptor:
    """Return what `ros2 param describe` and rqt show."""
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
