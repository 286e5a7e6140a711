"""The source of capture_node's intrinsics, and where new ones are saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_graph import Graph, StartGraph, wait
from sensor_msgs.msg import CameraInfo
from sensor_msgs.srv import SetCameraInfo
from std_msgs.msg import Header

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import SffError
from sff_ros.files.camera_info import read_camera_info, write_camera_info
from sff_ros.nodes.camera_info_url import load_intrinsics
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.messages import to_camera_info, to_intrinsics

SMALL = {
    'simulated.width': 96,
    'simulated.height': 64,
    'simulated.frame_rate': 200.0,
    'sweep.num_slices': 5,
}
CALIBRATED = Intrinsics(96, 64, 111.0, 112.0, 47.0, 31.0)


def set_info(graph: Graph, intrinsics: Intrinsics) -> SetCameraInfo.Response:
    request = SetCameraInfo.Request(camera_info=to_camera_info(intrinsics, Header()))
    return graph.call(SetCameraInfo, 'set_camera_info', request)


def test_a_calibration_is_kept_and_published(start: StartGraph, tmp_path: Path) -> None:
    file = tmp_path / 'with space.yaml'
    write_camera_info(file, Intrinsics(96, 64, 100.0, 100.0, 48.0, 32.0))
    url = f'file://{tmp_path}/with%20space.yaml'
    graph = start(CaptureNode, capture_node={**SMALL, 'camera_info_url': url})
    infos = graph.collect(CameraInfo, 'stack/camera_info')
    wait(lambda: infos, 'a camera_info')
    assert infos[0].k[0] == 100.0
    given = Intrinsics(96, 64, 111.0, 112.0, 47.0, 31.0, (0.1, -0.05, 0.0, 0.0, 0.0))
    response = set_info(graph, given)
    assert (response.success, response.status_message) == (True, url)
    wait(lambda: infos[-1].k[0] == 111.0, 'the new calibration')
    assert to_intrinsics(infos[-1]) == given
    assert read_camera_info(file) == given


def test_the_first_calibration_creates_the_file(start: StartGraph, tmp_path: Path) -> None:
    url = f'file://{tmp_path}/first.yaml'
    graph = start(CaptureNode, capture_node={**SMALL, 'camera_info_url': url})
    infos = graph.collect(CameraInfo, 'stack/camera_info')
    wait(lambda: infos, 'a camera_info')
    # The simulated camera has its own intrinsics, but another calibration was requested.
    assert not any(infos[0].k)
    graph.says('capture_node', f'intrinsics unknown, so no points: {url} contains no')
    assert set_info(graph, CALIBRATED).success
    wait(lambda: infos[-1].k[0] == CALIBRATED.fx, 'the new calibration')
    assert read_camera_info(tmp_path / 'first.yaml') == CALIBRATED


@pytest.mark.parametrize('name', ['a%00b.yaml', 'a' * 256, '%ED%A0%80'])
def test_a_url_of_no_path_fails_or_names_no_file(name: str) -> None:
    with pytest.raises(SffError):
        load_intrinsics(f'file:///nowhere/{name}', (96, 64))


@pytest.mark.parametrize(
    ('url', 'given', 'words'),
    [
        ('', CALIBRATED, 'camera_info_url is empty: set it to save a calibration'),
        ('{}/a.yaml', Intrinsics(97, 64), 'camera_info is for 97x64, the camera gives 96x64'),
    ],
)
def test_a_calibration_is_refused_with_a_reason(
    start: StartGraph, tmp_path: Path, url: str, given: Intrinsics, words: str
) -> None:
    write_camera_info(tmp_path / 'a.yaml', CALIBRATED)
    settings = {'camera_info_url': f'file://{url.format(tmp_path)}'} if url else {}
    graph = start(CaptureNode, capture_node={**SMALL, **settings, 'mode': 'triggered'})
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
    infos = graph.collect(CameraInfo, 'stack/camera_info')
    wait(lambda: infos, 'a camera_info')
    assert to_intrinsics(infos[0]) == CALIBRATED
