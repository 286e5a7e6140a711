"""The /diagnostics messages of a node, once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.node import Node

from sff_ros.errors import SffError, shortened
from sff_ros.nodes.statistics import Statistics

try:
    from rclpy.clock_type import ClockType
except ImportError:  # ROS 2 Humble
    from rclpy.clock import ClockType  # type: ignore[attr-defined,no-redef]

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_PERIOD_S = 1.0


def text_of(err: Exception) -> str:
    """Return what an error says, or what it is, on one line of limited length."""
    if isinstance(err, SffError):  # which is one, and quotes by `quoted`
        return str(err)
    return shortened(str(err) or type(err).__name__)


@dataclass(slots=True)
class Report:
    """The current status of a node.

    Attributes:
        level: the worst so far.
        messages: the problems; empty if there are none.
        values: key-value pairs of the status.
    """

    level: bytes = OK
    messages: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def add(self, level: bytes, message: str) -> None:
        """Add a problem."""
        self.level = max(self.level, level)
        self.messages.append(message)


class Diagnostics:
    """Publishes a node's report on /diagnostics at 1 Hz, in every lifecycle state."""

    def __init__(self, node: Node, hardware_id: str, report: Callable[[Report], None]) -> None:
        self.statistics = Statistics()
        self.hardware_id = hardware_id
        self._node = node
        self._report = report
        self._last_s = time.monotonic()
        # The absolute name is the convention that aggregators and monitors subscribe to.
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Not ROS time, which under use_sim_time may stand still, hurry and jump.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_PERIOD_S, self._publish, clock=steady)

    def _publish(self) -> None:
        now = time.monotonic()
        report = Report(values=self.statistics.values(max(now - self._last_s, 1e-3)))
        self._last_s = now
        if self.statistics.warning:
            report.add(WARN, self.statistics.warning)
        self._report(report)
        status = DiagnosticStatus(
            level=report.level,
            name=f'{self._node.get_fully_qualified_name().lstrip("/")}: status',
            message='; '.join(report.messages) or 'OK',
            hardware_id=self.hardware_id,
        )
        status.values = [KeyValue(key=k, value=v) for k, v in report.values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
