"""The ioctl requests of V4L2 that this driver uses, and the call that sends one."""

from __future__ import annotations

import ctypes
import fcntl
import os
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sff_ros.cameras.v4l2 import abi

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """An ioctl request.

    Attributes:
        name: the kernel's.
        number: the kernel's; the size of the argument is a part of it.
        argument: type of its argument, which the driver reads, writes or both.
    """

    name: str
    number: int
    argument: type[T]


def call(fd: int, request: Request[T], argument: T) -> T:
    """Send a request to an open device node; return its argument with the answer in it.

    A call that a signal interrupts is repeated.

    Raises:
        OSError: the kernel or the driver refuses; the message names the request.
    """
    memory: Any = argument
    while True:
        try:
            fcntl.ioctl(fd, request.number, memory)
            return argument
        except InterruptedError:
            continue
        except OSError as err:
            code = err.errno or 0
            raise OSError(code, f'{request.name}: {os.strerror(code)}') from err


_WRITE, _READ = 1, 2  # as the program sees it
_BOTH = _READ | _WRITE


def _request(name: str, direction: int, number: int, argument: type[T]) -> Request[T]:
    """Return a request of the group 'V', numbered as in asm-generic/ioctl.h (x86, Arm, RISC-V)."""
    kind: Any = argument
    size = ctypes.sizeof(kind)
    return Request(name, direction << 30 | size << 16 | ord('V') << 8 | number, argument)


VIDIOC_QUERYCAP = _request('VIDIOC_QUERYCAP', _READ, 0, abi.Capability)
VIDIOC_ENUM_FMT = _request('VIDIOC_ENUM_FMT', _BOTH, 2, abi.FormatDescription)
VIDIOC_S_FMT = _request('VIDIOC_S_FMT', _BOTH, 5, abi.Format)
VIDIOC_REQBUFS = _request('VIDIOC_REQBUFS', _BOTH, 8, abi.RequestBuffers)
VIDIOC_QUERYBUF = _request('VIDIOC_QUERYBUF', _BOTH, 9, abi.Buffer)
VIDIOC_QBUF = _request('VIDIOC_QBUF', _BOTH, 15, abi.Buffer)
VIDIOC_DQBUF = _request('VIDIOC_DQBUF', _BOTH, 17, abi.Buffer)
VIDIOC_STREAMON = _request('VIDIOC_STREAMON', _WRITE, 18, ctypes.c_int)
VIDIOC_STREAMOFF = _request('VIDIOC_STREAMOFF', _WRITE, 19, ctypes.c_int)
VIDIOC_S_PARM = _request('VIDIOC_S_PARM', _BOTH, 22, abi.StreamParameters)
VIDIOC_G_CTRL = _request('VIDIOC_G_CTRL', _BOTH, 27, abi.ControlValue)
VIDIOC_S_CTRL = _request('VIDIOC_S_CTRL', _BOTH, 28, abi.ControlValue)
VIDIOC_QUERYCTRL = _request('VIDIOC_QUERYCTRL', _BOTH, 36, abi.ControlQuery)
VIDIOC_TRY_FMT = _request('VIDIOC_TRY_FMT', _BOTH, 64, abi.Format)
VIDIOC_ENUM_FRAMESIZES = _request('VIDIOC_ENUM_FRAMESIZES', _BOTH, 74, abi.FrameSize)
VIDIOC_ENUM_FRAMEINTERVALS = _request('VIDIOC_ENUM_FRAMEINTERVALS', _BOTH, 75, abi.FrameInterval)
