"""The parameters of a driver's node: read, set and restored."""

from __future__ import annotations

import difflib
import time
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter

from sff_ros.cameras.ros_driver.link import DriverLink, wait_for
from sff_ros.cameras.ros_driver.settings import Setting
from sff_ros.errors import CameraError, CameraLostError

_FIRST_S = 0.3  # until the first request is repeated


class DriverParameters:
    """The parameters of one node, over its services.

    Args:
        link: connection to it.
        node: its full name.
        timeout_s: longest wait for a response.

    Raises:
        CameraError: there is no such node.
    """

    def __init__(self, link: DriverLink, node: str, timeout_s: float) -> None:
        self.node = node
        self._link = link
        self._timeout_s = timeout_s
        self._found: list[ParameterMessage] = []  # previous values, in the order of setting
        kinds: dict[str, Any] = {
            'list': ListParameters,
            'describe': DescribeParameters,
            'get': GetParameters,
            'set': SetParameters,
        }
        self._clients = {
            verb: link.client(kind, f'{node}/{verb}_parameters') for verb, kind in kinds.items()
        }
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
        found = self._ask('describe', DescribeParameters.Request(names=[name])).descriptors
        return found[0] if found else ParameterDescriptor(name=name)

    def get(self, name: str) -> ParameterValue:
        """Return the value of a parameter; of type NOT_SET if it has none."""
        self._check_known(name)
        found = self._ask('get', GetParameters.Request(names=[name])).values
        return found[0] if found else ParameterValue()

    def set(self, parameter: ParameterMessage) -> None:
        """Set a parameter.

        Raises:
            CameraError: it is refused, with the driver's reason, or there was no response.
            CameraLostError: the node is gone.
        """
        response = self._ask('set', SetParameters.Request(parameters=[parameter]))
        if not response.results or not response.results[0].successful:
            reason = response.results[0].reason if response.results else ''
            value = plain(parameter.value)
            raise CameraError(
                f'{self.node} refuses {parameter.name} = {value}: {reason or "no reason given"}'
            )

    def remember(self, name: str) -> None:
        """Save the value for `restore`, if the parameter has one."""
        value = self.get(name)
        if value.type != ParameterType.PARAMETER_NOT_SET:
            self._found.append(ParameterMessage(name=name, value=value))

    def prepare(self, setting: Setting) -> None:
        """Save and set the first parameter of a setting that the node has.

        Raises:
            CameraError: it has none and the setting is not optional, or it refuses.
        """
        name = next((name for name in setting.names if name in self.names), None)
        if name is None and setting.optional:
            return
        name = name or setting.names[0]
        self.remember(name)
        is_double = self.get(name).type == ParameterType.PARAMETER_DOUBLE
        whole = type(setting.value) is int
        value = float(setting.value) if is_double and whole else setting.value
        self.set(Parameter(name, value=value).to_parameter_msg())

    def restore(self) -> None:
        """Restore the saved values, last first; warn of failures."""
        while self._found:
            parameter = self._found.pop()
            try:
                self.set(parameter)
            except CameraLostError:
                return  # a node that is gone keeps no values
            except CameraError as err:
                self._link.warn(f'{parameter.name} could not be restored: {err}')
                if not self._is_there():
                    return

    def _is_there(self) -> bool:
        return all(client.service_is_ready() for client in self._clients.values())

    def _list(self) -> list[str]:
        """Return the names of all parameters; repeat the request if a response was lost.

        Before Kilted the client may have discovered the server but not the reverse.
        """
        end = time.monotonic() + self._timeout_s
        while time.monotonic() < end:
            answer = self._link.call(self._clients['list'], ListParameters.Request(), _FIRST_S)
            if answer is not None:
                return list(answer.result.names)
        raise self._no_answer('list_parameters')

    def _ask(self, verb: str, request: Any) -> Any:
        client = self._clients[verb]
        if not client.service_is_ready():
            raise CameraLostError(f'{self.node} is gone: it no longer offers parameters')
        answer = self._link.call(client, request, self._timeout_s)
        if answer is None:
            raise self._no_answer(f'{verb}_parameters')
        return answer

    def _no_answer(self, service: str) -> CameraError:
        # A killed process stays in the graph for a while without responding.
        return CameraLostError(
            f'{self.node}/{service} does not respond within {self._timeout_s:g} s: is the '
            'driver running?'
        )

    def _check_known(self, name: str) -> None:
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f'; did you mean {near[0]}?' if near else ''
            raise CameraError(
                f'{self.node} has no parameter {name!r}{hint} (`ros2 param list {self.node}` '
                'shows all)'
            )


def plain(value: ParameterValue) -> Any:
    """Return a parameter's value as a Python object; None if it has none."""
    return Parameter.from_parameter_msg(ParameterMessage(name='x', value=value)).value
