"""The buffer queue of a driver that stamps frames, of one that does not, and of one that fails."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_video import play_driver, refused

from sff_ros.cameras.v4l2 import abi, ioctl
from sff_ros.cameras.v4l2.node import RefusedError, VideoNode, plain_name
from sff_ros.cameras.v4l2.stream import BUFFERS, Buffer, Stream
from sff_ros.errors import CameraError, CameraLostError

MONOTONIC = abi.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
START = abi.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
DAMAGED = abi.V4L2_BUF_FLAG_ERROR
COPIED = 0x4000  # V4L2_BUF_FLAG_TIMESTAMP_COPY
SIZE = 4096


class Driver:
    """A driver that fills buffers on request; the node is a pipe, which wakes poll.

    Args:
        path: of the node, which is created.

    Attributes:
        mapped: offset of the memory that was mapped of each buffer.
        refuse: name of a request -> errno.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.queued: list[int] = []
        self.ready: list[abi.Buffer] = []
        self.mapped: list[int] = []
        self.refuse: dict[str, int] = {}
        self.is_on = False

    def fill(self, stamp_ns: int, flags: int, used: int = SIZE) -> None:
        buffer = abi.Buffer(index=self.queued.pop(0), bytesused=used, flags=flags)
        buffer.timestamp.tv_sec, rest = divmod(stamp_ns, 10**9)
        buffer.timestamp.tv_usec = rest // 1000
        self.ready.append(buffer)
        os.write(self._pipe, b'1')

    def answer(self, request: str, argument: Any) -> None:
        if request in self.refuse:
            raise refused(self.refuse[request])
        if isinstance(argument, ctypes.c_int):
            assert argument.value == abi.V4L2_BUF_TYPE_VIDEO_CAPTURE
        else:
            kind = argument.type, argument.memory
            assert kind == (abi.V4L2_BUF_TYPE_VIDEO_CAPTURE, abi.V4L2_MEMORY_MMAP)
        if request == 'QUERYBUF':
            argument.length, argument.m.offset = SIZE, SIZE * argument.index
        elif request == 'QBUF':
            self.queued.append(argument.index)
        elif request == 'DQBUF':
            if not self.ready:
                raise refused(errno.EAGAIN)
            os.read(self._pipe, 1)
            ctypes.pointer(argument)[0] = self.ready.pop(0)
        elif request.startswith('STREAM'):
            self.is_on = request == 'STREAMON'

    def map(self, fd: int, length: int, offset: int) -> mmap.mmap:
        assert os.path.samestat(os.fstat(fd), os.fstat(self._pipe))
        self.mapped.append(offset)
        return MMAP(-1, length)

    def close(self) -> None:
        os.close(self._pipe)


MMAP = mmap.mmap


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Driver]:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Driver(Path('video0'))) as fake:
        monkeypatch.setattr(mmap, 'mmap', fake.map)
        play_driver(monkeypatch, Path('video0'), fake)
        yield fake


@pytest.fixture
def node(driver: Driver) -> Iterator[VideoNode]:
    with contextlib.closing(VideoNode('video0')) as opened:
        yield opened


def take(stream: Stream) -> Buffer:
    with stream.take(10**9) as buffer:
        assert buffer is not None
        return buffer


def test_buffers_are_queued_again(driver: Driver, node: VideoNode) -> None:
    stream = Stream(node)
    assert driver.queued == [0, 1, 2, 3] == list(range(BUFFERS))
    assert driver.mapped == [0, SIZE, 2 * SIZE, 3 * SIZE]
    assert driver.is_on
    driver.fill(3_000_007_000, MONOTONIC | START, used=100)
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
        (MONOTONIC, False, False),
        (MONOTONIC | START | DAMAGED, True, True),
        (START, False, False),
        (COPIED | START, False, False),
    ],
)
def test_flags(
    driver: Driver, node: VideoNode, flags: int, is_start: bool, is_damaged: bool
) -> None:
    stream = Stream(node)
    driver.fill(10**9, flags)
    buffer = take(stream)
    assert (buffer.is_start, buffer.is_damaged) == (is_start, is_damaged)
    stream.close()


def test_without_stamps_a_frame_has_the_earliest_possible_time(
    driver: Driver, node: VideoNode, caplog: pytest.LogCaptureFixture
) -> None:
    start_ns = time.monotonic_ns()
    stream = Stream(node)
    with stream.take(0) as nothing:
        assert nothing is None
    empty_ns = time.monotonic_ns()
    for _ in range(2):
        driver.fill(10**18, 0)
    time.sleep(0.02)
    # Both arrived some time after the queue was last seen empty, however late they are taken.
    for _ in range(2):
        assert start_ns < take(stream).stamp_ns <= empty_ns
    assert [record.getMessage()[:29] for record in caplog.records] == [
        'video0 does not stamp frames '
    ]
    stream.close()


def test_none_comes_after_the_timeout(driver: Driver, node: VideoNode) -> None:
    stream = Stream(node)
    start_ns = time.monotonic_ns()
    with stream.take(50_000_000) as buffer:
        assert buffer is None
    assert time.monotonic_ns() - start_ns >= 50_000_000
    stream.close()


@pytest.mark.parametrize(
    ('code', 'error'),
    [(errno.EPIPE, CameraLostError), (errno.EIO, RefusedError)],
)
def test_a_driver_that_fails(
    driver: Driver, node: VideoNode, code: int, error: type[CameraError]
) -> None:
    stream = Stream(node)
    driver.fill(0, 0)
    driver.refuse['DQBUF'] = code
    with pytest.raises(error), stream.take(10**9):
        pass
    stream.close()


def test_a_buffer_that_is_not_ready_after_all(driver: Driver, node: VideoNode) -> None:
    stream = Stream(node)
    driver.fill(0, MONOTONIC)
    driver.refuse['DQBUF'] = errno.EAGAIN  # poll reports a frame for ever
    with stream.take(20_000_000) as buffer:
        assert buffer is None
    del driver.refuse['DQBUF']
    assert len(take(stream).data) == SIZE
    stream.close()


def test_a_camera_that_another_program_uses_is_busy(driver: Driver, node: VideoNode) -> None:
    driver.refuse['REQBUFS'] = errno.EBUSY
    with pytest.raises(CameraError, match=r'^video0 is busy'):
        Stream(node)


def test_a_stream_that_does_not_start_is_stopped(driver: Driver, node: VideoNode) -> None:
    driver.is_on = True
    driver.refuse['STREAMON'] = errno.EIO
    with pytest.raises(RefusedError):
        Stream(node)
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
def test_a_lost_device_and_a_refused_request_raise_different_errors(
    code: int, error: type[CameraError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, 'no')

    monkeypatch.setattr(fcntl, 'ioctl', fail)
    node = VideoNode('/dev/null')
    with pytest.raises(error) as caught:
        node.call(ioctl.VIDIOC_QUERYCAP, abi.Capability())
    assert type(caught.value) is error
    node.close()
    node.close()
    with pytest.raises(CameraError, match='/dev/null is closed'):
        node.call(ioctl.VIDIOC_QUERYCAP, abi.Capability())


def test_a_call_that_a_signal_interrupts_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [errno.EINTR, errno.EINTR]

    def call(fd: int, number: int, argument: Any) -> None:
        if codes:
            raise OSError(codes.pop(), 'no')
        argument.card = b'camera'

    monkeypatch.setattr(fcntl, 'ioctl', call)
    assert ioctl.call(0, ioctl.VIDIOC_QUERYCAP, abi.Capability()).card == b'camera'
    assert codes == []


def test_a_refusal_names_the_request() -> None:
    with (
        Path('/dev/null').open() as file,
        pytest.raises(OSError, match='VIDIOC_QUERYCAP: Inappropriate ioctl for device') as caught,
    ):
        ioctl.call(file.fileno(), ioctl.VIDIOC_QUERYCAP, abi.Capability())
    assert caught.value.errno == errno.ENOTTY
