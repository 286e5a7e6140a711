"""Frames in the memory of the driver: a queue of four buffers."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import mmap
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sff_ros.cameras.v4l2 import abi, ioctl
from sff_ros.cameras.v4l2.formats import Bytes
from sff_ros.cameras.v4l2.node import RefusedError, VideoNode
from sff_ros.cameras.v4l2.search import explain_busy
from sff_ros.errors import CameraError, CameraLostError

BUFFERS = 4
_LOG = logging.getLogger(__name__)
_LOST = select.POLLHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """One frame; its memory belongs to the driver and is reused after Stream.take.

    Attributes:
        data: (N,) the bytes that the driver used.
        sequence: number of the frame; lost ones are counted.
        stamp_ns: on CLOCK_MONOTONIC; if the driver uses another clock, a time before the
            frame arrived.
        is_start: whether the stamp is the start of the exposure; else the end of the frame.
        is_damaged: as reported by the driver.
    """

    data: Bytes
    sequence: int
    stamp_ns: int
    is_start: bool
    is_damaged: bool


class Stream:
    """The frames of a camera whose format is set; streams from construction on.

    Args:
        node: of the camera; not closed here.

    Raises:
        CameraError: it has no memory to map, or another program uses it.
    """

    def __init__(self, node: VideoNode) -> None:
        self._has_stamps = True
        self._node = node
        self._poll = select.poll()
        self._poll.register(node.fileno(), select.POLLIN)
        self._empty_ns = time.monotonic_ns()
        self._maps: list[mmap.mmap] = []
        count = self._request(BUFFERS)
        try:
            for index in range(count):
                self._maps.append(self._map(index))
            for index in range(count):
                self._node.call(ioctl.VIDIOC_QBUF, _buffer(index))
            self._switch(ioctl.VIDIOC_STREAMON)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def take(self, timeout_ns: int) -> Iterator[Buffer | None]:
        """Yield the oldest frame of the queue; it is valid within the context only.

        Args:
            timeout_ns: how long to wait for one; then None is yielded.

        Raises:
            CameraLostError: the device is gone.
            CameraError: the driver failed.
        """
        answer = self._dequeue(timeout_ns)
        if answer is None:
            yield None
            return
        clock = answer.flags & abi.V4L2_BUF_FLAG_TIMESTAMP_MASK
        source = answer.flags & abi.V4L2_BUF_FLAG_TSTAMP_SRC_MASK
        is_monotonic = clock == abi.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
        stamp_ns = answer.timestamp.tv_sec * 10**9 + answer.timestamp.tv_usec * 1000
        self._note_stamps(is_monotonic)
        data = np.frombuffer(self._maps[answer.index], np.uint8)[: answer.bytesused]
        try:
            yield Buffer(
                data,
                sequence=answer.sequence,
                stamp_ns=stamp_ns if is_monotonic else self._empty_ns,
                is_start=is_monotonic and source == abi.V4L2_BUF_FLAG_TSTAMP_SRC_SOE,
                is_damaged=bool(answer.flags & abi.V4L2_BUF_FLAG_ERROR),
            )
        finally:
            self._node.call(ioctl.VIDIOC_QBUF, _buffer(answer.index))

    def close(self) -> None:
        """Stop streaming and free the buffers."""
        with contextlib.suppress(CameraError):
            self._switch(ioctl.VIDIOC_STREAMOFF)
        for memory in self._maps:
            with contextlib.suppress(BufferError):  # an array still refers to it, and frees it
                memory.close()
        with contextlib.suppress(CameraError):
            self._request(0)

    def _note_stamps(self, is_monotonic: bool) -> None:
        """Warn once that a driver does not stamp its frames."""
        if self._has_stamps and not is_monotonic:
            _LOG.warning(
                '%s does not stamp frames on CLOCK_MONOTONIC: their arrival times are used, which '
                'costs one more frame after each move of the lens',
                self._node.path,
            )
        self._has_stamps = is_monotonic

    def _dequeue(self, timeout_ns: int) -> abi.Buffer | None:
        """Return the description of the oldest frame; None if none arrived in time."""
        deadline_ns = time.monotonic_ns() + timeout_ns
        while True:
            events = self._poll.poll(0)
            if not events:
                # Every later frame arrives after this time.
                self._empty_ns = time.monotonic_ns()
                left_ms = -((self._empty_ns - deadline_ns) // 10**6)
                events = self._poll.poll(max(left_ms, 0))
            if not events:
                return None
            if events[0][1] & _LOST or not events[0][1] & select.POLLIN:
                raise CameraLostError(f'{self._node.path} is gone or has failed: reopen it')
            try:
                return self._node.call(ioctl.VIDIOC_DQBUF, _buffer(0))
            except RefusedError as err:
                if err.code == errno.EPIPE:
                    raise CameraLostError(
                        f'{self._node.path} has stopped streaming: {err}'
                    ) from err
                if err.code != errno.EAGAIN:
                    raise
                if time.monotonic_ns() > deadline_ns:
                    return None

    def _request(self, count: int) -> int:
        """Request a number of buffers; return how many were granted."""
        kind, memory = abi.V4L2_BUF_TYPE_VIDEO_CAPTURE, abi.V4L2_MEMORY_MMAP
        asked = abi.RequestBuffers(count=count, type=kind, memory=memory)
        try:
            return int(self._node.call(ioctl.VIDIOC_REQBUFS, asked).count)
        except RefusedError as err:
            if err.code == errno.EBUSY:
                raise CameraError(explain_busy(self._node.path)) from err
            raise

    def _map(self, index: int) -> mmap.mmap:
        answer = self._node.call(ioctl.VIDIOC_QUERYBUF, _buffer(index))
        return mmap.mmap(self._node.fileno(), answer.length, offset=answer.m.offset)

    def _switch(self, request: ioctl.Request[ctypes.c_int]) -> None:
        self._node.call(request, ctypes.c_int(abi.V4L2_BUF_TYPE_VIDEO_CAPTURE))


def _buffer(index: int) -> abi.Buffer:
    """Return the description of a buffer that requests refer to it by."""
    kind, memory = abi.V4L2_BUF_TYPE_VIDEO_CAPTURE, abi.V4L2_MEMORY_MMAP
    return abi.Buffer(index=index, type=kind, memory=memory)
