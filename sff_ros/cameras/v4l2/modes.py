"""The formats, sizes and frame rates of a camera: listing them and setting one."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from sff_ros.cameras.v4l2 import abi, ioctl
from sff_ros.cameras.v4l2.formats import FOURCC, Layout, Offer, choose, grouped
from sff_ros.cameras.v4l2.node import RefusedError, VideoNode, text_of
from sff_ros.cameras.v4l2.search import explain_busy
from sff_ros.config.cameras import V4l2Config
from sff_ros.errors import CameraError


def set_mode(node: VideoNode, config: V4l2Config) -> tuple[Layout, int | None]:
    """Set the format, size and frame rate of the config.

    Returns:
        The memory layout of images, and the frame period, ns; None if the driver reports none.

    Raises:
        CameraError: the camera lacks them, or another program uses it.
    """
    names = offered_names(node)
    offers = [
        Offer(name, *_rates(node, name, config.width, config.height))
        for name in names
        if has_size(node, name, config.width, config.height)
    ]
    if not offers:
        other = ', '.join(text_of(answer.description) for answer in _formats(node)) or 'none'
        raise CameraError(
            f'v4l2.width x height {config.width}x{config.height} is not offered by {node.path}; '
            + (grouped((name, _sizes(node, name)) for name in names) or f'its formats: {other}')
        )
    offer, rate = choose(config.pixel_format, config.frame_rate, offers)
    pixels = _set_format(node, offer.name, config)
    layout = Layout(offer.name, config.width, config.height, pixels.bytesperline)
    if layout.stride < layout.row:  # some drivers report 0
        layout = replace(layout, stride=layout.row)
    return layout, _set_rate(node, rate, config.frame_rate)


def offered_names(node: VideoNode) -> list[str]:
    """Return the supported formats that a camera has."""
    codes = {answer.pixelformat for answer in _formats(node)}
    return [name for name in FOURCC if fourcc(name) in codes]


def _formats(node: VideoNode) -> Iterator[abi.FormatDescription]:
    """Yield the description of every format, supported or not."""
    asked = abi.FormatDescription(type=abi.V4L2_BUF_TYPE_VIDEO_CAPTURE)
    return node.enumerate(ioctl.VIDIOC_ENUM_FMT, asked)


def fourcc(name: str) -> int:
    """Return the kernel's code of a supported format."""
    return int.from_bytes(FOURCC[name].encode(), 'little')


def has_size(node: VideoNode, name: str, width: int, height: int) -> bool:
    """Return whether a camera has a size in a format; changes nothing."""
    request = _format(name, width, height)
    try:
        pixels = node.call(ioctl.VIDIOC_TRY_FMT, request).fmt.pix
    except RefusedError:
        return False
    return (pixels.pixelformat, pixels.width, pixels.height) == (fourcc(name), width, height)


def _rates(
    node: VideoNode, name: str, width: int, height: int
) -> tuple[tuple[Fraction, ...], bool]:
    """Return the rates at a size, Hz, ascending, and whether those between are possible, too."""
    asked = abi.FrameInterval(pixel_format=fourcc(name), width=width, height=height)
    rates: set[Fraction] = set()
    for answer in node.enumerate(ioctl.VIDIOC_ENUM_FRAMEINTERVALS, asked):
        if answer.type != abi.V4L2_FRMIVAL_TYPE_DISCRETE:
            ends = answer.stepwise.min, answer.stepwise.max
            return tuple(sorted(_rate(end) for end in ends)), True
        rates.add(_rate(answer.discrete))
    return tuple(sorted(rates)), False


def _rate(interval: abi.Fraction) -> Fraction:
    return Fraction(interval.denominator, max(interval.numerator, 1))


def _sizes(node: VideoNode, name: str) -> str:
    """Return the sizes of a format, for error messages."""
    texts = []
    asked = abi.FrameSize(pixel_format=fourcc(name))
    for answer in node.enumerate(ioctl.VIDIOC_ENUM_FRAMESIZES, asked):
        if answer.type == abi.V4L2_FRMSIZE_TYPE_DISCRETE:
            texts.append(f'{answer.discrete.width}x{answer.discrete.height}')
        else:
            s = answer.stepwise
            texts.append(f'{s.min_width}x{s.min_height} .. {s.max_width}x{s.max_height}')
    return ', '.join(texts) or 'sizes not listed'


def _format(name: str, width: int, height: int) -> abi.Format:
    """Return a request for a format."""
    request = abi.Format(type=abi.V4L2_BUF_TYPE_VIDEO_CAPTURE)
    pixels = request.fmt.pix
    pixels.width, pixels.height, pixels.pixelformat = width, height, fourcc(name)
    pixels.field = abi.V4L2_FIELD_NONE
    return request


def _set_format(node: VideoNode, name: str, config: V4l2Config) -> abi.PixelFormat:
    """Set a format that was offered; return what the driver chose."""
    request = _format(name, config.width, config.height)
    try:
        pixels: abi.PixelFormat = node.call(ioctl.VIDIOC_S_FMT, request).fmt.pix
    except RefusedError as err:
        if err.code == errno.EBUSY:
            raise CameraError(explain_busy(node.path)) from err
        raise
    if pixels.field not in (abi.V4L2_FIELD_ANY, abi.V4L2_FIELD_NONE):
        raise CameraError(f'{node.path} delivers interlaced images, which are not supported')
    if (pixels.width, pixels.height) != (config.width, config.height):
        raise CameraError(
            f'{node.path} offered {name} {config.width}x{config.height}, but set '
            f'{pixels.width}x{pixels.height}'
        )
    return pixels


def _set_rate(node: VideoNode, rate: Fraction, at_least: float) -> int | None:
    """Request a frame rate; return the frame period, ns, or None if it is not reported."""
    request = abi.StreamParameters(type=abi.V4L2_BUF_TYPE_VIDEO_CAPTURE)
    request.parm.capture.timeperframe.numerator = rate.denominator
    request.parm.capture.timeperframe.denominator = rate.numerator
    try:
        capture = node.call(ioctl.VIDIOC_S_PARM, request).parm.capture
    except RefusedError:
        return None  # a sensor behind a bridge: its rate is set by other means
    interval = capture.timeperframe
    if not capture.capability & abi.V4L2_CAP_TIMEPERFRAME or not interval.numerator:
        return None
    actual = Fraction(interval.denominator, interval.numerator)
    if actual < at_least * 0.99:
        raise CameraError(
            f'v4l2.frame_rate is {at_least:g} Hz; {node.path} delivers {float(actual):.4g} Hz'
        )
    return round(10**9 / actual)
