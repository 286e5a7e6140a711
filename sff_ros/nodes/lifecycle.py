"""Common to the three lifecycle nodes: guarded transitions, autostart, main loop."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from sff_ros.errors import ConfigError, MiddlewareError, SffError, shortened
from sff_ros.middleware.start import start_ros

# Best effort drops most large images between Python processes; reliable drops none
# (docs/design.md, "The wire").
QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

NodeT = TypeVar('NodeT', bound=LifecycleNode)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def transition(step: Callable[[NodeT], None]) -> Transition[NodeT]:
    """Turn a method into a lifecycle callback.

    rclpy discards exceptions of a callback; here they are logged and the transition fails, so
    that the node keeps its state and the transition can be retried.
    """

    @functools.wraps(step)
    def guarded(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            step(node)
        except SffError as err:
            node.get_logger().error(str(err))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    return guarded


class ManagedNode(LifecycleNode, ABC):
    """A lifecycle node with one way to stop and one way to give back what it took.

    Subclasses write on_configure, decorated with `transition`.
    """

    @abstractmethod
    def start(self) -> None:
        """Begin to work; where this raises, `stop` is called."""

    @abstractmethod
    def stop(self) -> None:
        """Undo start; idempotent, in any state."""

    @abstractmethod
    def release(self) -> None:
        """Undo on_configure; idempotent, in any state."""

    @transition
    def on_activate(self) -> None:
        """Start, or leave nothing behind."""
        try:
            self.start()
        except Exception:
            self.stop()
            raise

    @transition
    def on_deactivate(self) -> None:
        """Stop."""
        self.stop()

    @transition
    def on_cleanup(self) -> None:
        """Release all resources."""
        self.release()

    @transition
    def on_shutdown(self) -> None:
        """Stop and release all resources, in any state."""
        self.stop()
        self.release()


def offer(node: LifecycleNode, topics: Mapping[str, type]) -> dict[str, Publisher[Any]]:
    """Create the publishers of a node, by topic.

    Raises:
        ConfigError: a qos_overrides parameter is not allowed; then no publisher is left.
    """
    overridable = QoSOverridingOptions.with_default_policies()
    publishers: dict[str, Publisher[Any]] = {}
    try:
        for topic, kind in topics.items():
            with qos_overrides(topic):
                publishers[topic] = node.create_publisher(
                    kind, topic, QOS, qos_overriding_options=overridable
                )
    except ConfigError:
        withdraw(node, publishers)
        raise
    return publishers


@contextlib.contextmanager
def qos_overrides(topic: str) -> Iterator[None]:
    """Turn what rclpy raises of a topic's qos_overrides into a ConfigError."""
    try:
        yield
    except (RuntimeError, AssertionError, ParameterException) as err:
        reason = shortened(str(err)) or 'wrong type'
        raise ConfigError(f'qos_overrides of {topic}: {reason}') from err


def withdraw(node: LifecycleNode, publishers: dict[str, Publisher[Any]]) -> None:
    """Destroy the publishers that `offer` created, and empty the dict."""
    for publisher in publishers.values():
        node.destroy_publisher(publisher)
    publishers.clear()


def autostart(node: LifecycleNode) -> bool:
    """Configure and activate a new node; false on failure (the reason is logged)."""
    for step in (node.trigger_configure, node.trigger_activate):
        if step() != TransitionCallbackReturn.SUCCESS:
            return False
    node.get_logger().info('active')
    return True


def run(makers: Sequence[Callable[[], LifecycleNode]], args: list[str] | None = None) -> int:
    """Run nodes in one process until SIGINT or SIGTERM.

    Returns:
        Exit code: 1 if a node rejected its parameters or could not start.
    """
    stop = threading.Event()
    try:
        start_ros(args)
    except MiddlewareError as err:
        rclpy.logging.get_logger('sff_ros').fatal(str(err))
        return 1
    # Our own handlers, so that a second Ctrl-C during shutdown has no effect.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    executor = SingleThreadedExecutor()
    nodes: list[LifecycleNode] = []
    try:
        if not _start(makers, nodes, stop):
            return 1
        for node in nodes:
            executor.add_node(node)
        while not stop.is_set():
            spin_once(executor)
        return 0
    finally:
        executor.shutdown()
        for node in nodes:
            with contextlib.suppress(RuntimeError):  # already shut down by a service call
                node.trigger_shutdown()
            node.destroy_node()
        rclpy.shutdown()


def spin_once(executor: Executor) -> None:
    """Run one callback, waiting up to 0.1 s."""
    try:
        executor.spin_once(timeout_sec=0.1)
    except RuntimeError as err:
        if not executor.context.ok():
            raise
        # Before Kilted, an invalid transition raises this in the executor.
        rclpy.logging.get_logger('sff_ros').error(str(err))


def _start(
    makers: Sequence[Callable[[], LifecycleNode]],
    nodes: list[LifecycleNode],
    stop: threading.Event,
) -> bool:
    """Create the nodes and start those with autostart; false if one fails."""
    for make in makers:
        if stop.is_set():
            return True
        try:
            nodes.append(make())
        except (SffError, ParameterException) as err:  # also of use_sim_time, which is rclpy's
            rclpy.logging.get_logger(make.__name__).fatal(str(err))
            return False
    return all(autostart(node) for node in nodes if node.get_parameter('autostart').value)


def main(*makers: Callable[[], LifecycleNode]) -> None:
    """Run nodes as a program."""
    code = run(makers)
    for number in (signal.SIGINT, signal.SIGTERM):
        # At exit Python restores default handlers, except for ignored signals.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
