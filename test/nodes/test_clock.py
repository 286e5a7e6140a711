"""Diagnostics run on the steady clock, whatever ROS time does."""

from __future__ import annotations

from typing import Any

import pytest
from builtin_interfaces.msg import Time
from live_graph import StartGraph, facts
from rosgraph_msgs.msg import Clock

from sff_ros.nodes.capture_node import CaptureNode

SIMULATED: dict[str, Any] = {
    'simulated.width': 96,
    'simulated.height': 64,
    'simulated.frame_rate': 200.0,
    'sweep.num_slices': 5,
    'use_sim_time': True,
}
FASTEST_HZ = 2000.0  # ten times the frame rate of the camera: no busy machine gets there


@pytest.mark.parametrize('clock', [(), (0, 10**6, 5)])
def test_diagnostics_come_and_rates_are_real_whatever_simulated_time_does(
    clock: tuple[int, ...], start: StartGraph
) -> None:
    graph = start(CaptureNode, capture_node=SIMULATED)
    if clock:
        publish = graph.publish(Clock, '/clock', 10)
        for seconds in clock:
            publish(Clock(clock=Time(sec=seconds)))
    for _ in range(3):
        said = graph.status('capture_node', 'a rate', lambda s: 'slices_hz' in facts(s))
        assert 0 <= float(facts(said)['slices_hz']) < FASTEST_HZ
    graph.counts('capture_node', 'sweeps', 3)
