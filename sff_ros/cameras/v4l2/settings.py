"""What a camera does by itself: switched off for a sweep, and put back as it was found."""

from __future__ import annotations

import contextlib

from sff_ros.cameras.v4l2 import abi
from sff_ros.cameras.v4l2.node import Control, VideoNode
from sff_ros.errors import CameraError

# Number of a control -> its value. What would move the lens or stretch a frame is off before the
# first frame; exposure first, since dynamic frame rate is a part of it.
FOCUS = {abi.V4L2_CID_FOCUS_AUTO: 0}
PACE = {abi.V4L2_CID_EXPOSURE_AUTO_PRIORITY: 0}
# What adapts to the scene: its value when it is off, and what it drives.
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
    """The settings of one node that a sweep changes, as they were found.

    Args:
        node: stays the caller's.
        lens: the control that moves the lens, where it is this node's.
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
        """Tell whether exposure, gain or white balance are automatic."""
        return any(self._is_on(number) for number in ADAPTIVE)

    def freeze(self) -> None:
        """Keep exposure, gain and white balance where they are."""
        for number, (off, driven) in ADAPTIVE.items():
            if self._is_on(number):
                controls = [self._by_id[d] for d in driven if d in self._by_id]
                values = [(control, self._node.read(control)) for control in controls]
                self.set(number, off)
                # Some cameras fall back to the last value that was set by hand.
                for control, value in values:
                    self._node.write(control, value)

    def set_exposure(self, exposure_us: int) -> None:
        """Expose every frame for a fixed time, us, to the nearest 100.

        Raises:
            CameraError: the camera cannot, or not as long or short.
        """
        control = self._by_id.get(abi.V4L2_CID_EXPOSURE_ABSOLUTE)
        if control is None:
            raise CameraError(
                f'v4l2.exposure_us is {exposure_us}, but {self._node.path} has no control for '
                'it: take 0'
            )
        value = round(exposure_us / _EXPOSURE_UNIT_US)
        if not control.low <= value <= control.high:
            low, high = control.low * _EXPOSURE_UNIT_US, control.high * _EXPOSURE_UNIT_US
            raise CameraError(
                f'v4l2.exposure_us is {exposure_us}; {self._node.path} takes {low} .. {high} us'
            )
        self.set(abi.V4L2_CID_EXPOSURE_AUTO, abi.V4L2_EXPOSURE_MANUAL)
        self._node.write(control, value)

    def exposure_ns(self) -> int | None:
        """Return how long a frame is exposed; None where the camera does not tell."""
        control = self._by_id.get(abi.V4L2_CID_EXPOSURE_ABSOLUTE)
        if control is None:
            return None
        return self._node.read(control) * _EXPOSURE_UNIT_US * 1000

    def put_back(self) -> None:
        """Set everything as it was found, what was automatic last."""
        for control, value in reversed(self._found.items()):
            with contextlib.suppress(CameraError):  # the device may be gone
                if self._node.read(control) != value:
                    self._node.write(control, value)

    def set(self, number: int, value: int) -> None:
        """Set a control by its number, where the device has it."""
        control = self._by_id.get(number)
        if control is not None and self._node.read(control) != value:
            self._node.write(control, value)

    def _is_on(self, number: int) -> bool:
        control = self._by_id.get(number)
        return control is not None and self._node.read(control) != ADAPTIVE[number][0]


def hold_still(node: VideoNode, lens: Control | None, undo: contextlib.ExitStack) -> Settings:
    """Switch off what would move the lens, or expose longer than a frame.

    Args:
        node: stays the caller's.
        lens: the control that moves the lens, where it is this node's.
        undo: puts everything back, whatever is changed from here on.
    """
    found = Settings(node, lens)
    undo.callback(found.put_back)
    for number, off in (*FOCUS.items(), *PACE.items()):
        found.set(number, off)
    return found
