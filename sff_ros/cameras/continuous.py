"""Frames of a camera whose lens moves at constant speed: their times and numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator

from sff_ros.cameras.lens_device import Frame, LensDevice, first_received
from sff_ros.cameras.ramp import Ramp

LOST_IN_A_ROW = 3  # consecutive lost frames that a continuous sweep tolerates


class FrameTimes:
    """Predicts the frame times of a camera of constant rate from the last frame."""

    def __init__(self, device: LensDevice) -> None:
        self._device = device
        self._last_mid_ns: int | None = None

    @property
    def are_known(self) -> bool:
        """Whether a frame has been received."""
        return self._last_mid_ns is not None

    def note(self, frame: Frame) -> int:
        """Record a received frame; return its mid-exposure, on the device's clock."""
        self._last_mid_ns = frame.start_ns + frame.exposure_ns // 2
        return self._last_mid_ns

    def next_mid_ns(self) -> int:
        """Return the mid-exposure of the next frame that is not yet past."""
        assert self._last_mid_ns is not None
        period = self._device.period_ns
        mid_ns = self._last_mid_ns + period
        late = self._device.now_ns() - mid_ns
        return mid_ns + max(-(-late // period), 0) * period


def frames_in_motion(
    device: LensDevice,
    times: FrameTimes,
    command: Callable[[float], None],
    ends: tuple[float, float],
    count: int,
    lag_s: float,
) -> Generator[tuple[int, int, Frame], None, None]:
    """Move a lens at constant speed from one focus to another; yield the frames in between.

    Args:
        device: open, its lens at the start of the sweep.
        times: of the device; a frame has been received.
        command: commands the lens to a focus.
        ends: first and last focus.
        count: number of frames to take, from the next one on.
        lag_s: delay of the lens behind its commands.

    Yields:
        Number and mid-exposure of a frame, and the frame; lost frames are skipped.

    Raises:
        CameraError: more than LOST_IN_A_ROW consecutive frames were lost.
    """
    period = device.period_ns
    first_ns = times.next_mid_ns()
    last_ns = first_ns + (count - 1) * period
    not_before_ns = first_ns - period  # exposure is shorter than a period
    with Ramp(command, device.now_ns, ends, first_ns, last_ns - round(lag_s * 1e9)):
        while True:
            frame = first_received(device, not_before_ns, LOST_IN_A_ROW)
            mid_ns = times.note(frame)
            index = round((mid_ns - first_ns) / period)
            if index >= count:
                return  # the last frames were lost
            yield index, mid_ns, frame
            if index == count - 1:
                return
            not_before_ns = frame.start_ns + period // 2
