"""A connection to a driver's node, independent of the caller's node."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from sff_ros.middleware.start import start_ros

POLL_S = 0.02  # of the graph, which does not report changes
LOOK_S = 0.1  # the same, while something else is waited for
T = TypeVar('T')

_numbers = itertools.count()


class DriverLink:
    """A node with a context, an executor and a thread of its own, so that calls may block.

    Remappings and parameters of the process do not apply: names are those of the graph.
    """

    def __init__(self) -> None:
        self._context = Context()
        start_ros([], self._context)
        self._node = Node(
            f'sff_ros_driver_{os.getpid()}_{next(_numbers)}',
            context=self._context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name='ros_driver', daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            while not self._stopping.is_set():
                self._executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:  # the process is shutting down
            pass

    def publishers(self, topic: str) -> list[TopicEndpointInfo]:
        """Return the current publishers of a topic."""
        return list(self._node.get_publishers_info_by_topic(topic))

    def topics(self, kinds: tuple[str, ...]) -> list[str]:
        """Return the topics of these types."""
        found = self._node.get_topic_names_and_types()
        return sorted(topic for topic, types in found if set(kinds) & set(types))

    def client(self, kind: Any, service: str) -> Client[Any, Any]:
        """Return a client of a service, which may appear later."""
        return self._node.create_client(kind, service)

    def subscribe(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        """Subscribe to a topic; the callback runs in the link's thread.

        Reliable if every publisher offers that: best effort loses most large images between
        processes. Otherwise best effort, which matches all.
        """
        offers = [info.qos_profile.reliability for info in self.publishers(topic)]
        all_reliable = bool(offers) and all(o == ReliabilityPolicy.RELIABLE for o in offers)
        reliability = ReliabilityPolicy.RELIABLE if all_reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=5, reliability=reliability)
        self._node.create_subscription(kind, topic, callback, qos)

    def call(
        self,
        client: Client[Any, Any],
        request: Any,
        timeout_s: float,
        is_in_vain: Callable[[], bool] = lambda: False,
    ) -> Any:
        """Call a service and return its response; None if none arrived in time.

        Args:
            client: of the service.
            request: what to ask.
            timeout_s: longest wait.
            is_in_vain: asked while waiting; true ends the wait.
        """
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        end = time.monotonic() + timeout_s
        while not answered.wait(min(LOOK_S, max(end - time.monotonic(), 0.0))):
            if time.monotonic() >= end or is_in_vain():
                client.remove_pending_request(future)
                return None
        return future.result()

    def warn(self, text: str) -> None:
        """Log a warning."""
        self._node.get_logger().warning(text)

    def close(self) -> None:
        """Leave the graph; idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.shutdown()


def wait_for(look: Callable[[], T], timeout_s: float) -> T:
    """Poll until the result is true or the time is up; return the last result."""
    end = time.monotonic() + timeout_s
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(POLL_S)
    return seen
