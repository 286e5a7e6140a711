"""capture_node with a camera that a ROS driver owns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_graph import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, StartGraph, wait
from played_driver import CAMERA_ROS, Played, PlayedDriver
from sensor_msgs.msg import CameraInfo, Image, JointState

from sff_ros.nodes.capture_node import CaptureNode

SETTINGS: dict[str, Any] = {
    'camera': 'ros_driver',
    'ros_driver.node': 'v4l2_camera',
    'ros_driver.image': 'image_raw',
    'ros_driver.focus': 'focus_absolute',
    'ros_driver.prepare': 'focus_automatic_continuous=false, auto_exposure=1',
    'ros_driver.frame_rate': 100.0,  # measured on a busy machine it may be wrong
    'ros_driver.timeout_s': 60.0,
    'lens.settle_s': 0.015,
    'sweep.num_slices': 6,
    'sweep.direction': 'up',
}
DRIVER = Path(__file__).parents[1] / 'played_driver.py'


@pytest.fixture(autouse=True)
def _quick_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without shared memory, with which Fast DDS needs up to 3 s to find another node."""
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')


@pytest.fixture
def driver() -> Iterator[PlayedDriver]:
    playing = PlayedDriver(Played())
    yield playing
    playing.close()


def test_every_slice_shows_its_own_code(driver: PlayedDriver, start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node=SETTINGS)
    images, focus = graph.collect(Image, 'stack/image'), graph.collect(JointState, 'stack/focus')
    infos = graph.collect(CameraInfo, 'stack/camera_info')
    wait(lambda: len(images) >= 36 and len(focus) >= len(images), 'six sweeps')
    places = {(m.header.stamp.sec, m.header.stamp.nanosec): m.position[1] for m in focus}
    for image in images[:36]:
        index = places[image.header.stamp.sec, image.header.stamp.nanosec]
        assert image.data[0] == index * 50
    assert infos[0].k[0] == 40.0
    assert driver.value('focus_automatic_continuous') is False
    assert driver.value('auto_exposure') == 1
    graph.says('capture_node', 'focus distances unknown')
    assert graph.change_state('capture_node', DEACTIVATE)
    assert graph.change_state('capture_node', CLEANUP)
    assert driver.value('focus_automatic_continuous') is True
    assert driver.value('auto_exposure') == 3
    assert driver.value('focus_absolute') == 0


def test_dioptres_of_camera_ros_are_on_the_wire(start: StartGraph) -> None:
    driver = PlayedDriver(CAMERA_ROS)
    names = {'node': 'camera', 'image': 'camera/image_raw', 'focus': 'LensPosition'}
    settings = {
        **SETTINGS,
        **{f'ros_driver.{key}': name for key, name in names.items()},
        'ros_driver.prepare': 'AfMode=0, AeEnable?=false',
        'ros_driver.dioptres_per_code': 1.0,
    }
    try:
        graph = start(CaptureNode, capture_node=settings)
        focus = graph.collect(JointState, 'stack/focus')
        wait(lambda: len(focus) >= 12, 'two sweeps')
        assert all(m.position[0] == pytest.approx(m.position[1] * 2) for m in focus)
        assert driver.value('AfMode') == 0
    finally:
        driver.close()


def test_a_refused_focus_is_in_the_diagnostics(start: StartGraph) -> None:
    driver = PlayedDriver(Played(deaf=tuple(range(0, 255, 5))))
    try:
        graph = start(CaptureNode, capture_node=SETTINGS)
        graph.says('capture_node', 'refuses focus_absolute = 0: the lens is stuck')
    finally:
        driver.close()


@pytest.fixture
def program() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A list of driver programs, all of them killed after the test."""
    programs: list[subprocess.Popen[bytes]] = []
    yield programs
    for running in programs:
        running.kill()
        running.wait()


@pytest.mark.slow
def test_a_driver_that_is_killed_and_comes_back(
    start: StartGraph, program: list[subprocess.Popen[bytes]]
) -> None:
    program.append(subprocess.Popen([sys.executable, str(DRIVER)]))
    settings = {**SETTINGS, 'ros_driver.timeout_s': 1.0, 'autostart': False}
    graph = start(CaptureNode, capture_node=settings)
    wait(lambda: graph.change_state('capture_node', CONFIGURE), 'the driver')
    assert graph.change_state('capture_node', ACTIVATE)
    images = graph.collect(Image, 'stack/image')
    wait(lambda: len(images) > 12, 'slices')
    program[0].kill()
    graph.says('capture_node', 'is the driver running')
    graph.says('capture_node', 'no node /v4l2_camera offers parameters')
    program.append(subprocess.Popen([sys.executable, str(DRIVER)]))
    before, back_s = len(images), int(time.time())
    wait(lambda: len(images) > before + 12, 'slices of the driver that came back')
    assert all(image.data[0] % 50 == 0 for image in images)
    graph.status('capture_node', 'no problem', lambda s: 'driver' not in s.message)
    assert images[-1].header.stamp.sec >= back_s
