"""What a program that watches the camera counts as lost."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rclpy
from sensor_msgs.msg import Image, JointState
from simulated_time import SimulatedTime
from std_msgs.msg import Header

from sff_ros.nodes import observer
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.observer import Observer, Seen


def test_a_sweep_is_lost_once_its_result_is_overdue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = SimulatedTime()
    monkeypatch.setattr(observer, 'time', time)
    seen = Seen()
    for stamp in (10, 20, 30, 40):
        seen.started[stamp] = time.monotonic()
        time.sleep(0.5)
    assert seen.lost_sweeps() == 0  # none came out: the nodes are still finding each other
    seen.results += [20, 40]
    assert seen.lost_sweeps() == 0  # 30 ended 1 s ago
    time.sleep(0.9)
    assert seen.lost_sweeps() == 0
    time.sleep(0.2)
    assert seen.lost_sweeps() == 1
    seen.results.append(30)
    assert seen.lost_sweeps() == 0


@pytest.mark.parametrize(('values', 'count'), [({}, 0), ({'stack_missing_slices': '7'}, 7)])
def test_dropped_slices_are_those_that_inference_missed(
    values: dict[str, str], count: int
) -> None:
    seen = Seen(
        diagnostics={'inference_node': values, 'depth_node': {'stack_missing_slices': '9'}}
    )
    assert seen.dropped_slices() == count


def test_what_is_known_of_the_lens_beside_its_focus_does_not_matter() -> None:
    seen = Seen()
    rclpy.init()
    try:
        watching = Observer(seen)
        for index in range(3):
            focus = JointState(header=Header(stamp=stamp_of(1_000 + index)))
            focus.name = ['focus', 'slice', 'slices', 'sweep', 'field', 'residual']
            focus.position = [1.0 + index, float(index), 3.0, 0.0, 0.5, 0.01]
            watching._on_focus(focus)
        watching.destroy_node()
    finally:
        rclpy.shutdown()
    assert list(seen.started) == [1_001]


def test_malformed_messages_are_ignored() -> None:
    seen = Seen()
    rclpy.init()
    try:
        watching = Observer(seen)
        heard: dict[str, Any] = {s.topic_name: s.callback for s in watching.subscriptions}
        for sweep in range(2):
            for index in range(3):
                header = Header(stamp=stamp_of(1_000 * sweep + index))
                heard['/stack/image'](Image(header=header, encoding='jpeg'))
                focus = JointState(header=header, name=['focus', 'slice', 'slices', 'sweep'])
                focus.position = [1.0 + index, float(index), 3.0, float(sweep)]
                heard['/stack/focus'](focus)
            for malformed in ([], [math.nan] * 4, [1.0, math.inf, 3.0, 0.0]):
                focus.position = malformed
                heard['/stack/focus'](focus)
        watching.destroy_node()
    finally:
        rclpy.shutdown()
    assert list(seen.started) == [1, 1_001]
    assert not seen.slices
