"""Cameras that answer in odd ways when they are asked for a format, size and rate."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from sff_ros.cameras.v4l2.formats import Layout
from sff_ros.cameras.v4l2.modes import fourcc, set_mode
from sff_ros.cameras.v4l2.node import RefusedError
from sff_ros.cameras.v4l2.roles import check_captures
from sff_ros.config.cameras import V4l2Config
from sff_ros.errors import CameraError

raw = pytest.importorskip('linuxpy.video.raw')

CAN = raw.Capability
CONFIG = V4l2Config(width=640, height=480, frame_rate=30.0)


class Bridge:
    """A camera with one format whose sizes and rates are ranges.

    Args:
        refuse: request -> errno.
        field, stride, interval: what it makes of a format and a rate.
        can: its capabilities.
    """

    raw = raw
    path = '/dev/video0'

    def __init__(
        self,
        refuse: dict[str, int] | None = None,
        field: int = 1,
        stride: int = 1280,
        interval: tuple[int, int] = (1, 30),
        can: int = int(CAN.VIDEO_CAPTURE | CAN.STREAMING),
    ) -> None:
        self.refuse = refuse or {}
        self.field, self.stride, self.interval, self.can = field, stride, interval, can

    def call(self, request: str, argument: Any) -> Any:
        if request in self.refuse:
            raise RefusedError(request, self.refuse[request])
        if request in ('TRY_FMT', 'S_FMT'):
            pixels = argument.fmt.pix
            pixels.width, pixels.height = min(pixels.width, 1280), min(pixels.height, 960)
            pixels.field, pixels.bytesperline = self.field, self.stride
        elif request == 'S_PARM':
            capture = argument.parm.capture
            capture.capability = int(CAN.TIMEPERFRAME)
            capture.timeperframe.numerator, capture.timeperframe.denominator = self.interval
        elif request == 'QUERYCAP':
            argument.card, argument.device_caps = b'bridge', self.can
            argument.capabilities = int(CAN.DEVICE_CAPS)
        return argument

    def enumerate(self, request: str, kind: str, **fields: int) -> Iterator[Any]:
        answer = getattr(raw, kind)(
            index=0, type=3, **{k: v for k, v in fields.items() if k != 'type'}
        )
        if request == 'ENUM_FMT':
            answer.pixelformat = fourcc('YUYV')
        elif request == 'ENUM_FRAMESIZES':
            answer.stepwise = raw.v4l2_frmsize_stepwise(64, 1280, 2, 48, 960, 2)
        else:
            answer.stepwise.min = raw.v4l2_fract(1, 60)
            answer.stepwise.max = raw.v4l2_fract(1, 5)
        yield answer


def mode_of(camera: Bridge, config: V4l2Config = CONFIG) -> tuple[Layout, int | None]:
    node: Any = camera
    return set_mode(node, config)


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
def test_what_is_made_of_the_answer(camera: Bridge, stride: int, period_ns: int | None) -> None:
    assert mode_of(camera) == (Layout('YUYV', 640, 480, stride), period_ns)


@pytest.mark.parametrize(
    ('camera', 'config', 'message'),
    [
        (Bridge(field=4), CONFIG, '/dev/video0 gives interlaced pictures'),
        (Bridge(interval=(1, 25)), CONFIG, 'frame_rate is 30 Hz, /dev/video0 gives 25 Hz here'),
        (Bridge(refuse={'S_FMT': errno.EBUSY}), CONFIG, '/dev/video0 is busy'),
        (Bridge(), V4l2Config(width=1600), r'1600x480 is not .*; YUYV: 64x48 \.\. 1280x960'),
        (Bridge(), V4l2Config(frame_rate=61.0), r'61 Hz is not reached .*; YUYV: 5 \.\. 60 Hz'),
        (Bridge(), V4l2Config(pixel_format='GREY'), "'GREY' is not offered at this size; YUYV"),
    ],
)
def test_why_a_mode_cannot_be_had(camera: Bridge, config: V4l2Config, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        mode_of(camera, config)


@pytest.mark.parametrize(
    ('can', 'message'),
    [
        (CAN.META_CAPTURE | CAN.STREAMING, r"'/dev/video0' \(bridge\) gives no pictures; "),
        (CAN.VIDEO_CAPTURE, r'gives no pictures; '),
        (CAN.VIDEO_CAPTURE_MPLANE | CAN.STREAMING, r'memory of their own are not supported\); '),
    ],
)
def test_what_is_no_camera_for_us(can: int, message: str) -> None:
    node: Any = Bridge(can=int(can))
    with pytest.raises(CameraError, match=message):
        check_captures(node)
