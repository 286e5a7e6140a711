"""What capture_node publishes, saves and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import CLEANUP, CONFIGURE, DEACTIVATE, Graph, StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState
from sensor_msgs.srv import SetCameraInfo
from stack_files import make_folder
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from sff_ros.cameras.camera_info import read_camera_info, write_camera_info
from sff_ros.cameras.stack_folder import read_stack
from sff_ros.core.intrinsics import Intrinsics
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.messages import to_array, to_camera_info, to_intrinsics
from sff_ros.nodes.stamp_matcher import stamp_ns

SMALL = {
    'simulated.width': 96,
    'simulated.height': 64,
    'simulated.frame_rate': 200.0,
    'sweep.num_slices': 5,
}
TRIGGERED = {**SMALL, 'mode': 'triggered'}
STACK = ('stack/image', 'stack/camera_info', 'stack/focus')
CALIBRATED = Intrinsics(96, 64, 111.0, 112.0, 47.0, 31.0)


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
    truth = graph.collect(Image, 'sim/depth/image_rect')
    info = graph.collect(CameraInfo, 'sim/depth/camera_info')
    images, _, _ = one_sweep(graph)
    wait(lambda: truth and info, 'the truth')
    ends = [stamp_ns(images[i].header.stamp) for i in (0, -1)]
    assert stamp_ns(truth[0].header.stamp) == sum(ends) // 2
    assert truth[0].header == info[0].header
    depth = to_array(truth[0])
    assert truth[0].encoding == '32FC1'
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
    graph = start(CaptureNode, capture_node=TRIGGERED)
    assert graph.set('capture_node', 'sweep.near_m', 0.1).successful
    trigger(graph)
    graph.says('capture_node', 'the lens reaches')
    refused = trigger(graph)
    assert not refused.success
    assert 'goes from' in refused.message
    assert graph.set('capture_node', 'sweep.near_m', 0.0).successful
    graph.status('capture_node', 'OK', lambda s: s.message == 'OK')
    one_sweep(graph)


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
    assert not again.success
    assert 'exists already' in again.message


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


def set_info(graph: Graph, intrinsics: Intrinsics) -> SetCameraInfo.Response:
    request = SetCameraInfo.Request(camera_info=to_camera_info(intrinsics, Header()))
    return graph.call(SetCameraInfo, 'set_camera_info', request)


def test_a_calibration_is_kept_and_published(start: StartGraph, tmp_path: Path) -> None:
    file = tmp_path / 'with space.yaml'
    write_camera_info(file, Intrinsics(96, 64, 100.0, 100.0, 48.0, 32.0))
    url = f'file://{tmp_path}/with%20space.yaml'
    graph = start(CaptureNode, capture_node={**SMALL, 'camera_info_url': url})
    _, infos, _ = stack(graph)
    wait(lambda: infos, 'a camera_info')
    assert infos[0].k[0] == 100.0
    given = Intrinsics(96, 64, 111.0, 112.0, 47.0, 31.0, (0.1, -0.05, 0.0, 0.0, 0.0))
    response = set_info(graph, given)
    assert (response.success, response.status_message) == (True, url)
    wait(lambda: infos[-1].k[0] == 111.0, 'the new calibration')
    assert to_intrinsics(infos[-1]) == given
    assert read_camera_info(file) == given


def test_the_first_calibration_goes_to_a_file_that_is_not_there_yet(
    start: StartGraph, tmp_path: Path
) -> None:
    url = f'file://{tmp_path}/first.yaml'
    graph = start(CaptureNode, capture_node={**SMALL, 'camera_info_url': url})
    _, infos, _ = stack(graph)
    wait(lambda: infos, 'a camera_info')
    # The simulated camera knows its own intrinsics, but another calibration was asked for.
    assert not any(infos[0].k)
    graph.says('capture_node', f'intrinsics unknown, hence no points: {url} holds no')
    assert set_info(graph, CALIBRATED).success
    wait(lambda: infos[-1].k[0] == CALIBRATED.fx, 'the new calibration')
    assert read_camera_info(tmp_path / 'first.yaml') == CALIBRATED


@pytest.mark.parametrize(
    ('url', 'given', 'words'),
    [
        ('', CALIBRATED, 'camera_info_url is empty: nowhere to keep a calibration'),
        ('{}/a.yaml', Intrinsics(97, 64), 'camera_info is for 97x64, the camera gives 96x64'),
    ],
)
def test_a_calibration_is_refused_with_a_reason(
    start: StartGraph, tmp_path: Path, url: str, given: Intrinsics, words: str
) -> None:
    write_camera_info(tmp_path / 'a.yaml', CALIBRATED)
    settings = {'camera_info_url': f'file://{url.format(tmp_path)}'} if url else {}
    graph = start(CaptureNode, capture_node={**TRIGGERED, **settings})
    response = set_info(graph, given)
    assert (response.success, response.status_message) == (False, words)
    assert read_camera_info(tmp_path / 'a.yaml') == CALIBRATED


def test_a_calibration_needs_an_open_camera(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node={'autostart': False})
    assert 'configure the node first' in set_info(graph, CALIBRATED).status_message


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('file:///nowhere/a.yaml', '/nowhere/a.yaml'),
        ('http://x/a.yaml', 'must start with file:// or package://PACKAGE/'),
        ('file://[x', 'Invalid IPv6 URL'),
        ('package://no_such_package/a.yaml', "package 'no_such_package' is not installed"),
    ],
)
def test_a_camera_info_url_that_leads_nowhere_fails_configure(
    start: StartGraph, capfd: pytest.CaptureFixture[str], url: str, words: str
) -> None:
    graph = start(CaptureNode, log_level='error', capture_node={**SMALL, 'camera_info_url': url})
    assert graph.started == [False]
    assert graph.state('capture_node') == 'unconfigured'
    lines = [line for line in capfd.readouterr().err.splitlines() if 'capture_node' in line]
    assert len(lines) == 1
    assert words in lines[0]


def test_a_camera_info_of_another_size_fails_configure(
    start: StartGraph, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_camera_info(tmp_path / 'a.yaml', Intrinsics(640, 480, 500.0, 500.0, 320.0, 240.0))
    url = f'file://{tmp_path}/a.yaml'
    graph = start(CaptureNode, log_level='error', capture_node={**SMALL, 'camera_info_url': url})
    assert graph.started == [False]
    assert 'a.yaml is for 640x480, the camera gives 96x64' in capfd.readouterr().err


def test_a_package_url(start: StartGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'my_robot').write_text('')
    (tmp_path / 'share' / 'my_robot').mkdir()
    write_camera_info(tmp_path / 'share' / 'my_robot' / 'a.yaml', CALIBRATED)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path), prepend=':')
    url = 'package://my_robot/a.yaml'
    graph = start(CaptureNode, capture_node={**SMALL, 'camera_info_url': url})
    _, infos, _ = stack(graph)
    wait(lambda: infos, 'a camera_info')
    assert to_intrinsics(infos[0]) == CALIBRATED


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
