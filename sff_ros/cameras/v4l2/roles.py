"""Checks that a device node captures images, or has a lens."""

from __future__ import annotations

from sff_ros.cameras.v4l2 import abi, ioctl
from sff_ros.cameras.v4l2.node import Control, RefusedError, VideoNode, text_of
from sff_ros.cameras.v4l2.search import list_cameras
from sff_ros.errors import CameraError, quoted


def check_captures(node: VideoNode) -> abi.Capability:
    """Return how a driver describes its device.

    Raises:
        CameraError: it does not capture, or cannot stream.
    """
    try:
        about = node.call(ioctl.VIDIOC_QUERYCAP, abi.Capability())
    except RefusedError as err:
        raise CameraError(
            f'v4l2.device {quoted(node.path)} is no V4L2 device; {list_cameras()}'
        ) from err
    has = about.capabilities
    if has & abi.V4L2_CAP_DEVICE_CAPS:
        has = about.device_caps
    if not has & abi.V4L2_CAP_VIDEO_CAPTURE or not has & abi.V4L2_CAP_STREAMING:
        planes = ' (multi-planar formats are not supported)'
        why = planes if has & abi.V4L2_CAP_VIDEO_CAPTURE_MPLANE else ''
        raise CameraError(
            f'v4l2.device {quoted(node.path)} ({text_of(about.card)}) does not stream '
            f'images{why}; {list_cameras()}'
        )
    return about


def find_lens(node: VideoNode, name: str, is_separate: bool) -> Control:
    """Return the control that moves the lens.

    Args:
        node: that should have it.
        name: as v4l2-ctl writes it.
        is_separate: whether the node is that of focus_device.

    Raises:
        CameraError: it has no such control; lists those that it has.
    """
    controls = node.controls()
    for control in controls:
        if control.name == name and control.is_writable and control.low < control.high:
            return control
    available = ', '.join(control.name for control in controls) or 'none'
    hint = (
        ''
        if is_separate
        else ('; for a lens that is a separate device set v4l2.focus_device (/dev/v4l-subdevN)')
    )
    raise CameraError(
        f'v4l2.focus_control {quoted(name)} is not a control of {node.path}; it has: '
        f'{available}{hint}'
    )
