"""An open V4L2 device node and the requests to it."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from sff_ros.cameras.v4l2 import abi, ioctl
from sff_ros.cameras.v4l2.search import explain_open
from sff_ros.errors import CameraError, CameraLostError

S = TypeVar('S', bound=ctypes.Structure)

GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN)
_NO_MORE = (errno.EINVAL, errno.ENOTTY, errno.ENODATA)  # ends an enumeration


class RefusedError(CameraError):
    """The driver answered a request with an error; `code` is its errno."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Control:
    """A setting of a driver.

    Attributes:
        id: number of the control, the same on every device.
        name: as v4l2-ctl writes it, such as focus_absolute.
        low, high, step: its range, in units of the control.
        is_writable: whether it can be set at all.
    """

    id: int
    name: str
    low: int
    high: int
    step: int
    is_writable: bool = True


class VideoNode:
    """A device node such as /dev/video0 or /dev/v4l-subdev0.

    Args:
        path: of the node.

    Attributes:
        path: as given.

    Raises:
        CameraError: it cannot be opened; explains why, and what to do.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            # Non-blocking: the stream waits by poll, which has a timeout.
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            raise CameraError(explain_open(path, err)) from err

    def fileno(self) -> int:
        """Return the file descriptor, for poll and mmap.

        Raises:
            CameraError: the node is closed.
        """
        if self._fd < 0:
            raise CameraError(f'{self.path} is closed')
        return self._fd

    def call(self, request: ioctl.Request[ioctl.T], argument: ioctl.T) -> ioctl.T:
        """Send a request; return its argument with the answer in it.

        Raises:
            CameraLostError: the device is gone.
            RefusedError: the driver rejects the request.
        """
        try:
            return ioctl.call(self.fileno(), request, argument)
        except OSError as err:
            if err.errno in GONE:
                raise CameraLostError(f'{self.path} is gone: {err.strerror}') from err
            raise RefusedError(f'{self.path} refuses {err.strerror}', err.errno or 0) from err

    def enumerate(self, request: ioctl.Request[S], asked: S) -> Iterator[S]:
        """Yield every answer to a request that enumerates; none if it is not supported.

        Args:
            request: whose argument has an `index`.
            asked: its other fields; not changed.
        """
        for index in range(1024):
            argument = request.argument.from_buffer_copy(asked)
            argument.index = index
            try:
                yield self.call(request, argument)
            except RefusedError as err:
                if err.code in _NO_MORE:
                    return
                raise

    def controls(self) -> tuple[Control, ...]:
        """Return its controls, in the order of the driver."""
        found: list[Control] = []
        number = 0
        while True:
            query = abi.ControlQuery(id=number | abi.V4L2_CTRL_FLAG_NEXT_CTRL)
            try:
                self.call(ioctl.VIDIOC_QUERYCTRL, query)
            except RefusedError as err:
                if err.code in _NO_MORE:
                    return tuple(found)
                raise
            number = query.id
            is_title = query.type == abi.V4L2_CTRL_TYPE_CTRL_CLASS
            if not is_title and not query.flags & abi.V4L2_CTRL_FLAG_DISABLED:
                is_writable = not query.flags & abi.V4L2_CTRL_FLAG_READ_ONLY
                limits = (query.minimum, query.maximum, query.step)
                found.append(Control(number, plain_name(query.name), *limits, is_writable))

    def read(self, control: Control) -> int:
        """Return the value of a control."""
        answer = self.call(ioctl.VIDIOC_G_CTRL, abi.ControlValue(id=control.id))
        return int(answer.value)

    def write(self, control: Control, value: int) -> None:
        """Set a control.

        Raises:
            CameraError: the driver rejects the value.
        """
        try:
            self.call(ioctl.VIDIOC_S_CTRL, abi.ControlValue(control.id, value))
        except RefusedError as err:
            raise CameraError(
                f'{self.path} rejects {control.name} = {value} '
                f'({control.low} .. {control.high}): {os.strerror(err.code)}'
            ) from err

    def close(self) -> None:
        """Close it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def text_of(name: bytes) -> str:
    """Return a name from a driver; U+FFFD stands for what is not UTF-8."""
    return name.decode(errors='replace')


def plain_name(title: bytes) -> str:
    """Return a control's title as v4l2-ctl writes it: b'Focus, Absolute' is focus_absolute."""
    return re.sub('[^a-z0-9]+', '_', text_of(title).lower()).strip('_')
