"""Automatic settings of a camera: switched off for a sweep, restored afterwards."""

from __future__ import annotations

import contextlib

from sff_ros.cameras.v4l2 import abi
from sff_ros.cameras.v4l2.node import Control, VideoNode
from sff_ros.errors import CameraError

# Control id -> value. Controls that move the lens or lengthen frames are off before the first
# frame.
FOCUS = {abi.V4L2_CID_FOCUS_AUTO: 0}
PACE = {abi.V4L2_CID_EXPOSURE_AUTO_PRIORITY: 0}
# Controls that adapt to the scene -> (value when off, controls that they drive).
ADAPTIVE = {
    abi.V4L2_CID_EXPOSURE_AUTO: (
        abi.V4L2_EXPOSURE_MANUAL,
        (abi.V4L2_CID_EXPOSURE_ABSOLUTE, abi.V4L2_CID_GAIN),
    ),
    abi.V4L2_CID_AUTOGAIN: (0, (abi.V4L2_CID_GAIN,)),
    abi.V4L2_CID_AUTO_WHITE_BALANCE: (
        0,
        (
            abi.V4L2_CID_WHITE_BALANCE_TEMPERATURE,
            abi.V4L2_CID_RED_BALANCE,
            abi.V4L2_CID_BLUE_BALANCE,
        ),
    ),
}
_EXPOSURE_UNIT_US = 100  # of EXPOSURE_ABSOLUTE


class Settings:
    """The settings of one node that a sweep changes, and their original values.

    Args:
        node: not closed here.
        lens: the control that moves the lens, if this node has it.
    """

    def __init__(self, node: VideoNode, lens: Control | None) -> None:
        self._node = node
        known = {control.id: control for control in node.controls() if control.is_writable}
        driven = [number for _, numbers in ADAPTIVE.values() for number in numbers]
        numbers = (*FOCUS, *PACE, *ADAPTIVE, *driven)
        self._by_id = {number: known[number] for number in numbers if number in known}
        last = (lens,) if lens else ()
        self._found = {c: node.read(c) for c in (*self._by_id.values(), *last)}

    def is_adapting(self) -> bool:
        """Return whether exposure, gain or white balance is automatic."""
        return any(self._is_on(number) for number in ADAPTIVE)

    def freeze(self) -> None:
        """Hold exposure, gain and white balance at their present values."""
        for number, (off, driven) in ADAPTIVE.items():
            if self._is_on(number):
                controls = [self._by_id[d] for d in driven if d in self._by_id]
                values = [(control, self._node.read(control)) for control in controls]
                self.set(number, off)
                # Some cameras return to the last manual value.
                for control, value in values:
                    self._node.write(control, value)

    def set_exposure(self, exposure_us: int) -> None:
        """Set a fixed exposure time, us, rounded to 100.

        Raises:
            CameraError: the camera has no such control, or the time is out of its range.
        """
        control = self._by_id.get(abi.V4L2_CID_EXPOSURE_ABSOLUTE)
        if control is None:
            raise CameraError(
                f'v4l2.exposure_us is {exposure_us}, but {self._node.path} has no exposure '
                'control: set it to 0'
            )
        value = round(exposure_us / _EXPOSURE_UNIT_US)
        if not control.low <= value <= control.high:
            low, high = control.low * _EXPOSURE_UNIT_US, control.high * _EXPOSURE_UNIT_US
            raise CameraError(
                f'v4l2.exposure_us is {exposure_us}; {self._node.path} accepts {low} .. {high} us'
            )
        self.set(abi.V4L2_CID_EXPOSURE_AUTO, abi.V4L2_EXPOSURE_MANUAL)
        self._node.write(control, value)

    def exposure_ns(self) -> int | None:
        """Return the exposure time, ns; None if the camera does not report it."""
        control = self._by_id.get(abi.V4L2_CID_EXPOSURE_ABSOLUTE)
        if control is None:
            return None
        return self._node.read(control) * _EXPOSURE_UNIT_US * 1000

    def restore(self) -> None:
        """Set every original value; automatic settings last."""
        for control, value in reversed(self._found.items()):
            with contextlib.suppress(CameraError):  # the device may be gone
                if self._node.read(control) != value:
                    self._node.write(control, value)

    def set(self, number: int, value: int) -> None:
        """Set a control by its id, if the device has it."""
        control = self._by_id.get(number)
        if control is not None and self._node.read(control) != value:
            self._node.write(control, value)

    def _is_on(self, number: int) -> bool:
        control = self._by_id.get(number)
        return control is not None and self._node.read(control) != ADAPTIVE[number][0]


def hold_still(node: VideoNode, lens: Control | None, undo: contextlib.ExitStack) -> Settings:
    """Switch off what moves the lens, or exposes for longer than a frame period.

    Args:
        node: not closed here.
        lens: the control that moves the lens, if this node has it.
        undo: restores every setting that is changed from here on.
    """
    found = Settings(node, lens)
    undo.callback(found.restore)
    for number, off in (*FOCUS.items(), *PACE.items()):
        found.set(number, off)
    return found
