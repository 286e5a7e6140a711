"""The kernel's virtual camera, for tests of the V4L2 driver in virtual_machine.py.

It has no lens; brightness stands in for one. The image is uniform, and its level shows at which
setting it was exposed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.v4l2.device import V4l2Device
from sff_ros.cameras.v4l2.node import VideoNode
from sff_ros.config.cameras import LensConfig, V4l2Config
from sff_ros.core.sweep.stack import Slice

CONFIG = V4l2Config(
    device='0', width=320, height=180, frame_rate=60.0, pixel_format='GREY',
    focus_control='brightness', warm_up_s=0.0,
)  # fmt: skip
PERIOD_NS = 16_666_667
NO_TEXT = 2  # of the menu osd_text_mode
BARS, BLACK, WHITE, RED, GREEN, BLUE = 0, 5, 6, 7, 8, 9  # of the menu test_pattern


class Vivid:
    """The settings of the camera by name, initially its defaults."""

    def __init__(self) -> None:
        self._node = VideoNode('/dev/video0')
        self._controls = {control.name: control for control in self._node.controls()}
        self.set(
            osd_text_mode=NO_TEXT, test_pattern=BARS, contrast=128, brightness=128,
            gain_automatic=1, timestamp_source=0,
        )  # fmt: skip

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self._node.write(self._controls[name], value)

    def get(self, name: str) -> int:
        return self._node.read(self._controls[name])

    def close(self) -> None:
        self._node.close()


def level_of(slice_: Slice) -> int:
    """Return the level of a uniform image (contrast 0)."""
    low, high = int(slice_.image.min()), int(slice_.image.max())
    assert low == high, 'a part of the image is of another setting'
    return low


def opened(**changes: Any) -> contextlib.closing[V4l2Device]:
    return contextlib.closing(V4l2Device(dataclasses.replace(CONFIG, **changes)))


def take_for(seconds: float, device: V4l2Device) -> None:
    """Take frames for a time."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        device.frame(device.now_ns())


def uncalibrated(device: V4l2Device) -> LensCamera:
    return LensCamera(device, None, LensConfig(settle_s=1e-6))
