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
        can: its capabilities.
    """

    def __init__(
        self,
        refuse: dict[str, int] | None = None,
        field: int = 1,
        stride: int = 1280,
        interval: tuple[int, int] = (1, 30),
        can: int = CAPTURE | STREAMING,
    ) -> None:
        self.refuse = refuse or {}
        self.field, self.stride, self.interval, self.can = field, stride, interval, can

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
            argument.card, argument.device_caps = b'bridge', self.can
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
