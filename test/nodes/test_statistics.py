"""Counters become totals and rates, latencies percentiles, and warnings expire."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sff_ros.nodes import statistics
from sff_ros.nodes.statistics import Statistics


def test_rates_are_over_the_time_since_the_last_call() -> None:
    counted = Statistics()
    counted.count('sweeps')
    counted.count('slices', by=15)
    assert counted.values(2.0) == {
        'sweeps': '1',
        'slices': '15',
        'sweeps_hz': '0.50',
        'slices_hz': '7.50',
    }
    counted.count('slices', by=3)
    again = counted.values(0.5)
    assert (again['slices'], again['slices_hz'], again['sweeps_hz']) == ('18', '6.00', '0.00')


def test_latencies_are_percentiles_of_the_latest_200() -> None:
    timed = Statistics()
    for seconds in (9.0, *(0.002 * n for n in range(200))):  # the first one is dropped
        timed.latency('depth', seconds)
    assert timed.values(1.0) == {'depth_ms_median': '199.0', 'depth_ms_p95': '378.1'}


def test_a_warning_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(statistics, 'time', SimpleNamespace(monotonic=lambda: now[0]))
    warned = Statistics()
    assert warned.warning == ''
    warned.warn('a sweep was lost')
    now[0] += 4.9
    assert warned.warning == 'a sweep was lost'
    now[0] += 0.2
    assert warned.warning == ''
