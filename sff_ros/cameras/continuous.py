"""Frames of a camera whose lens moves steadily: when they come, and which one each is."""

from __future__ import annotations

from collections.abc import Callable, Generator

from sff_ros.cameras.lens_device import Frame, LensDevice, frame_that_comes
from sff_ros.cameras.ramp import Ramp

LOST_IN_A_ROW = 3  # frames that a continuous sweep goes on without


class FrameTimes:
    """Predicts the frames of a camera that runs at an even rate, from the last one taken."""

    def __init__(self, device: LensDevice) -> None:
        self._device = device
        self._last_mid_ns: int | None = None

    @property
    def are_known(self) -> bool:
        """Whether a frame was taken yet."""
        return self._last_mid_ns is not None

    def note(self, frame: Frame) -> int:
        """Note a frame that came; return its mid-exposure, on the device's clock."""
        self._last_mid_ns = frame.start_ns + frame.exposure_ns // 2
        return self._last_mid_ns

    def next_mid_ns(self) -> int:
        """Return the mid-exposure of the first frame after the last one that is not over yet."""
        assert self._last_mid_ns is not None
        period = self._device.period_ns
        mid_ns = self._last_mid_ns + period
        late = self._device.now_ns() - mid_ns
        return mid_ns + max(-(-late // period), 0) * period


def frames_on_the_way(
    device: LensDevice,
    times: FrameTimes,
    lead: Callable[[float], None],
    ends: tuple[float, float],
    count: int,
    lag_s: float,
) -> Generator[tuple[int, int, Frame], None, None]:
    """Lead a lens steadily from one focus to another; give the frames on the way.

    Args:
        device: open, its lens where the sweep begins.
        times: of the device, known.
        lead: commands the lens to focus somewhere.
        ends: first and last focus.
        count: how many frames to take, from the next one on.
        lag_s: how far the lens is behind its commands.

    Yields:
        Number and mid-exposure of a frame, and the frame; numbers of lost frames are left out.

    Raises:
        CameraError: more than LOST_IN_A_ROW frames in a row were lost.
    """
    period = device.period_ns
    first_ns = times.next_mid_ns()
    last_ns = first_ns + (count - 1) * period
    not_before_ns = first_ns - period  # exposure is shorter than a period
    with Ramp(lead, device.now_ns, ends, first_ns, last_ns - round(lag_s * 1e9)):
        while True:
            frame = frame_that_comes(device, not_before_ns, LOST_IN_A_ROW)
            mid_ns = times.note(frame)
            index = round((mid_ns - first_ns) / period)
            if index >= count:
                return  # the last frames were lost
            yield index, mid_ns, frame
            if index == count - 1:
                return
            not_before_ns = frame.start_ns + period // 2
