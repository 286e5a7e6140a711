"""One open device node of the kernel's video system, and the requests it answers."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sff_ros.cameras.v4l2.search import explain_open
from sff_ros.errors import CameraError, CameraLostError

GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN)
_NO_MORE = (errno.EINVAL, errno.ENOTTY, errno.ENODATA)  # ends an enumeration
_CLASS_TITLE = 6  # V4L2_CTRL_TYPE_CTRL_CLASS: a heading, not a control


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
        low, high, step: its values.
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
        raw: linuxpy's structures and numbers of the kernel's interface.

    Raises:
        CameraError: it cannot be opened, or linuxpy is missing; says what to do.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.raw = load_linuxpy()
        try:
            # A read that cannot be waited for is asked for by poll.
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

    def call(self, request: str, argument: Any) -> Any:
        """Send a request of linuxpy's IOC by name; return its argument with the answer in it.

        Raises:
            CameraLostError: the device is gone.
            RefusedError: the driver does not do it.
        """
        try:
            fcntl.ioctl(self.fileno(), int(self.raw.IOC[request]), argument)
        except OSError as err:
            code = err.errno or 0
            why = os.strerror(code)
            if code in GONE:
                raise CameraLostError(f'{self.path} is gone: {request}: {why}') from err
            raise RefusedError(f'{self.path} refuses {request}: {why}', code) from err
        return argument

    def enumerate(self, request: str, kind: str, **fields: int) -> Iterator[Any]:
        """Yield the answers to a request that numbers its answers; none where it knows none."""
        for index in range(1024):
            argument = getattr(self.raw, kind)(index=index, **fields)
            try:
                yield self.call(request, argument)
            except RefusedError as err:
                if err.code in _NO_MORE:
                    return
                raise

    def controls(self) -> tuple[Control, ...]:
        """Return the controls that it has, in the driver's order."""
        flags = self.raw.ControlFlag
        found: list[Control] = []
        number = 0
        while True:
            query = self.raw.v4l2_queryctrl(id=number | int(flags.NEXT_CTRL))
            try:
                self.call('QUERYCTRL', query)
            except RefusedError as err:
                if err.code in _NO_MORE:
                    return tuple(found)
                raise
            number = query.id
            if query.type != _CLASS_TITLE and not query.flags & flags.DISABLED:
                is_writable = not query.flags & flags.READ_ONLY
                limits = (query.minimum, query.maximum, query.step)
                found.append(Control(number, plain_name(query.name), *limits, is_writable))

    def read(self, control: Control) -> int:
        """Return the value of a control."""
        answer = self.call('G_CTRL', self.raw.v4l2_control(id=control.id))
        return int(answer.value)

    def write(self, control: Control, value: int) -> None:
        """Set a control.

        Raises:
            CameraError: the driver does not take it.
        """
        try:
            self.call('S_CTRL', self.raw.v4l2_control(id=control.id, value=value))
        except RefusedError as err:
            raise CameraError(
                f'{self.path} does not take {control.name} = {value} '
                f'({control.low} .. {control.high}): {os.strerror(err.code)}'
            ) from err

    def close(self) -> None:
        """Close it. Twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def load_linuxpy() -> Any:
    """Return linuxpy's module of the kernel's interface.

    Raises:
        CameraError: it is not installed.
    """
    try:
        from linuxpy.video import raw
    except ImportError as err:
        raise CameraError(
            "camera 'v4l2' needs linuxpy, which is not installed: pip install 'linuxpy>=0.25,<1'"
        ) from err
    return raw


def plain_name(title: bytes) -> str:
    """Return a control's title as v4l2-ctl writes it: b'Focus, Absolute' is focus_absolute."""
    return re.sub('[^a-z0-9]+', '_', title.decode(errors='replace').lower()).strip('_')
