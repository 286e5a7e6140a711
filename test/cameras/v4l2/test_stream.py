"""Buffers of a driver that stamps frames, of one that does not, and of one that fails."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sff_ros.cameras.v4l2.node import RefusedError, VideoNode, load_linuxpy, plain_name
from sff_ros.cameras.v4l2.stream import BUFFERS, Buffer, Stream
from sff_ros.errors import CameraError, CameraLostError

raw = pytest.importorskip('linuxpy.video.raw')

FLAG = raw.BufferFlag
SIZE = 4096


class Driver:
    """A driver that fills a buffer when told to; poll sees it by an event file."""

    raw = raw
    path = '/dev/video0'

    def __init__(self) -> None:
        self.events = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        self.queued: list[int] = []
        self.ready: list[Any] = []
        self.refuse: dict[str, int] = {}
        self.is_on = False

    def fileno(self) -> int:
        return self.events

    def fill(self, stamp_ns: int, flags: int, used: int = SIZE) -> None:
        buffer = raw.v4l2_buffer(index=self.queued.pop(0), bytesused=used, flags=flags)
        buffer.timestamp.secs, rest = divmod(stamp_ns, 10**9)
        buffer.timestamp.usecs = rest // 1000
        self.ready.append(buffer)
        os.eventfd_write(self.events, 1)

    def call(self, request: str, argument: Any) -> Any:
        if request in self.refuse:
            raise RefusedError(request, self.refuse[request])
        if request == 'QUERYBUF':
            argument.length = SIZE
        elif request == 'QBUF':
            self.queued.append(argument.index)
        elif request == 'DQBUF':
            os.eventfd_read(self.events)
            return self.ready.pop(0)
        elif request.startswith('STREAM'):
            self.is_on = request == 'STREAMON'
        return argument


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    def anonymous(fd: int, length: int, offset: int) -> mmap.mmap:
        return real(-1, length)

    real = mmap.mmap
    monkeypatch.setattr(mmap, 'mmap', anonymous)
    fake = Driver()
    yield fake
    os.close(fake.events)


def opened(driver: Driver) -> Stream:
    node: Any = driver
    return Stream(node)


def take(stream: Stream) -> Buffer:
    with stream.take(10**9) as buffer:
        assert buffer is not None
        return buffer


def test_buffers_go_round(driver: Driver) -> None:
    stream = opened(driver)
    assert driver.queued == [0, 1, 2, 3] == list(range(BUFFERS))
    driver.fill(3_000_007_000, int(FLAG.TIMESTAMP_MONOTONIC | FLAG.TSTAMP_SRC_SOE), used=100)
    with stream.take(10**9) as buffer:
        assert buffer is not None
        assert (len(buffer.data), buffer.stamp_ns) == (100, 3_000_007_000)
        assert (buffer.is_start, buffer.is_damaged) == (True, False)
        assert driver.queued == [1, 2, 3]
    assert driver.queued == [1, 2, 3, 0]
    stream.close()
    assert not driver.is_on


@pytest.mark.parametrize(
    ('flags', 'is_start', 'is_damaged'),
    [
        (FLAG.TIMESTAMP_MONOTONIC | FLAG.TSTAMP_SRC_EOF, False, False),
        (FLAG.TIMESTAMP_MONOTONIC | FLAG.TSTAMP_SRC_SOE | FLAG.ERROR, True, True),
        (FLAG.TIMESTAMP_UNKNOWN | FLAG.TSTAMP_SRC_SOE, False, False),
        (FLAG.TIMESTAMP_COPY | FLAG.TSTAMP_SRC_SOE, False, False),
    ],
)
def test_flags(driver: Driver, flags: int, is_start: bool, is_damaged: bool) -> None:
    stream = opened(driver)
    driver.fill(10**9, int(flags))
    buffer = take(stream)
    assert (buffer.is_start, buffer.is_damaged) == (is_start, is_damaged)
    stream.close()


def test_without_stamps_a_frame_is_as_old_as_it_may_be(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    start_ns = time.monotonic_ns()
    stream = opened(driver)
    with stream.take(0) as nothing:
        assert nothing is None
    empty_ns = time.monotonic_ns()
    for _ in range(2):
        driver.fill(10**18, int(FLAG.TIMESTAMP_UNKNOWN))
    time.sleep(0.02)
    # Both came at some time after nothing was there, however late they are taken.
    for _ in range(2):
        assert start_ns < take(stream).stamp_ns <= empty_ns
    assert [record.getMessage()[:34] for record in caplog.records] == [
        '/dev/video0 does not stamp frames '
    ]
    stream.close()


def test_silence_lasts_as_long_as_asked_for(driver: Driver) -> None:
    stream = opened(driver)
    start_ns = time.monotonic_ns()
    with stream.take(50_000_000) as buffer:
        assert buffer is None
    assert 50_000_000 <= time.monotonic_ns() - start_ns < 10**9
    stream.close()


@pytest.mark.parametrize(
    ('code', 'error'),
    [(errno.EPIPE, CameraLostError), (errno.EIO, RefusedError)],
)
def test_a_driver_that_fails(driver: Driver, code: int, error: type[CameraError]) -> None:
    stream = opened(driver)
    driver.fill(0, 0)
    driver.refuse['DQBUF'] = code
    with pytest.raises(error), stream.take(10**9):
        pass
    stream.close()


def test_memory_that_another_program_has(driver: Driver) -> None:
    driver.refuse['REQBUFS'] = errno.EBUSY
    with pytest.raises(CameraError, match='/dev/video0 is busy'):
        opened(driver)


def test_a_stream_that_does_not_start_is_given_back(driver: Driver) -> None:
    driver.is_on = True
    driver.refuse['STREAMON'] = errno.EIO
    with pytest.raises(RefusedError):
        opened(driver)
    assert not driver.is_on


@pytest.mark.parametrize(
    ('title', 'expected'),
    [
        (b'Focus, Absolute', 'focus_absolute'),
        (b'Focus (absolute)', 'focus_absolute'),
        (b'Focus, Automatic Continuous', 'focus_automatic_continuous'),
    ],
)
def test_controls_are_named_as_v4l2_ctl_does(title: bytes, expected: str) -> None:
    assert plain_name(title) == expected


@pytest.mark.parametrize(
    ('code', 'error'),
    [
        (errno.ENODEV, CameraLostError),
        (errno.ENXIO, CameraLostError),
        (errno.EINVAL, RefusedError),
    ],
)
def test_a_device_that_is_gone_is_told_from_one_that_refuses(
    code: int, error: type[CameraError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, 'no')

    monkeypatch.setattr(fcntl, 'ioctl', fail)
    node = VideoNode('/dev/null')
    with pytest.raises(error) as caught:
        node.call('QUERYCAP', raw.v4l2_capability())
    assert type(caught.value) is error
    node.close()
    node.close()
    with pytest.raises(CameraError, match='/dev/null is closed'):
        node.call('QUERYCAP', raw.v4l2_capability())


def test_without_linuxpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'linuxpy.video', None)
    with pytest.raises(CameraError, match=r"pip install 'linuxpy>=0\.25,<1'"):
        load_linuxpy()
