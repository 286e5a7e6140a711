"""The three nodes together: slices in one end, metres and points out of the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2
from stack_files import DOME

from sff_ros.core.metrics import score
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.inference.choice import open_backend
from sff_ros.nodes import diagnostics
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import from_cloud, to_array, to_intrinsics

ALL = (DepthNode, InferenceNode, CaptureNode)
SCENE: dict[str, Any] = {
    'simulated.width': 160,
    'simulated.height': 120,
    'simulated.frame_rate': 60.0,
}
TOPICS = {
    'focus_map/image': (Image, '32FC1'),
    'focus_map/confidence': (Image, '32FC1'),
    'all_in_focus/image_rect_color': (Image, 'rgb8'),
    'all_in_focus/camera_info': (CameraInfo, ''),
    'depth/image_rect': (Image, '32FC1'),
    'depth/camera_info': (CameraInfo, ''),
    'depth/points': (PointCloud2, ''),
    'sim/depth/image_rect': (Image, '32FC1'),
}


@pytest.mark.parametrize('namespace', ['', 'arm'])
def test_every_output_of_a_sweep_has_one_stamp_and_frame(
    start: StartGraph, namespace: str
) -> None:
    settings = {**SCENE, 'frame_prefix': f'{namespace}_' if namespace else ''}
    graph = start(*ALL, namespace=namespace, capture_node=settings)
    out = {topic: graph.collect(kind, topic) for topic, (kind, _) in TOPICS.items()}
    wait(lambda: all(len(messages) >= 4 for messages in out.values()), 'four of each')
    by_stamp = {
        topic: {stamp_ns(m.header.stamp): m for m in messages} for topic, messages in out.items()
    }
    common = set.intersection(*(set(messages) for messages in by_stamp.values()))
    assert len(common) >= 2
    stamp = max(common)
    sweep = {topic: messages[stamp] for topic, messages in by_stamp.items()}
    frame = f'{settings["frame_prefix"]}sff_optical_frame'
    assert {m.header.frame_id for m in sweep.values()} == {frame}
    assert {(m.width, m.height) for m in sweep.values()} == {(160, 120)}
    for topic, (kind, encoding) in TOPICS.items():
        if kind is Image:
            assert sweep[topic].encoding == encoding
    depth, ground_truth = (to_array(sweep[f'{top}depth/image_rect']) for top in ('', 'sim/'))
    scores = score(depth, ground_truth, bad_threshold=0.05)
    assert scores.abs_rel < 0.04
    assert scores.valid_fraction > 0.7
    points, colours = from_cloud(sweep['depth/points'])
    np.testing.assert_array_equal(points[..., 2], np.where(np.isfinite(depth), depth, np.nan))
    np.testing.assert_array_equal(colours, to_array(sweep['all_in_focus/image_rect_color']))
    camera = to_intrinsics(sweep['depth/camera_info'])
    finite = np.isfinite(depth)
    columns = np.broadcast_to(np.arange(160), depth.shape)
    pixels = points[..., 0] / points[..., 2] * camera.fx + camera.cx
    np.testing.assert_allclose(pixels[finite], columns[finite], atol=1e-2)


def test_rates_and_latencies_are_told(start: StartGraph) -> None:
    graph = start(*ALL, capture_node=SCENE)
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: len(depth) >= 8, 'eight depth images')
    stamps = np.array([stamp_ns(m.header.stamp) for m in depth]) * 1e-9
    # 15 slices at 60 Hz: a sweep each 250 ms, or whole frames more on a busy machine. The middle
    # of a sweep may lie half a frame beside its grid.
    half_frames = np.diff(stamps) * 120
    assert half_frames.min() > 29.9
    assert half_frames == pytest.approx(np.round(half_frames), abs=0.01)
    assert facts(graph.status('capture_node', 'OK', lambda s: True))['camera'] == 'simulated'
    values = facts(graph.status('inference_node', 'OK', lambda s: s.message == 'OK'))
    assert 1 < float(values['last_slice_to_focus_map_ms_median']) < 10_000
    assert int(values['stack_sweeps']) >= 8
    assert values['backend'] == open_backend('auto').spec.name
    # Slices overrun where the machine is too busy to take them, and only there.
    lost, overrun = (int(values.get(n, 0)) for n in ('stack_dropped_sweeps', 'overrun_slices'))
    assert lost == 0 or overrun > 0
    values = facts(graph.status('depth_node', 'OK', lambda s: s.message == 'OK'))
    assert 0.7 < float(values['valid_fraction']) <= 1
    assert 0.01 < float(values['focus_map_to_depth_ms_median']) < 10_000


def test_depth_goes_on_although_frames_are_lost(start: StartGraph) -> None:
    settings = {**SCENE, 'simulated.drop_rate': 0.1}
    graph = start(*ALL, capture_node=settings, inference_node={'max_missing': 6})
    depth = graph.collect(Image, 'depth/image_rect')
    ground_truth = graph.collect(Image, 'sim/depth/image_rect')
    wait(lambda: len(depth) >= 6 and ground_truth, 'six depth images')
    assert graph.counts('inference_node', 'stack_incomplete', 2) >= 2
    errors = [score(to_array(d), to_array(ground_truth[0]), 0.05).abs_rel for d in depth]
    assert np.median(errors) < 0.06


def test_a_sweep_may_be_changed_while_it_runs(start: StartGraph) -> None:
    graph = start(*ALL, capture_node=SCENE)
    depth, focus = (
        graph.collect(Image, 'depth/image_rect'),
        graph.collect(JointState, 'stack/focus'),
    )
    wait(lambda: depth, 'a depth image')
    assert graph.set('capture_node', 'sweep.num_slices', 9).successful
    assert graph.set('capture_node', 'sweep.direction', 'down').successful
    wait(lambda: focus[-1].position[2] == 9, 'a slice of nine')
    depth.clear()
    wait(lambda: len(depth) >= 3, 'depth of the new sweep')
    assert 0.3 < np.nanmedian(to_array(depth[-1])) < 0.8
    newest = [m.position for m in focus if m.position[3] == focus[-1].position[3] - 1]
    assert (np.diff([place[0] for place in newest]) < 0).all()


def test_a_folder_of_real_pictures_without_focus(start: StartGraph) -> None:
    settings = {'camera': 'folder', 'folder.path': str(DOME), 'folder.frame_rate': 60.0}
    graph = start(*ALL, capture_node=settings)
    position = graph.collect(Image, 'focus_map/slice_position')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: len(position) >= 2, 'slice positions')
    graph.says('inference_node', 'focus distances unknown: no focus_map/image')
    values = to_array(position[-1])
    assert 0 <= values.min() < 3 < 8 < values.max() <= 11  # a dome: sharp near and far
    assert not depth


def test_the_default_diagnostics_come_once_a_second(
    start: StartGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, '_PERIOD_S', 1.0)
    graph = start(DepthNode)
    arrays = graph.collect(DiagnosticArray, '/diagnostics')
    wait(lambda: len(arrays) >= 2, 'two reports')
    assert [timer.timer_period_ns for timer in graph.nodes[0].timers] == [10**9]
    assert [s.name for a in arrays for s in a.status] == ['depth_node: status'] * len(arrays)
