"""In the virtual machine: failures of a V4L2 camera and their error messages."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vivid import CONFIG, Vivid, opened, take_for, uncalibrated

from sff_ros.cameras.v4l2.device import V4l2Device
from sff_ros.config.nodes import CaptureConfig, SweepConfig
from sff_ros.errors import CameraError, CameraLostError
from sff_ros.nodes.statistics import Statistics
from sff_ros.nodes.sweeper import Sweeper

DRIVER = Path('/sys/bus/platform/drivers/vivid')


def test_a_failed_opening_restores_every_setting(vivid: Vivid) -> None:
    vivid.set(brightness=78)
    with pytest.raises(
        CameraError, match='exposure_us is 100, but /dev/video0 has no exposure control'
    ):
        V4l2Device(dataclasses.replace(CONFIG, exposure_us=100))
    assert (vivid.get('gain_automatic'), vivid.get('brightness')) == (1, 78)
    with opened() as device:  # it is free, too
        device.frame(device.now_ns())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'device': ''}, 'cameras: /dev/video0 \\(vivid-000-vid-cap\\)'),
        ({'device': '7'}, "'/dev/video7' does not exist; cameras: /dev/video0"),
        ({'device': '/dev/null'}, "'/dev/null' is no V4L2 device; cameras: /dev/video0"),
        ({'width': 333}, '333x180 is not offered by /dev/video0; YUYV, NV12, .*: 320x180, 640x3'),
        ({'pixel_format': 'MJPG'}, "'MJPG' is not offered at this size; YUYV, .*: 1, 2, 4, 5,"),
        ({'frame_rate': 61.0}, 'frame_rate 61 Hz is not reached at this size; YUYV, .*50, 60 Hz'),
        (
            {'focus_control': 'focus_absolute'},
            "'focus_absolute' is not a control of /dev/video0; .*contrast,.*v4l2.focus_device",
        ),
        ({'focus_device': '/dev/v4l-subdev9'}, '/dev/v4l-subdev9 is not connected'),
    ],
)
def test_errors_list_the_alternatives(vivid: Vivid, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        opened(**change)


def test_a_busy_camera_is_not_touched(vivid: Vivid) -> None:
    vivid.set(brightness=80)
    with opened() as device:
        device.move(90)
        with pytest.raises(CameraError, match=rf'video0 is busy: used by .* \({os.getpid()}\)'):
            opened()
        assert vivid.get('brightness') == 90
        assert device.frame(device.now_ns()).image.shape == (180, 320)


def test_a_damaged_frame_is_refused(vivid: Vivid) -> None:
    with opened() as device:
        device.frame(0)
        vivid.set(inject_v4l2_buf_flag_error=1)
        damaged = 0
        for _ in range(10):
            try:
                device.frame(0)
            except CameraError as err:
                assert 'is damaged' in str(err)  # noqa: PT017
                damaged += 1
        assert damaged == 1


def test_a_failed_stream_must_be_reopened(vivid: Vivid) -> None:
    with opened() as device:
        vivid.set(inject_fatal_streaming_error=1)
        with pytest.raises(CameraLostError, match='reopen it'):
            take_for(1.0, device)
    with opened() as device:
        device.frame(device.now_ns())


def test_close_is_idempotent(vivid: Vivid) -> None:
    with opened() as device:
        device.close()
    with pytest.raises(CameraError, match='the camera is closed'):
        device.frame(0)
    with pytest.raises(CameraError, match='the camera is closed'):
        device.move(1)


def test_a_disconnected_camera_is_noticed_and_can_be_reopened(vivid: Vivid) -> None:
    vivid.close()
    with opened() as device:
        device.frame(0)
        # The driver waits for the last user.
        pull = threading.Thread(target=lambda: (DRIVER / 'unbind').write_text('vivid.0'))
        pull.start()
        start_s = time.monotonic()
        with pytest.raises(CameraLostError, match='/dev/video0 is gone'):
            take_for(5.0, device)
        assert time.monotonic() - start_s < 1
        with pytest.raises(CameraLostError, match='/dev/video0 is gone'):
            device.move(1)
    pull.join()
    with pytest.raises(CameraError, match="'/dev/video0' does not exist; no V4L2 camera found"):
        opened()
    (DRIVER / 'bind').write_text('vivid.0')
    with opened() as device:
        device.frame(device.now_ns())


def test_sweeps_resume_within_a_second_of_reconnection(
    vivid: Vivid, record_property: Callable[[str, object], None]
) -> None:
    config = CaptureConfig(sweep=SweepConfig(num_slices=5))
    came_s: list[float] = []
    logged: list[str] = []
    sweeper = Sweeper(
        lambda: uncalibrated(V4l2Device(dataclasses.replace(CONFIG, warm_up_s=0.3))),
        lambda: config,
        lambda slice_: came_s.append(time.monotonic()),
        lambda slices: None,
        Statistics(),
        logged.append,
    )
    sweeper.open()
    sweeper.start()
    try:
        wait_for(lambda: len(came_s) > 10)
        vivid.set(disconnect=1)
        wait_for(lambda: sweeper.problem != '')
        time.sleep(1.2)  # more than one failed attempt
        gone, back_s = len(came_s), time.monotonic()
        vivid.close()  # the last user: the camera reconnects
        wait_for(lambda: len(came_s) > gone)
        first_s = came_s[gone] - back_s
        wait_for(lambda: len(came_s) > gone + 10)
    finally:
        sweeper.stop()
        sweeper.close()
    record_property('first_slice_s', round(first_s, 3))
    assert first_s < 1
    assert [line.split(':')[0] for line in logged] == [
        'no image arrives', '/dev/video0 is not connected (No such device); cameras',
        'recovered from',
    ]  # fmt: skip


def wait_for(is_true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end_s, 'nothing happened for 10 s'
        time.sleep(0.01)
