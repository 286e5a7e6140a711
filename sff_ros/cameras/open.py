"""Opens cameras by name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from sff_ros.cameras.focus_camera import FocusCamera
from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.lens_device import LensDevice
from sff_ros.config.nodes import CaptureConfig
from sff_ros.errors import ConfigError, quoted
from sff_ros.files.lens_yaml import read_lens


@dataclass(frozen=True, slots=True)
class Entry:
    """A camera, loaded only when it is opened.

    Attributes:
        module, name: its class, which takes the config group of the camera's name.
        is_device: whether it is a LensDevice, to be wrapped in a LensCamera; else it is a
            FocusCamera itself.
    """

    module: str
    name: str
    is_device: bool = True


CAMERAS = {
    'simulated': Entry('sff_ros.cameras.simulated.device', 'SimulatedLens'),
    'folder': Entry('sff_ros.cameras.recorded', 'FolderCamera', is_device=False),
    'v4l2': Entry('sff_ros.cameras.v4l2.device', 'V4l2Device'),
    'ros_driver': Entry('sff_ros.cameras.ros_driver.device', 'RosDriverDevice'),
}


def open_camera(config: CaptureConfig) -> FocusCamera:
    """Open the camera that the config names.

    Raises:
        SffError: it cannot be opened.
    """
    if not CAMERAS[config.camera].is_device:
        camera: FocusCamera = _open(config)
        return camera
    # First: an invalid file is reported without opening the device.
    calibration = read_lens(config.lens.file) if config.lens.file else None
    device: LensDevice = _open(config)
    try:
        return LensCamera(device, calibration, config.lens)
    except Exception:
        device.close()
        raise


def open_device(config: CaptureConfig) -> LensDevice:
    """Open the hardware that the config names, to be calibrated.

    Raises:
        SffError: it cannot be opened, or its lens has no codes.
    """
    if not CAMERAS[config.camera].is_device:
        devices = ', '.join(name for name, entry in CAMERAS.items() if entry.is_device)
        raise ConfigError(
            f'camera is {quoted(config.camera)}, which has no lens codes; one of {devices}'
        )
    if config.camera == 'simulated' and config.simulated.codes == 0:
        raise ConfigError(
            'simulated.codes is 0: the lens takes dioptres and needs no calibration; set it to '
            '1023 for a lens with codes'
        )
    device: LensDevice = _open(config)
    return device


def _open(config: CaptureConfig) -> Any:
    entry = CAMERAS[config.camera]
    return getattr(importlib.import_module(entry.module), entry.name)(
        getattr(config, config.camera)
    )
