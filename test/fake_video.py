"""A V4L2 driver in Python: it answers the ioctl calls on one file."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from sff_ros.cameras.v4l2 import ioctl
from sff_ros.cameras.v4l2.node import VideoNode

REQUESTS = {
    request.number: request
    for request in vars(ioctl).values()
    if isinstance(request, ioctl.Request)
}


class Driver(Protocol):
    """What plays a driver."""

    def answer(self, request: str, argument: Any) -> None:
        """Change the argument of a request, such as 'QUERYCAP', or raise OSError."""


Open = Callable[[Driver], VideoNode]


def refused(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def play_driver(monkeypatch: pytest.MonkeyPatch, path: Path, driver: Driver) -> None:
    """Let a driver answer the requests that are sent to an existing file."""

    def call(fd: int, number: int, argument: Any) -> int:
        if not os.path.samestat(os.fstat(fd), path.stat()) or number not in REQUESTS:
            raise refused(errno.ENOTTY)
        request = REQUESTS[number]
        # The kernel copies as many bytes as the number says, whatever is there.
        assert type(argument) is request.argument, f'{request.name} of a {type(argument)}'
        driver.answer(request.name.removeprefix('VIDIOC_'), argument)
        return 0

    monkeypatch.setattr(fcntl, 'ioctl', call)
