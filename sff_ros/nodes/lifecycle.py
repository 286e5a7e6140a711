"""What the three lifecycle nodes do alike: guarded transitions, autostart, one way to run."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions

from sff_ros.errors import ConfigError, SffError

# Best effort loses most large pictures between Python processes; reliable loses none
# (docs/design.md, "The wire").
QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

NodeT = TypeVar('NodeT', bound=LifecycleNode)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def transition(step: Callable[[NodeT], None]) -> Transition[NodeT]:
    """Make a lifecycle callback of a plain method.

    rclpy swallows what a callback raises; here it is logged, and the transition fails, so that
    the node stays in the state it was in and can be asked again.
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


def offer(node: LifecycleNode, topics: Mapping[str, type]) -> dict[str, Publisher[Any]]:
    """Create the publishers of a node, by topic.

    Raises:
        ConfigError: a qos_overrides parameter is not allowed; then there are none.
    """
    overridable = QoSOverridingOptions.with_default_policies()
    publishers: dict[str, Publisher[Any]] = {}
    try:
        for topic, kind in topics.items():
            publishers[topic] = node.create_publisher(
                kind, topic, QOS, qos_overriding_options=overridable
            )
    except RuntimeError as err:
        withdraw(node, publishers)
        raise ConfigError(f'qos_overrides of {topic}: {err}') from err
    return publishers


def withdraw(node: LifecycleNode, publishers: dict[str, Publisher[Any]]) -> None:
    """Destroy what `offer` created, and empty the dict."""
    for publisher in publishers.values():
        node.destroy_publisher(publisher)
    publishers.clear()


def autostart(node: LifecycleNode) -> bool:
    """Configure and activate a new node; false where it could not (the reason is logged)."""
    return all(
        step() == TransitionCallbackReturn.SUCCESS
        for step in (node.trigger_configure, node.trigger_activate)
    )


def run(makers: Sequence[Callable[[], LifecycleNode]], args: list[str] | None = None) -> int:
    """Run nodes in one process until SIGINT or SIGTERM.

    Returns:
        Exit code: 1 where a node refused its parameters or could not start.
    """
    stop = threading.Event()
    # Our own handlers: a second Ctrl-C while nodes are being taken down only sets a flag again.
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as err:  # arguments or a parameter file that ROS cannot read
        rclpy.logging.get_logger('sff_ros').fatal(f'{type(err).__name__}: {err}')
        return 1
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
            with contextlib.suppress(RuntimeError):  # shut down already, by a service call
                node.trigger_shutdown()
            node.destroy_node()
        rclpy.shutdown()


def spin_once(executor: Executor) -> None:
    """Run what is due, or wait a little for it."""
    try:
        executor.spin_once(timeout_sec=0.1)
    except RuntimeError as err:
        if not executor.context.ok():
            raise
        # Before Kilted a transition that the state does not allow raises this in the executor.
        rclpy.logging.get_logger('sff_ros').error(str(err))


def _start(
    makers: Sequence[Callable[[], LifecycleNode]],
    nodes: list[LifecycleNode],
    stop: threading.Event,
) -> bool:
    """Make the nodes and start those that start by themselves; false where one cannot."""
    for make in makers:
        if stop.is_set():
            return True
        try:
            nodes.append(make())
        except SffError as err:
            rclpy.logging.get_logger(make.__name__).fatal(str(err))
            return False
    return all(autostart(node) for node in nodes if node.get_parameter('autostart').value)


def main(*makers: Callable[[], LifecycleNode]) -> None:
    """Run nodes as a program."""
    code = run(makers)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python puts back the system's handlers as it ends, but leaves what is ignored.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
