"""What capture_node makes of a lens that takes codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import CONFIGURE, Graph, StartGraph, facts, wait
from sensor_msgs.msg import Image, JointState
from simulated_lens_time import simulate
from std_srvs.srv import Trigger

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.files.lens_yaml import write_lens
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.messages import to_array

LENS: dict[str, Any] = {
    'simulated.width': 96, 'simulated.height': 64, 'simulated.pitch_um': 46.0,
    'simulated.fnumber': 0.8, 'simulated.codes': 1023, 'simulated.bend': 0.0,
    'simulated.frame_rate': 100.0, 'sweep.num_slices': 5,
}  # fmt: skip
KNOWN = LensCalibration(
    LensTable((0.0, 1023.0), (1.0417, 3.5417)),
    Intrinsics(96, 64, 180.0, 180.0, 47.5, 31.5),
    settle_s=0.01,
    lag_s=0.01,
    residual_dpt=0.004,
    device='simulated lens 0',
)


def written(folder: Path, known: LensCalibration) -> str:
    write_lens(folder / 'lens.yaml', known)
    return str(folder / 'lens.yaml')


def focus_of(graph: Graph, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the first `count` positions of stack/focus: focus, slice, slices, sweep."""
    messages = graph.collect(JointState, 'stack/focus')
    wait(lambda: len(messages) >= count, 'slices')
    return np.array([message.position for message in messages[:count]])


def test_a_lens_without_a_calibration_is_swept_in_codes(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node={**LENS, 'lens.settle_s': 0.01})
    status = graph.says('capture_node', 'focus distances unknown: slice positions only')
    assert facts(status)['lens'] == 'uncalibrated'
    assert np.isnan(focus_of(graph, 10)[:, 0]).all()


def test_ground_truth_is_published_for_a_lens_that_takes_codes(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node={**LENS, 'lens.settle_s': 0.01})
    depths = graph.collect(Image, 'sim/depth/image_rect')
    wait(lambda: depths, 'ground truth')
    depth_m = to_array(depths[0])
    assert depth_m.shape == (64, 96)
    assert 0.29 < depth_m.min() < 0.45 < 0.6 < depth_m.max() < 0.81


@pytest.mark.parametrize(
    ('residual_dpt', 'expected'),
    [(0.004, 'calibrated'), (None, 'approximate'), (0.2, 'approximate')],
)
def test_the_status_is_reported_and_metres_follow(
    start: StartGraph, tmp_path: Path, residual_dpt: float | None, expected: str
) -> None:
    file = written(tmp_path, replace(KNOWN, residual_dpt=residual_dpt))
    graph = start(CaptureNode, capture_node={**LENS, 'lens.file': file})
    said = 'OK' if expected == 'calibrated' else 'lens approximate: metres are based on'
    status = graph.status('capture_node', said, lambda s: said in s.message)
    assert facts(status)['lens'] == expected
    # The nearest of 1023 codes, each visited more than once.
    focus = np.unique(np.round(focus_of(graph, 12)[:, 0], 4))
    assert focus == pytest.approx(np.linspace(1.0417, 3.5417, 5), abs=0.002)


def test_a_moving_lens_gives_a_slice_a_frame(
    start: StartGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(monkeypatch)
    settings = {**LENS, 'lens.file': written(tmp_path, KNOWN), 'sweep.mode': 'continuous'}
    settings |= {'sweep.num_slices': 15, 'mode': 'triggered'}
    graph = start(CaptureNode, capture_node=settings)
    images = graph.collect(Image, 'stack/image')
    messages = graph.collect(JointState, 'stack/focus')
    for sweep in range(4):
        asked = graph.call(Trigger, 'capture_node/trigger', Trigger.Request())
        assert asked.success
        wait(lambda: len(images) == len(messages) == 15 * (sweep + 1), 'slices')  # noqa: B023
    places = np.array([message.position for message in messages])
    assert places[:, 1].tolist() == [*range(15)] * 4
    for sweep in range(4):
        steps = np.diff(places[places[:, 3] == sweep, 0])
        assert (steps > 0).all() if sweep % 2 == 0 else (steps < 0).all()
        assert np.abs(steps).sum() > 2.3  # of 2.5: the lens sets out, and arrives late
    stamps = [stamp_ns(image.header.stamp) for image in images]
    for sweep in range(4):
        assert np.diff(stamps[15 * sweep : 15 * sweep + 15]).tolist() == [10_000_000] * 14


def test_continuous_sweeps_can_be_switched_on_while_it_runs(
    start: StartGraph, tmp_path: Path
) -> None:
    known = written(tmp_path, replace(KNOWN, lag_s=None))
    graph = start(CaptureNode, capture_node={**LENS, 'lens.file': known})
    focus_of(graph, 5)
    assert graph.set('capture_node', 'sweep.mode', 'continuous').successful
    graph.says('capture_node', 'the lag of this lens was not measured')
    assert graph.set('capture_node', 'sweep.mode', 'step').successful
    focus_of(graph, 5)


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'device': 'another'}, False),
        ({'intrinsics': Intrinsics(640, 480)}, False),
        ({}, True),
    ],
)
def test_the_calibration_of_another_camera_keeps_the_node_unconfigured(
    start: StartGraph, tmp_path: Path, changes: dict[str, Any], found: bool
) -> None:
    file = written(tmp_path, replace(KNOWN, **changes))
    graph = start(CaptureNode, capture_node={**LENS, 'lens.file': file})
    assert graph.started == [found]
    if not found:
        assert graph.state('capture_node') == 'unconfigured'
        write_lens(tmp_path / 'lens.yaml', KNOWN)
        assert graph.change_state('capture_node', CONFIGURE)
