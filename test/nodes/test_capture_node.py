"""What capture_node publishes, saves and refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import CLEANUP, CONFIGURE, DEACTIVATE, Graph, StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState
from stack_files import DOME, make_folder
from std_srvs.srv import Trigger

from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.files.stack import read_stack
from sff_ros.files.unfinished import new_folder
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.messages import to_array

SMALL = {
    'simulated.width': 96,
    'simulated.height': 64,
    'simulated.frame_rate': 200.0,
    'sweep.num_slices': 5,
}
TRIGGERED = {**SMALL, 'mode': 'triggered'}
STACK = ('stack/image', 'stack/camera_info', 'stack/focus')


def trigger(graph: Graph, service: str = 'trigger') -> Trigger.Response:
    return graph.call(Trigger, f'capture_node/{service}', Trigger.Request())


def stack(graph: Graph) -> tuple[list[Image], list[CameraInfo], list[JointState]]:
    return (
        graph.collect(Image, 'stack/image'),
        graph.collect(CameraInfo, 'stack/camera_info'),
        graph.collect(JointState, 'stack/focus'),
    )


def subscribed(graph: Graph) -> None:
    node = graph.nodes[0]
    wait(lambda: all(map(node.count_subscribers, STACK)), 'subscribers')


def one_sweep(graph: Graph) -> tuple[list[Image], list[CameraInfo], list[JointState]]:
    images, infos, focus = stack(graph)
    subscribed(graph)
    assert trigger(graph).success
    wait(lambda: len(images) == len(infos) == len(focus) == 5, 'five slices')
    return images, infos, focus


def test_a_sweep_on_the_wire(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node=TRIGGERED)
    images, infos, focus = one_sweep(graph)
    stamps = [stamp_ns(m.header.stamp) for m in images]
    assert [stamp_ns(m.header.stamp) for m in infos] == stamps
    assert [stamp_ns(m.header.stamp) for m in focus] == stamps
    # A frame each 5 ms, stamped in the middle of its exposure.
    steps = np.diff(stamps)
    assert (steps > 0).all()
    assert (steps % 5_000_000 == 0).all()
    assert {m.header.frame_id for m in (*images, *infos, *focus)} == {'sff_optical_frame'}
    assert {(m.encoding, m.width, m.height, m.step) for m in images} == {('rgb8', 96, 64, 288)}
    assert {m.k[0] for m in infos} == {infos[0].k[0]} != {0.0}
    assert {(m.width, m.height) for m in infos} == {(96, 64)}
    assert {tuple(m.name) for m in focus} == {('focus', 'slice', 'slices', 'sweep')}
    places = np.array([m.position for m in focus])
    np.testing.assert_array_equal(places[:, 1:], [[i, 5, 0] for i in range(5)])
    np.testing.assert_allclose(np.diff(places[:, 0]), np.diff(places[:2, 0])[0], rtol=1e-6)


def test_true_depth_has_the_stamp_of_the_middle_of_the_sweep(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node=TRIGGERED)
    ground_truth = graph.collect(Image, 'sim/depth/image_rect')
    info = graph.collect(CameraInfo, 'sim/depth/camera_info')
    images, _, _ = one_sweep(graph)
    wait(lambda: ground_truth and info, 'the ground truth')
    ends = [stamp_ns(images[i].header.stamp) for i in (0, -1)]
    assert stamp_ns(ground_truth[0].header.stamp) == sum(ends) // 2
    assert ground_truth[0].header == info[0].header
    depth = to_array(ground_truth[0])
    assert ground_truth[0].encoding == '32FC1'
    assert 0.29 < depth.min() < depth.max() < 0.81


def test_frame_names_have_the_prefix(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node={**SMALL, 'frame_prefix': 'arm_'})
    images, _, _ = stack(graph)
    wait(lambda: images, 'a slice')
    assert images[0].header.frame_id == 'arm_sff_optical_frame'


def test_triggers_are_refused_with_a_reason(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node=SMALL)
    refused = trigger(graph)
    assert (refused.success, refused.message) == (
        False,
        "mode is 'continuous': set it to 'triggered' first",
    )
    assert graph.set('capture_node', 'mode', 'triggered').successful
    assert trigger(graph).success
    assert graph.change_state('capture_node', DEACTIVATE)
    refused = trigger(graph)
    assert (refused.success, refused.message) == (
        False,
        'not active: activate the node first',
    )


def test_a_trigger_of_an_impossible_sweep_is_refused_until_it_is_possible(
    start: StartGraph,
) -> None:
    settings = {'camera': 'folder', 'folder.path': str(DOME), 'mode': 'triggered'}
    graph = start(CaptureNode, capture_node=settings)
    assert graph.set('capture_node', 'sweep.mode', 'continuous').successful
    trigger(graph)
    graph.says('capture_node', 'which this camera cannot do')
    refused = trigger(graph)
    assert not refused.success
    assert 'which this camera cannot do' in refused.message
    assert graph.set('capture_node', 'sweep.mode', 'step').successful
    graph.status('capture_node', 'step', lambda s: 'cannot do' not in s.message)
    assert trigger(graph).success


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('sweep.near_m', 0.6, 'sweep.near_m (0.6 m) must be less than sweep.far_m (0.5 m)'),
        ('sweep.near_m', 0.1, 'goes from 2.000 to 10.000 dpt, the lens reaches'),
        ('sweep.positions_dpt', [1.0, 2.0], 'a sweep has 3 .. 100 positions, not 2'),
        ('sweep.positions_dpt', [1.0, 2.0, 3.0], 'replaces sweep.near_m and far_m: give only one'),
    ],
)
def test_a_sweep_that_configure_refuses_is_refused_live(
    start: StartGraph, name: str, value: Any, reason: str
) -> None:
    far_m = 0.0 if value == [1.0, 2.0] else 0.5
    graph = start(CaptureNode, capture_node={**TRIGGERED, 'sweep.far_m': far_m})
    result = graph.set('capture_node', name, value)
    assert not result.successful
    assert reason in result.reason
    assert graph.set('capture_node', 'mode', 'continuous').successful
    graph.status('capture_node', 'OK', lambda s: s.message == 'OK')


def test_a_stack_that_was_saved_is_what_was_published(start: StartGraph, tmp_path: Path) -> None:
    folder = tmp_path / 'new' / 'stacks'
    graph = start(CaptureNode, capture_node={**TRIGGERED, 'save_directory': str(folder)})
    refused = trigger(graph, 'save_stack')
    assert (refused.success, refused.message) == (False, 'no sweep has been taken yet')
    images, infos, focus = one_sweep(graph)
    graph.counts('capture_node', 'sweeps')
    saved = trigger(graph, 'save_stack')
    assert saved.success
    assert Path(saved.message).parent == folder
    recorded = read_stack(Path(saved.message))
    for index, message in enumerate(images):
        np.testing.assert_array_equal(recorded.image(index), to_array(message))
    np.testing.assert_allclose(recorded.focus_dpt, [m.position[0] for m in focus], rtol=1e-6)
    assert recorded.intrinsics.fx == pytest.approx(infos[0].k[0])
    again = trigger(graph, 'save_stack')
    assert again.success
    assert again.message == f'{saved.message}_2'
    assert len(read_stack(Path(again.message)).paths) == len(images)


def test_stacks_of_two_cameras_have_two_names(start: StartGraph, tmp_path: Path) -> None:
    settings = {**TRIGGERED, 'save_directory': str(tmp_path)}
    graph = start(CaptureNode, namespace='robot/left', capture_node=settings)
    one_sweep(graph)
    wait(lambda: trigger(graph, 'save_stack').success, 'the stack')
    (saved,) = tmp_path.iterdir()
    assert saved.name.startswith('stack_robot_left_2')


def test_what_a_killed_node_left_is_removed_at_the_next_start(
    start: StartGraph, tmp_path: Path
) -> None:
    left, alive = tmp_path / '.sff_0123abcd.part', new_folder(tmp_path)
    left.mkdir()
    (left / 'slice_000.png').write_bytes(b'half')
    start(CaptureNode, capture_node={**TRIGGERED, 'save_directory': str(tmp_path)})
    assert os.listdir(tmp_path) == [alive[0].name]
    os.close(alive[1])


def test_a_save_directory_is_fixed_at_configure(start: StartGraph, tmp_path: Path) -> None:
    graph = start(CaptureNode, capture_node={**TRIGGERED, 'save_directory': str(tmp_path)})
    refused = graph.set('capture_node', 'save_directory', '/etc')
    assert not refused.successful
    assert 'takes effect at configure' in refused.reason


def test_a_save_directory_of_nobody_fails_configure(start: StartGraph) -> None:
    settings = {**TRIGGERED, 'autostart': False, 'save_directory': '~nobodyx/stacks'}
    graph = start(CaptureNode, capture_node=settings)
    assert not graph.change_state('capture_node', CONFIGURE)


def test_a_stack_that_cannot_be_saved_is_told(start: StartGraph, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    directory = tmp_path / 'file' / 'stacks'
    graph = start(CaptureNode, capture_node={**TRIGGERED, 'save_directory': str(directory)})
    one_sweep(graph)
    graph.counts('capture_node', 'sweeps')
    refused = trigger(graph, 'save_stack')
    assert not refused.success
    assert str(directory) in refused.message
    assert 'could not be written' in refused.message


def test_lost_frames_are_missing_and_counted(start: StartGraph) -> None:
    settings = {**SMALL, 'simulated.drop_rate': 0.3}
    graph = start(CaptureNode, capture_node=settings)
    _, _, focus = stack(graph)
    lost = graph.counts('capture_node', 'dropped_slices', 10)
    wait(lambda: len(focus) > 40, 'slices')
    assert lost >= 10
    assert {m.position[2] for m in focus} == {5.0}
    jumps = np.diff([m.position[1] for m in focus])
    assert (jumps == 2).any()


def test_a_recording_of_unknown_focus(start: StartGraph, tmp_path: Path) -> None:
    folder: dict[str, Any] = {
        'camera': 'folder',
        'folder.path': str(make_folder(tmp_path / 'stack')),
        'folder.frame_rate': 50.0,
    }
    graph = start(CaptureNode, capture_node=folder)
    images, infos, focus = stack(graph)
    status = graph.says('capture_node', 'focus distances unknown: slice positions only')
    assert facts(status)['calibrated'] == 'False'
    wait(lambda: len(focus) > 4, 'slices')
    assert np.isnan([m.position[0] for m in focus]).all()
    assert {m.k[0] for m in infos} == {0.0}
    assert images[0].encoding == 'rgb8'


def test_the_camera_is_closed_by_cleanup(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node=SMALL)
    node: Any = graph.nodes[0]
    camera = node._sweeper.camera
    assert graph.change_state('capture_node', DEACTIVATE)
    assert graph.change_state('capture_node', CLEANUP)
    assert node._sweeper.camera is None
    with pytest.raises(Exception, match='closed'):
        camera.capture(2.0)
    assert graph.change_state('capture_node', CONFIGURE)
    again: Any = node._sweeper.camera
    assert again.capture(2.0).focus_dpt == 2.0
