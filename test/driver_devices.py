"""Devices of tests over the driver of played_driver.py."""

from __future__ import annotations

from collections.abc import Callable

from played_driver import PlayedDriver

from sff_ros.cameras.ros_driver.device import RosDriverDevice
from sff_ros.config.cameras import RosDriverConfig

CONFIG = RosDriverConfig(
    node='v4l2_camera',
    image='image_raw',
    focus='focus_absolute',
    prepare='focus_auto|focus_automatic_continuous=false, auto_exposure=1, gone?=1',
    timeout_s=60.0,
)
Play = Callable[..., PlayedDriver]
Open = Callable[..., RosDriverDevice]


def levels(device: RosDriverDevice, codes: list[float], settle_s: float) -> list[int]:
    """Return the grey level of the first frame after each move."""
    seen = []
    for code in codes:
        device.move(code)
        image = device.frame(device.now_ns() + round(settle_s * 1e9)).image
        assert image.min() == image.max()
        seen.append(int(image[0, 0]))
    return seen
