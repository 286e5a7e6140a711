"""Cameras whose lens can move, behind one protocol."""

from __future__ import annotations

import importlib
from typing import Any

from sff_ros.cameras.focus_camera import FocusCamera
from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.lens_device import LensDevice
from sff_ros.config.nodes import CaptureConfig
from sff_ros.errors import ConfigError
from sff_ros.files.lens_yaml import read_lens

# Name -> module and class, loaded only when asked for; the config group has the same name.
CAMERAS = {
    'simulated': ('sff_ros.cameras.simulated.camera', 'SimulatedCamera'),
    'folder': ('sff_ros.cameras.recorded', 'FolderCamera'),
}
# The same for hardware, which takes lens codes and becomes a camera through a calibration.
DEVICES = {
    'simulated': ('sff_ros.cameras.simulated.device', 'SimulatedLens'),
    'v4l2': ('sff_ros.cameras.v4l2.device', 'V4l2Device'),
    'ros_driver': ('sff_ros.cameras.ros_driver.device', 'RosDriverDevice'),
}


def open_camera(config: CaptureConfig) -> FocusCamera:
    """Open the camera that the config names.

    Raises:
        SffError: it cannot be opened; says why.
    """
    takes_codes = config.camera == 'simulated' and config.simulated.codes > 0
    if config.camera in CAMERAS and not takes_codes:
        camera: FocusCamera = _load(*CAMERAS[config.camera])(getattr(config, config.camera))
        return camera
    # Read first: a file that is wrong needs no device.
    calibration = read_lens(config.lens.file) if config.lens.file else None
    device = open_device(config)
    try:
        return LensCamera(device, calibration, config.lens)
    except Exception:
        device.close()
        raise


def open_device(config: CaptureConfig) -> LensDevice:
    """Open the hardware that the config names.

    Raises:
        SffError: it cannot be opened, or it is a camera without a lens of its own; says why.
    """
    if config.camera not in DEVICES:
        raise ConfigError(
            f'camera is {config.camera!r}, which has no lens codes; one of {", ".join(DEVICES)}'
        )
    device: LensDevice = _load(*DEVICES[config.camera])(getattr(config, config.camera))
    return device


def _load(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
