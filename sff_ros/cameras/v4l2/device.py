"""A V4L2 camera whose lens is one of its controls."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.v4l2.formats import decode
from sff_ros.cameras.v4l2.modes import set_mode
from sff_ros.cameras.v4l2.node import VideoNode, text_of
from sff_ros.cameras.v4l2.roles import check_captures, find_lens
from sff_ros.cameras.v4l2.search import find_device, identify
from sff_ros.cameras.v4l2.settings import Settings, hold_still
from sff_ros.cameras.v4l2.stream import Buffer, Stream
from sff_ros.cameras.v4l2.timing import exposure_start, measured_period, stamps_begin
from sff_ros.config.cameras import V4l2Config
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CameraError, CameraLostError
from sff_ros.files.home import expanded

_TIMEOUT_NS = 10**9  # for a frame, or five periods if that is longer
_TIMEOUT_PERIODS = 5


class V4l2Device:
    """Implements the LensDevice protocol; streams from construction on.

    Args:
        config: which camera, and its settings.

    Raises:
        CameraError: it cannot be opened as configured; every setting is restored.
    """

    def __init__(self, config: V4l2Config) -> None:
        self._is_open = True
        with contextlib.ExitStack() as undo:
            self._open(config, undo)
            self._undo = undo.pop_all()

    def _open(self, config: V4l2Config, undo: contextlib.ExitStack) -> None:
        """Open, reserve and prepare the camera; register how each step is undone."""
        path = find_device(config.device)
        node = self._node = undo.enter_context(contextlib.closing(VideoNode(path)))
        about = check_captures(node)
        is_separate = bool(config.focus_device)
        if is_separate:
            self._lens_node = VideoNode(str(expanded(config.focus_device)))
            undo.callback(self._lens_node.close)
        else:
            self._lens_node = node
        self._lens = find_lens(self._lens_node, config.focus_control, is_separate)
        self._layout, period_ns = set_mode(node, config)
        # Reserves the camera: settings change only after no other program can be streaming.
        self._stream = undo.enter_context(contextlib.closing(Stream(node)))
        found = hold_still(node, None if is_separate else self._lens, undo)
        if is_separate:
            hold_still(self._lens_node, self._lens, undo)
        self._period_ns = period_ns or measured_period(self._stream, path, config.frame_rate)
        self._adapt(found, config)
        self._exposure_ns = self._exposure(found, config)
        self._begins = stamps_begin(text_of(about.driver))
        self._identity = identify(path, text_of(about.card), text_of(about.bus_info))

    def _exposure(self, found: Settings, config: V4l2Config) -> int:
        """Return the exposure time, ns; if unknown, its upper bound, the frame period."""
        exposure_ns = found.exposure_ns() or self._period_ns
        if config.exposure_us and exposure_ns > self._period_ns * 1.01:
            raise CameraError(
                f'v4l2.exposure_us is {config.exposure_us}; the frame period is '
                f'{self._period_ns // 1000} us at this v4l2.frame_rate'
            )
        return exposure_ns

    def _adapt(self, found: Settings, config: V4l2Config) -> None:
        """Let automatic settings converge, then freeze them."""
        if config.exposure_us:
            found.set_exposure(config.exposure_us)
        if found.is_adapting():
            until_ns = self.now_ns() + round(config.warm_up_s * 1e9)
            while self.now_ns() < until_ns:
                with self._stream.take(until_ns - self.now_ns()):
                    pass
        found.freeze()

    @property
    def identity(self) -> str:
        """Card name with the USB serial number; without one, with the bus address."""
        return self._identity

    @property
    def codes(self) -> CodeRange:
        """Range and step of the lens control, as reported by the driver."""
        return CodeRange(self._lens.low, self._lens.high, max(self._lens.step, 1))

    @property
    def intrinsics(self) -> Intrinsics:
        """The image size, px; V4L2 reports nothing else."""
        return Intrinsics(self._layout.width, self._layout.height)

    @property
    def period_ns(self) -> int:
        """Frame period, ns, as reported by the driver; measured if it reports none."""
        return self._period_ns

    @property
    def nominal(self) -> None:
        """None: V4L2 assigns no dioptres to codes."""
        return None

    def now_ns(self) -> int:
        """Return the time on CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def move(self, code: float) -> None:
        """Command a lens code, one of `codes`."""
        self._check_open()
        self._lens_node.write(self._lens, round(code))

    def frame(self, not_before_ns: int) -> Frame:
        """Block until the first frame whose exposure began at that time or later.

        Raises:
            CameraError: none arrived in time, or it was damaged.
            CameraLostError: the device is gone.
        """
        self._check_open()
        timeout_ns = max(_TIMEOUT_NS, _TIMEOUT_PERIODS * self._period_ns)
        deadline_ns = max(self.now_ns(), not_before_ns) + timeout_ns
        while True:
            with self._stream.take(timeout_ns) as buffer:
                if buffer is None:
                    raise self._no_frame(timeout_ns)
                start_ns = exposure_start(
                    buffer.stamp_ns,
                    begins=buffer.is_start and self._begins,
                    exposure_ns=self._exposure_ns,
                    period_ns=self._period_ns,
                )
                if start_ns >= not_before_ns:
                    return self._to_frame(buffer, start_ns)
            if self.now_ns() > deadline_ns:
                raise CameraError(
                    f'{self._node.path} delivers frames, but within {timeout_ns / 1e9:.3g} s none '
                    'was exposed after the lens had settled'
                )

    def close(self) -> None:
        """Restore every setting and release the device. Idempotent."""
        self._is_open = False
        self._undo.close()

    def _to_frame(self, buffer: Buffer, start_ns: int) -> Frame:
        """Return the decoded buffer; its image is a copy."""
        if buffer.is_damaged:
            raise CameraError(f'{self._node.path}: frame {buffer.sequence} is damaged')
        image = decode(buffer.data, self._layout)
        middle_ns = start_ns + self._exposure_ns // 2
        to_epoch_ns = time.time_ns() - self.now_ns()
        return Frame(image, start_ns, self._exposure_ns, middle_ns + to_epoch_ns)

    def _no_frame(self, waited_ns: int) -> CameraError:
        """Return the error that explains why no frame arrived."""
        path = self._node.path
        if not Path(path).exists():
            return CameraLostError(f'{path} is gone')
        return CameraError(f'{path} delivered no frame for {waited_ns / 1e9:.3g} s')

    def _check_open(self) -> None:
        if not self._is_open:
            raise CameraError('the camera is closed')
