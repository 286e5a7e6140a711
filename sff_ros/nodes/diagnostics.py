"""The /diagnostics messages of a node, once a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from sff_ros.nodes.statistics import Statistics

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_PERIOD_S = 1.0
_LONGEST = 500  # of a message: what it quotes may be of any length


def text_of(err: Exception) -> str:
    """Return what an error says, or what it is; a long message without its middle."""
    text = str(err) or type(err).__name__
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f'{text[:half]} ... {text[-half:]}'


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
        self._last_ns = node.get_clock().now().nanoseconds
        # The absolute name is the convention that aggregators and monitors subscribe to.
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(_PERIOD_S, self._publish)

    def _publish(self) -> None:
        now = self._node.get_clock().now()
        interval = max((now.nanoseconds - self._last_ns) * 1e-9, 1e-3)
        self._last_ns = now.nanoseconds
        report = Report(values=self.statistics.values(interval))
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
        message.header.stamp = now.to_msg()
        self._publisher.publish(message)
