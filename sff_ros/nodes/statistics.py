"""Counts, rates and latencies of a node."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

import numpy as np

_WINDOW = 200  # latest samples of a latency that are evaluated
_REMEMBER_S = 5.0  # how long a transient warning is shown


class Statistics:
    """Counts, rates and latencies of one node; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._latencies: dict[str, deque[float]] = {}
        self._warning = ''
        self._warned_at = 0.0

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += by

    def latency(self, name: str, seconds: float) -> None:
        """Record a duration, s."""
        with self._lock:
            self._latencies.setdefault(name, deque(maxlen=_WINDOW)).append(seconds)

    def warn(self, warning: str) -> None:
        """Record a transient warning; diagnostics show it for a few seconds."""
        with self._lock:
            self._warning, self._warned_at = warning, time.monotonic()

    @property
    def warning(self) -> str:
        """The latest warning of the last seconds; empty if there was none."""
        with self._lock:
            recent = time.monotonic() - self._warned_at < _REMEMBER_S
            return self._warning if recent else ''

    def values(self, interval_s: float) -> dict[str, str]:
        """Return totals, rates, and medians and 95th percentiles of latencies.

        Args:
            interval_s: time since the last call, over which rates are computed, s.
        """
        with self._lock:
            values = {name: str(total) for name, total in self._counts.items()}
            for name, total in self._counts.items():
                values[f'{name}_hz'] = f'{(total - self._before[name]) / interval_s:.2f}'
            self._before = Counter(self._counts)
            for name, seconds in self._latencies.items():
                median, p95 = np.percentile(np.array(seconds) * 1e3, (50, 95))
                values[f'{name}_ms_median'] = f'{median:.1f}'
                values[f'{name}_ms_p95'] = f'{p95:.1f}'
        return values
