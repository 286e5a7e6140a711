"""When a frame of V4L2 was exposed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sff_ros.errors import CameraError

if TYPE_CHECKING:
    from sff_ros.cameras.v4l2.stream import Stream

UVC_CLOCK = Path('/sys/module/uvcvideo/parameters/hwtimestamps')
_FRAMES = 6
_PATIENCE_NS = 3 * 10**9  # what some cameras take to start


def exposure_start(stamp_ns: int, *, begins: bool, exposure_ns: int, period_ns: int) -> int:
    """Return when a frame's exposure began, or a time not later.

    Args:
        stamp_ns: of the driver.
        begins: whether that is when the exposure began; else when the frame had been read out,
            which takes a frame period at most.
        exposure_ns: how long it was exposed, or at most.
        period_ns: time from frame to frame.
    """
    return stamp_ns if begins else stamp_ns - exposure_ns - period_ns


def stamps_begin(driver: str) -> bool:
    """Tell whether a driver that says so really stamps the start of the exposure.

    uvcvideo says so, and stamps the first packet of a frame, which a camera sends after exposure
    and, with JPEG, after all of it was read out. Only with its parameter hwtimestamps set it takes
    the camera's own time.
    """
    if driver != 'uvcvideo':
        return True
    try:
        return UVC_CLOCK.read_text().strip() in ('1', 'Y')
    except OSError:
        return False


def measured_period(stream: Stream, path: str, at_least: float) -> int:
    """Return the time from frame to frame, ns, of a driver that does not tell.

    Args:
        stream: of the camera.
        path: of its device node.
        at_least: frames a second that it should give.

    Raises:
        CameraError: no frames came, or fewer than asked for.
    """
    seen = []
    for _ in range(_FRAMES):
        with stream.take(_PATIENCE_NS) as buffer:
            if buffer is None:
                raise CameraError(
                    f'{path} tells no frame rate, and gave no frame for {_PATIENCE_NS / 1e9:g} s'
                )
            seen.append((buffer.stamp_ns, buffer.sequence))
    (first_ns, first), (last_ns, last) = seen[0], seen[-1]
    period_ns = (last_ns - first_ns) // max(last - first, _FRAMES - 1)
    if 1e9 / period_ns < at_least * 0.9:
        raise CameraError(
            f'v4l2.frame_rate is {at_least:g} Hz, {path} gives {1e9 / period_ns:.3g} Hz and takes '
            'no other: set it in the sensor, or ask for less'
        )
    return period_ns
