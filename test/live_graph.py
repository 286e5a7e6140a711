"""Nodes on a real graph inside the test's process, and a user's view of them."""

from __future__ import annotations

import gc
import importlib
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from programs import wait as wait  # tests of nodes have it from here
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue, SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from sff_ros.nodes.lifecycle import QOS, autostart, spin_once
from sff_ros.nodes.observer import Seen, observe

with warnings.catch_warnings():
    # What rclpy loads at its first message uses modules that Python is about to drop.
    warnings.simplefilter('ignore', DeprecationWarning)
    importlib.import_module('rosidl_generator_py')

BEFORE_KILTED = os.environ.get('ROS_DISTRO') in ('humble', 'jazzy')
# Then one side of a match may know of it while the other does not yet.
SETTLE_S = 0.1 if BEFORE_KILTED else 0.0
T = TypeVar('T')
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = 1, 2, 3, 4
NODES = ('capture_node', 'inference_node', 'depth_node')
# A test may publish a whole sweep at once, and who takes slices may be late on a busy machine.
BURSTS = {
    f'qos_overrides./stack/{topic}.{end}.depth': 60
    for topic in ('image', 'camera_info', 'focus')
    for end in ('subscription', 'publisher')
}
COLLECTED = QoSProfile(depth=200)
TYPES = {
    bool: ('bool_value', ParameterType.PARAMETER_BOOL),
    int: ('integer_value', ParameterType.PARAMETER_INTEGER),
    float: ('double_value', ParameterType.PARAMETER_DOUBLE),
    str: ('string_value', ParameterType.PARAMETER_STRING),
    list: ('double_array_value', ParameterType.PARAMETER_DOUBLE_ARRAY),
}

StartGraph = Callable[..., 'Graph']


class Spinner:
    """Runs the callbacks of nodes in a thread, until one raises."""

    def __init__(self, nodes: Sequence[Node], context: Context | None = None) -> None:
        self._executor = SingleThreadedExecutor(context=context)
        for node in nodes:
            self._executor.add_node(node)
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                spin_once(self._executor)
        except Exception as err:
            self._error = err

    def stop(self) -> Exception | None:
        """End the thread; return what a callback raised."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        return self._error


class Graph:
    """Nodes under test and a tester beside them, spun by one thread.

    Args:
        makers: the node classes, listeners first.
        parameters: values by name, by node, as a parameter file gives them.
        namespace: of the nodes.
        log_level: of the nodes.
    """

    def __init__(
        self,
        makers: Sequence[Callable[[], LifecycleNode]],
        parameters: dict[str, dict[str, Any]] | None = None,
        namespace: str = '',
        log_level: str = 'fatal',
    ) -> None:
        by_node: dict[str, dict[str, Any]] = {node: dict(BURSTS) for node in NODES}
        for node, values in (parameters or {}).items():
            by_node[node] |= values
        text = yaml.safe_dump({f'/**/{n}': {'ros__parameters': v} for n, v in by_node.items()})
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write(text)
            file.flush()
            arguments = ['--ros-args', '--log-level', log_level, '--params-file', file.name]
            if namespace:
                arguments += ['-r', f'__ns:=/{namespace}']
            rclpy.init(args=arguments)
        self.nodes: list[LifecycleNode] = []
        try:
            self.nodes += [make() for make in makers]
        except Exception:
            self._destroy_nodes()
            rclpy.shutdown()
            raise
        # A DDS participant of its own, as a user's program has.
        self._context = Context()
        self._context.init()
        self.tester = Node(
            'tester', use_global_arguments=False, namespace=namespace, context=self._context
        )
        self.started = [
            autostart(node) for node in self.nodes if node.get_parameter('autostart').value
        ]
        self._clients: dict[str, Any] = {}
        self._diagnostics = self.collect(DiagnosticArray, '/diagnostics')
        self._spinners = [Spinner(self.nodes), Spinner([self.tester], self._context)]

    def close(self) -> None:
        """Take everything down; a thread that stays behind fails the test."""
        errors = [error for spinner in self._spinners if (error := spinner.stop())]
        self._spinners.clear()
        self._destroy_nodes()
        self.tester.destroy_node()
        self._context.shutdown()
        rclpy.shutdown()
        assert not errors, errors
        names = [thread.name for thread in threading.enumerate()]
        assert not {'sweeper', 'inference', 'depth'} & set(names), names

    def _destroy_nodes(self) -> None:
        while self.nodes:
            destroy(self.nodes.pop())
        # rclpy leaves a lifecycle node's services alive until the node itself is collected, and
        # the next test's client would find them.
        gc.collect()

    def collect(self, kind: type[T], topic: str, qos: Any = COLLECTED) -> list[T]:
        """Return a list that grows with the messages of a topic, from the next one on."""
        messages: list[T] = []
        topic_name = self.tester.create_subscription(kind, topic, messages.append, qos).topic_name
        listeners = sum(
            subscription.topic_name == topic_name
            for node in (*self.nodes, self.tester)
            for subscription in node.subscriptions
        )
        for publisher in (p for node in self.nodes for p in node.publishers):
            if publisher.topic_name == topic_name:
                # What is published before the match is lost.
                wait(
                    partial(_has_listeners, publisher, listeners),
                    f'{listeners} listeners of {topic}',
                )
        return messages

    def publish(self, kind: type[T], topic: str, qos: Any = QOS) -> Callable[[T], None]:
        """Return what publishes on a topic, once its one subscriber is there."""
        publisher = self.tester.create_publisher(kind, topic, qos)
        wait(publisher.get_subscription_count, f'a subscriber of {topic}')
        time.sleep(SETTLE_S)
        return publisher.publish

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Call a service and return the response."""
        if service not in self._clients:
            client: Any = self.tester.create_client(kind, service)
            wait(client.service_is_ready, f'the service {service}')
            time.sleep(SETTLE_S)
            self._clients[service] = client
        client = self._clients[service]
        future = client.call_async(request)
        wait(future.done, f'an answer of {service}')
        return future.result()

    def change_state(self, node: str, transition: int) -> bool:
        """Ask for a transition as `ros2 lifecycle set` does."""
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(ChangeState, f'{node}/change_state', request).success)

    def state(self, node: str) -> str:
        """Return the state as `ros2 lifecycle get` does."""
        response = self.call(GetState, f'{node}/get_state', GetState.Request())
        return str(response.current_state.label)

    def set(self, node: str, name: str, value: Any) -> SetParametersResult:
        """Set a parameter as `ros2 param set` does."""
        field, kind = TYPES[type(value)]
        typed = ParameterValue(type=kind)
        setattr(typed, field, value)
        return self.set_typed(node, name, typed)

    def set_typed(self, node: str, name: str, typed: ParameterValue) -> SetParametersResult:
        """Set a parameter to a value of any type."""
        request = SetParameters.Request(parameters=[Parameter(name=name, value=typed)])
        return self.call(SetParameters, f'{node}/set_parameters', request).results[0]

    def status(
        self, node: str, about: str, until: Callable[[DiagnosticStatus], bool]
    ) -> DiagnosticStatus:
        """Wait for a new status of a node that fits."""
        newest = DiagnosticStatus()
        seen = len(self._diagnostics)

        def fits() -> bool:
            nonlocal newest
            for array in self._diagnostics[seen:]:
                for status in array.status:
                    if status.name.partition(':')[0] == node:
                        newest = status
                        if until(status):
                            return True
            return False

        try:
            wait(fits, about)
        except TimeoutError:
            pytest.fail(f'{node} never said {about}; last: {newest.message} {facts(newest)}')
        return newest

    def says(self, node: str, words: str) -> DiagnosticStatus:
        """Wait until a node's diagnostics say something."""
        return self.status(node, f'{words!r}', lambda s: words in s.message)

    def counts(self, node: str, name: str, at_least: int = 1) -> int:
        """Wait until a node's diagnostics count something; return how often."""
        status = self.status(
            node, f'{name} >= {at_least}', lambda s: int(facts(s).get(name, 0)) >= at_least
        )
        return int(facts(status)[name])


def _has_listeners(publisher: Publisher[Any], count: int) -> bool:
    return publisher.get_subscription_count() >= count


@contextmanager
def watched() -> Iterator[Seen]:
    """Watch the graph, as a user's program does."""
    seen, stop = Seen(), threading.Event()
    watcher = threading.Thread(target=observe, args=(seen, lambda: not stop.is_set()))
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def destroy(node: LifecycleNode) -> None:
    """Shut a node down for good."""
    node.trigger_shutdown()
    node.destroy_node()


def facts(status: DiagnosticStatus) -> dict[str, str]:
    """Return the values of a status."""
    return {pair.key: pair.value for pair in status.values}
