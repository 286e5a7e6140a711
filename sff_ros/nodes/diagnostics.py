"""What a node says of itself on /diagnostics, once a second."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_PERIOD_S = 1.0
_WINDOW = 200  # samples a latency is judged by
_REMEMBER_S = 5.0  # how long a passing trouble is shown


class Statistics:
    """Counts, rates and latencies of one node; any thread may add to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._latencies: dict[str, deque[float]] = {}
        self._trouble = ''
        self._trouble_at = 0.0

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += by

    def latency(self, name: str, seconds: float) -> None:
        """Note how long something took, s."""
        with self._lock:
            self._latencies.setdefault(name, deque(maxlen=_WINDOW)).append(seconds)

    def complain(self, trouble: str) -> None:
        """Note a passing trouble; diagnostics show it for a few seconds."""
        with self._lock:
            self._trouble, self._trouble_at = trouble, time.monotonic()

    @property
    def trouble(self) -> str:
        """The newest trouble of the last seconds; empty where there was none."""
        with self._lock:
            recent = time.monotonic() - self._trouble_at < _REMEMBER_S
            return self._trouble if recent else ''

    def values(self, interval_s: float) -> dict[str, str]:
        """Return totals, rates since the last call, and medians and 95th percentiles."""
        with self._lock:
            said = {name: str(total) for name, total in self._counts.items()}
            for name, total in self._counts.items():
                said[f'{name}_hz'] = f'{(total - self._before[name]) / interval_s:.2f}'
            self._before = Counter(self._counts)
            for name, seconds in self._latencies.items():
                median, p95 = np.percentile(np.array(seconds) * 1e3, (50, 95))
                said[f'{name}_ms_median'] = f'{median:.1f}'
                said[f'{name}_ms_p95'] = f'{p95:.1f}'
        return said


@dataclass(slots=True)
class Report:
    """What a node has to say now: the worst thing first.

    Attributes:
        level: the worst so far.
        messages: what is wrong; empty where all is well.
        values: facts.
    """

    level: bytes = OK
    messages: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def add(self, level: bytes, message: str) -> None:
        """Say that something is wrong."""
        self.level = max(self.level, level)
        self.messages.append(message)


class Diagnostics:
    """Publishes a node's report on /diagnostics at 1 Hz, in every state of its life."""

    def __init__(self, node: Node, hardware_id: str, report: Callable[[Report], None]) -> None:
        self.statistics = Statistics()
        self.hardware_id = hardware_id
        self._node = node
        self._report = report
        self._last_ns = node.get_clock().now().nanoseconds
        # The absolute name is the convention that every aggregator and monitor listens to.
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(_PERIOD_S, self._publish)

    def _publish(self) -> None:
        now = self._node.get_clock().now()
        interval = max((now.nanoseconds - self._last_ns) * 1e-9, 1e-3)
        self._last_ns = now.nanoseconds
        report = Report(values=self.statistics.values(interval))
        if self.statistics.trouble:
            report.add(WARN, self.statistics.trouble)
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
