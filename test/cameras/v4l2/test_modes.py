"""Cameras that answer requests for a format, size and rate in unusual ways."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from fake_video import Open, refused

from sff_ros.cameras.v4l2 import abi
from sff_ros.cameras.v4l2.formats import Layout
from sff_ros.cameras.v4l2.modes import fourcc, set_mode
from sff_ros.cameras.v4l2.roles import check_captures
from sff_ros.config.cameras import V4l2Config
from sff_ros.errors import CameraError

CAPTURE, STREAMING = abi.V4L2_CAP_VIDEO_CAPTURE, abi.V4L2_CAP_STREAMING
PLANES, META = abi.V4L2_CAP_VIDEO_CAPTURE_MPLANE, 0x00800000  # V4L2_CAP_META_CAPTURE
STEPWISE = 3  # V4L2_FRMSIZE_TYPE_STEPWISE and V4L2_FRMIVAL_TYPE_STEPWISE
CONFIG = V4l2Config(width=640, height=480, frame_rate=30.0)


class Bridge:
    """A camera with one format whose sizes and rates are ranges.

    Args:
        refuse: name of a request -> errno.
        field, stride, interval: what it sets instead of the requested format and rate.
        can, card: its capabilities and name.
    """

    def __init__(
        self,
        refuse: dict[str, int] | None = None,
        field: int = 1,
        stride: int = 1280,
        interval: tuple[int, int] = (1, 30),
        can: int = CAPTURE | STREAMING,
        card: bytes = b'bridge',
    ) -> None:
        self.refuse = refuse or {}
        self.field, self.stride, self.interval = field, stride, interval
        self.can, self.card = can, card

    def answer(self, request: str, argument: Any) -> None:
        if request in self.refuse:
            raise refused(self.refuse[request])
        if request.startswith('ENUM_'):
            self._list(request, argument)
        elif request in ('TRY_FMT', 'S_FMT'):
            pixels = argument.fmt.pix
            pixels.width, pixels.height = min(pixels.width, 1280), min(pixels.height, 960)
            pixels.field, pixels.bytesperline = self.field, self.stride
        elif request == 'S_PARM':
            capture = argument.parm.capture
            capture.capability = abi.V4L2_CAP_TIMEPERFRAME
            capture.timeperframe.numerator, capture.timeperframe.denominator = self.interval
        elif request == 'QUERYCAP':
            argument.card, argument.device_caps = self.card, self.can
            argument.capabilities = abi.V4L2_CAP_DEVICE_CAPS

    def _list(self, request: str, argument: Any) -> None:
        if argument.index:
            raise refused(errno.EINVAL)
        if request == 'ENUM_FMT':
            assert argument.type == abi.V4L2_BUF_TYPE_VIDEO_CAPTURE
            argument.pixelformat = fourcc('YUYV')
            return
        assert argument.pixel_format == fourcc('YUYV')
        argument.type = STEPWISE
        if request == 'ENUM_FRAMESIZES':
            argument.stepwise = abi.StepwiseFrameSize(64, 1280, 2, 48, 960, 2)
        else:
            argument.stepwise.min = abi.Fraction(1, 60)
            argument.stepwise.max = abi.Fraction(1, 5)


@pytest.mark.parametrize(
    ('camera', 'stride', 'period_ns'),
    [
        (Bridge(), 1280, 33_333_333),
        (Bridge(stride=1408, interval=(1001, 30000)), 1408, 33_366_667),
        (Bridge(stride=0, interval=(1, 60)), 1280, 16_666_667),
        (Bridge(refuse={'S_PARM': errno.ENOTTY}), 1280, None),
        (Bridge(interval=(0, 0)), 1280, None),
    ],
)
def test_layout_and_period_follow_the_driver(
    opened: Open, camera: Bridge, stride: int, period_ns: int | None
) -> None:
    assert set_mode(opened(camera), CONFIG) == (Layout('YUYV', 640, 480, stride), period_ns)


@pytest.mark.parametrize(
    ('camera', 'config', 'message'),
    [
        (Bridge(field=4), CONFIG, '^video0 delivers interlaced images'),
        (Bridge(interval=(1, 25)), CONFIG, 'frame_rate is 30 Hz; video0 delivers 25 Hz'),
        (Bridge(refuse={'S_FMT': errno.EBUSY}), CONFIG, '^video0 is busy'),
        (Bridge(), V4l2Config(width=1600), r'1600x480 is not .*; YUYV: 64x48 \.\. 1280x960'),
        (Bridge(), V4l2Config(frame_rate=61.0), r'61 Hz is not reached .*; YUYV: 5 \.\. 60 Hz'),
        (Bridge(), V4l2Config(pixel_format='GREY'), "'GREY' is not offered at this size; YUYV"),
    ],
)
def test_an_impossible_mode_is_explained(
    opened: Open, camera: Bridge, config: V4l2Config, message: str
) -> None:
    with pytest.raises(CameraError, match=message):
        set_mode(opened(camera), config)


@pytest.mark.parametrize(
    ('can', 'message'),
    [
        (META | STREAMING, r"'video0' \(bridge\) does not stream images; "),
        (CAPTURE, r'does not stream images; '),
        (PLANES | STREAMING, r'multi-planar formats are not supported\); '),
    ],
)
def test_devices_that_do_not_stream_images_are_refused(
    opened: Open, can: int, message: str
) -> None:
    with pytest.raises(CameraError, match=message):
        check_captures(opened(Bridge(can=can)))


def test_a_name_that_is_not_utf_8_is_still_a_name(opened: Open) -> None:
    with pytest.raises(CameraError, match=r'\(Cam\ufffdra\) does not stream images'):
        check_captures(opened(Bridge(can=META, card=b'Cam\xe9ra')))


class Webcam:
    """A camera with two formats, whose sizes and rates are lists."""

    def __init__(self) -> None:
        self.sizes = {'YUYV': ((640, 480), (320, 240)), 'MJPG': ((640, 480), (1280, 720))}
        self.rates = {640: (30, 15), 320: (30,), 1280: (60, 30)}

    def answer(self, request: str, argument: Any) -> None:
        if request == 'TRY_FMT':
            pixels = argument.fmt.pix
            offered = self._sizes_of(pixels.pixelformat)
            if (pixels.width, pixels.height) not in offered:
                pixels.width, pixels.height = offered[0]
            return
        entries: list[Any] = []
        if request == 'ENUM_FMT':
            entries = [fourcc(name) for name in self.sizes]
        elif request == 'ENUM_FRAMESIZES':
            entries = list(self._sizes_of(argument.pixel_format))
        elif request == 'ENUM_FRAMEINTERVALS':
            entries = list(self.rates[argument.width])
        if argument.index >= len(entries):
            raise refused(errno.EINVAL)
        entry = entries[argument.index]
        if request == 'ENUM_FMT':
            argument.pixelformat = entry
        elif request == 'ENUM_FRAMESIZES':
            argument.type, argument.discrete = 1, entry
        else:
            argument.type, argument.discrete = 1, (1, entry)

    def _sizes_of(self, code: int) -> tuple[tuple[int, int], ...]:
        return next(sizes for name, sizes in self.sizes.items() if fourcc(name) == code)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (V4l2Config(width=333, height=240), '; YUYV: 640x480, 320x240; MJPG: 640x480, 1280x720$'),
        (V4l2Config(frame_rate=31.0), 'is not reached at this size; YUYV, MJPG: 15, 30 Hz$'),
        (V4l2Config(width=1280, height=720, pixel_format='YUYV'), '; MJPG: 30, 60 Hz$'),
    ],
)
def test_lists_of_sizes_and_rates_are_read(opened: Open, config: V4l2Config, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        set_mode(opened(Webcam()), config)
