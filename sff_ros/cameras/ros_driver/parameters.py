"""The parameters of a driver's node: read, set and restored."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParametersAtomically,
)
from rclpy.parameter import Parameter

from sff_ros.cameras.ros_driver.link import DriverLink, wait_for
from sff_ros.cameras.ros_driver.settings import Setting
from sff_ros.errors import CameraError, CameraLostError, quoted

_FIRST_S = 0.3  # until the first request is repeated


class DriverParameters:
    """The parameters of one node, over its services.

    Args:
        link: connection to it.
        node: its full name.
        timeout_s: longest wait for a response.

    Attributes:
        is_gone: returns whether the node is known to be another one now; none responds then.

    Raises:
        CameraError: there is no such node.
    """

    def __init__(self, link: DriverLink, node: str, timeout_s: float) -> None:
        self.node = node
        self._link = link
        self._timeout_s = timeout_s
        self.is_gone: Callable[[], bool] = lambda: False
        self._found: list[ParameterMessage] = []  # previous values, in the order of setting
        self._prepared: list[ParameterMessage] = []
        kinds: dict[str, Any] = {
            'list_parameters': ListParameters,
            'describe_parameters': DescribeParameters,
            'get_parameters': GetParameters,
            'set_parameters_atomically': SetParametersAtomically,
        }
        self._clients = {name: link.client(kind, f'{node}/{name}') for name, kind in kinds.items()}
        if not wait_for(self._is_there, timeout_s):
            raise CameraLostError(
                f'no node {node} offers parameters: start the driver, or set ros_driver.node '
                '(`ros2 node list` lists the running nodes)'
            )
        self.names = self._list()

    def describe(self, name: str) -> ParameterDescriptor:
        """Return the declaration of a parameter.

        Raises:
            CameraError: it has no such parameter; names similar ones.
        """
        self._check_known(name)
        found = self._ask(
            'describe_parameters', DescribeParameters.Request(names=[name])
        ).descriptors
        return found[0] if found else ParameterDescriptor(name=name)

    def get(self, name: str) -> ParameterValue:
        """Return the value of a parameter; of type NOT_SET if it has none."""
        self._check_known(name)
        return self._values([name])[0]

    def set(self, *parameters: ParameterMessage) -> None:
        """Set parameters, all of them or none.

        In one call, since some drivers keep only the last call until the next frame: camera_ros
        (0.3 to 0.7) replaces what was set since the last request by what the next call sets.

        Raises:
            CameraError: they are refused, with the driver's reason, or there was no response.
            CameraLostError: the node is gone.
        """
        request = SetParametersAtomically.Request(parameters=list(parameters))
        result = self._ask('set_parameters_atomically', request).result
        if not result.successful:
            values = ', '.join(f'{p.name} = {plain(p.value)}' for p in parameters)
            raise CameraError(
                f'{self.node} refuses {values}: {result.reason or "no reason given"}'
            )

    def remember(self, name: str) -> None:
        """Save the value for `restore`, if the parameter has one."""
        self._save([name], [self.get(name)])

    def prepare(self, settings: Sequence[Setting]) -> None:
        """Save and set, in one call, the first parameter of each setting that the node has.

        Raises:
            CameraError: it has none and the setting is not optional, or it refuses.
        """
        wanted: dict[str, bool | int | float | str] = {}
        for setting in settings:
            name = next((name for name in setting.names if name in self.names), None)
            if name is not None or not setting.optional:
                self._check_known(name or setting.names[0])
                wanted[name or setting.names[0]] = setting.value
        if not wanted:
            return
        found = self._values(list(wanted))
        self._prepared = [
            Parameter(name, value=_of_kind(value, old)).to_parameter_msg()
            for (name, value), old in zip(wanted.items(), found, strict=True)
        ]
        self._save(list(wanted), found)
        self.set(*self._prepared)

    def check_prepared(self) -> None:
        """Read back what `prepare` set.

        Raises:
            CameraError: a parameter has another value.
        """
        if not self._prepared:
            return
        values = self._values([parameter.name for parameter in self._prepared])
        wrong = [
            f'{parameter.name} is {plain(value)}, not {plain(parameter.value)}'
            for parameter, value in zip(self._prepared, values, strict=True)
            if not _is_same(plain(value), plain(parameter.value))
        ]
        if wrong:
            raise CameraError(
                f'{self.node} accepted ros_driver.prepare, but {"; ".join(wrong)}: another node '
                'sets it, or the driver cannot'
            )

    def restore(self, timeout_s: float) -> None:
        """Restore the saved values, last first; warn of failures.

        Args:
            timeout_s: longest wait for a response. A node that only pauses obeys later, too.
        """
        self._timeout_s = timeout_s
        found, self._found = self._found[::-1], []
        try:
            if found:
                self.set(*found)
        except CameraLostError:
            return  # a node that is gone keeps no values
        except CameraError:
            self._restore_each(found)

    def _restore_each(self, found: Sequence[ParameterMessage]) -> None:
        """Restore those that the driver takes."""
        for parameter in found:
            try:
                self.set(parameter)
            except CameraLostError:
                return
            except CameraError as err:
                self._link.warn(f'{parameter.name} could not be restored: {err}')

    def _save(self, names: Sequence[str], values: Sequence[ParameterValue]) -> None:
        for name, value in zip(names, values, strict=True):
            if value.type != ParameterType.PARAMETER_NOT_SET:
                self._found.append(ParameterMessage(name=name, value=value))

    def _values(self, names: list[str]) -> list[ParameterValue]:
        """Return the values of parameters; of type NOT_SET where there is none."""
        found = list(self._ask('get_parameters', GetParameters.Request(names=names)).values)
        # A node that does not know one of them returns an empty list.
        return found if len(found) == len(names) else [ParameterValue() for _ in names]

    def _is_there(self) -> bool:
        return all(client.service_is_ready() for client in self._clients.values())

    def _list(self) -> list[str]:
        """Return the names of all parameters; repeat the request if a response was lost.

        Before Kilted the client may have discovered the server but not the reverse.
        """
        end = time.monotonic() + self._timeout_s
        while time.monotonic() < end:
            answer = self._link.call(
                self._clients['list_parameters'], ListParameters.Request(), _FIRST_S
            )
            if answer is not None:
                return list(answer.result.names)
        raise self._no_answer('list_parameters')

    def _ask(self, service: str, request: Any) -> Any:
        client = self._clients[service]
        if not client.service_is_ready():
            raise CameraLostError(f'{self.node} is gone: it no longer offers parameters')
        answer = self._link.call(client, request, self._timeout_s, self.is_gone)
        if answer is None:
            raise self._no_answer(service)
        return answer

    def _no_answer(self, service: str) -> CameraError:
        # A killed process stays in the graph for a while without responding.
        if self.is_gone():
            return CameraLostError(f'{self.node} was restarted, or another one has its topics')
        return CameraLostError(
            f'{self.node}/{service} does not respond within {self._timeout_s:g} s: is the '
            'driver running?'
        )

    def _check_known(self, name: str) -> None:
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f'; did you mean {near[0]}?' if near else ''
            raise CameraError(
                f'{self.node} has no parameter {quoted(name)}{hint} '
                f'(`ros2 param list {self.node}` shows all)'
            )


def _of_kind(value: bool | int | float | str, old: ParameterValue) -> bool | int | float | str:
    """Return a value of YAML, a whole number as a float where the parameter is one."""
    is_double = old.type == ParameterType.PARAMETER_DOUBLE
    return float(value) if is_double and type(value) is int else value


def _is_same(found: Any, wanted: bool | int | float | str) -> bool:
    """Compare values; a driver may keep a number in single precision."""
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-9)
    return bool(found == wanted)


def plain(value: ParameterValue) -> Any:
    """Return a parameter's value as a Python object; None if it has none."""
    return Parameter.from_parameter_msg(ParameterMessage(name='x', value=value)).value
