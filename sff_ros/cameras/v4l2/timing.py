"""When a V4L2 frame was exposed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sff_ros.errors import CameraError

if TYPE_CHECKING:
    from sff_ros.cameras.v4l2.stream import Stream

UVC_CLOCK = Path('/sys/module/uvcvideo/parameters/hwtimestamps')
_FRAMES = 6
_TIMEOUT_NS = 3 * 10**9  # some cameras take that long to start


def exposure_start(stamp_ns: int, *, begins: bool, exposure_ns: int, period_ns: int) -> int:
    """Return when the exposure of a frame began, ns, or an earlier time.

    Args:
        stamp_ns: of the driver.
        begins: whether that is the start of the exposure; else the end of the read-out, which
            takes one frame period at most.
        exposure_ns: exposure time, or an upper bound of it.
        period_ns: frame period.
    """
    return stamp_ns if begins else stamp_ns - exposure_ns - period_ns


def stamps_begin(driver: str) -> bool:
    """Return whether a driver that claims to stamp the start of the exposure really does.

    uvcvideo claims to, but stamps the first packet of a frame, which a camera sends after the
    exposure and, for JPEG, after the whole read-out. Only with its parameter hwtimestamps it uses
    the time stamps of the camera.
    """
    if driver != 'uvcvideo':
        return True
    try:
        return UVC_CLOCK.read_text().strip() in ('1', 'Y')
    except OSError:
        return False


def measured_period(stream: Stream, path: str, at_least: float) -> int:
    """Measure the frame period, ns, of a driver that does not report it.

    Args:
        stream: of the camera.
        path: of its device node.
        at_least: lowest acceptable frame rate, Hz.

    Raises:
        CameraError: no frames arrived, or at a lower rate.
    """
    seen = []
    for _ in range(_FRAMES):
        with stream.take(_TIMEOUT_NS) as buffer:
            if buffer is None:
                raise CameraError(
                    f'{path} reports no frame rate, and delivered no frame for '
                    f'{_TIMEOUT_NS / 1e9:g} s'
                )
            seen.append((buffer.stamp_ns, buffer.sequence))
    (first_ns, first), (last_ns, last) = seen[0], seen[-1]
    period_ns = (last_ns - first_ns) // max(last - first, _FRAMES - 1)
    if 1e9 / period_ns < at_least * 0.9:
        raise CameraError(
            f'v4l2.frame_rate is {at_least:g} Hz; {path} delivers {1e9 / period_ns:.3g} Hz, which '
            'V4L2 cannot change: configure the sensor, or lower v4l2.frame_rate'
        )
    return period_ns
