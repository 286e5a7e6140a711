"""What a program that watches the camera counts as lost."""

from __future__ import annotations

import pytest
from simulated_time import SimulatedTime

from sff_ros.nodes import observer
from sff_ros.nodes.observer import Seen


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
