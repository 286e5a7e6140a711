"""Cameras whose lens can move, behind one protocol."""

from __future__ import annotations

import importlib

from sff_ros.cameras.camera import FocusCamera
from sff_ros.config import CaptureConfig

# Name -> module and class, loaded only when asked for; the config group has the same name.
CAMERAS = {
    'simulated': ('sff_ros.cameras.simulated', 'SimulatedCamera'),
    'folder': ('sff_ros.cameras.folder', 'FolderCamera'),
}


def open_camera(config: CaptureConfig) -> FocusCamera:
    """Open the camera that the config names.

    Raises:
        SffError: it cannot be opened; says why.
    """
    module, cls = CAMERAS[config.camera]
    camera: FocusCamera = getattr(importlib.import_module(module), cls)(
        getattr(config, config.camera)
    )
    return camera
