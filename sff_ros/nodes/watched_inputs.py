"""Detect missing inputs and, from the ROS graph, the reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from sff_ros.nodes.diagnostics import WARN, Report
from sff_ros.nodes.lifecycle import qos_overrides

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

MessageT = TypeVar('MessageT')


class WatchedInputs:
    """Subscriptions that are monitored for missing messages."""

    def __init__(self, node: Node, qos: QoSProfile) -> None:
        self._node = node
        self._qos = qos
        self._subscriptions: dict[str, Subscription[Any]] = {}
        self._heard: dict[str, float] = {}
        self._misfits: dict[str, str] = {}

    def subscribe(
        self, kind: type[MessageT], topic: str, callback: Callable[[MessageT], None]
    ) -> None:
        """Subscribe and record the time of the last message.

        Raises:
            ConfigError: a qos_overrides parameter is not allowed.
        """

        def heard(message: MessageT) -> None:
            self._heard[topic] = time.monotonic()
            callback(message)

        def misfit(event: Any) -> None:
            self._misfits[topic] = qos_policy_name_from_kind(event.last_policy_kind)
            self._node.get_logger().warning(self._about(topic))

        with qos_overrides(topic):
            self._subscriptions[topic] = self._node.create_subscription(
                kind,
                topic,
                heard,
                self._qos,
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=misfit),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        self._heard[topic] = time.monotonic()

    def unsubscribe(self, topic: str) -> None:
        """Unsubscribe from a topic that is no longer wanted; idempotent."""
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            self._node.destroy_subscription(subscription)
        self._heard.pop(topic, None)
        self._misfits.pop(topic, None)

    def __contains__(self, topic: str) -> bool:
        return topic in self._subscriptions

    def report(self, report: Report, patience_s: float) -> None:
        """Report inputs without a message for longer than `patience_s`."""
        now = time.monotonic()
        for topic, heard in self._heard.items():
            if now - heard > patience_s:
                report.add(WARN, f'{self._about(topic)} for {now - heard:.0f} s')

    def close(self) -> None:
        """Unsubscribe from everything."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._heard.clear()
        self._misfits.clear()

    def _about(self, topic: str) -> str:
        name = self._subscriptions[topic].topic_name
        publishers = self._node.count_publishers(name)
        if publishers == 0:
            self._misfits.pop(topic, None)
            return f'no publisher of {name}'
        if topic in self._misfits:
            return f'a publisher of {name} has incompatible QoS ({self._misfits[topic]})'
        return f'no message on {name} (publishers: {publishers})'
