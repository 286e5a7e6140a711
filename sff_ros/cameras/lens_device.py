"""The protocol of hardware: images, and a lens driven by position codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sff_ros.core.image import FloatMap, Image
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.errors import CameraError, CameraLostError


@dataclass(frozen=True, slots=True)
class CodeRange:
    """What a lens can be commanded: low .. high, in steps; a step of 0 is any number between."""

    low: float
    high: float
    step: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf or not 0 <= self.step < math.inf:
            raise CameraError(
                f'lens codes need low < high and a step >= 0, not {self.low:g} .. {self.high:g} '
                f'in steps of {self.step:g}'
            )

    def nearest(self, code: float) -> float:
        """Return the code nearest to a number that the lens can be commanded."""
        inside = min(max(code, self.low), self.high)
        if self.step == 0:
            return inside
        steps = round((inside - self.low) / self.step)
        # The last step may be short of the end.
        return min(self.low + steps * self.step, self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a running camera.

    Attributes:
        image: (H, W) or (H, W, 3) RGB, uint8 or uint16.
        start_ns: when its exposure began, on the device's clock; where a camera does not say, a
            time that is not later.
        exposure_ns: how long it was exposed; half of it after start_ns is the slice's time.
        stamp_ns: mid-exposure in the domain of time.time_ns().
    """

    image: Image
    start_ns: int
    exposure_ns: int
    stamp_ns: int


class LensDevice(Protocol):
    """A camera and its lens, open and streaming; only time distinguishes its frames.

    Attributes:
        identity: what distinguishes this camera from others of its kind, as a serial number; empty
            where nothing does. A calibration is for one identity.
        codes: what the lens can be commanded.
        intrinsics: what the camera says of itself; size only where it says nothing.
        period_ns: time from frame to frame.
        nominal: what codes mean as its maker promises it, where they were not calibrated; None:
            codes mean nothing by themselves.
    """

    @property
    def identity(self) -> str: ...

    @property
    def codes(self) -> CodeRange: ...

    @property
    def intrinsics(self) -> Intrinsics: ...

    @property
    def period_ns(self) -> int: ...

    @property
    def nominal(self) -> LensCalibration | None: ...

    def now_ns(self) -> int:
        """Return the time on the device's clock, that of the frames' start_ns."""
        ...

    def move(self, code: float) -> None:
        """Command the lens to one of `codes`; return at once, not when it is there.

        Another thread may call this while one waits in `frame`.

        Raises:
            CameraError: the lens does not take it.
        """
        ...

    def frame(self, not_before_ns: int) -> Frame:
        """Block until the first frame whose exposure began at that time or later.

        Raises:
            CameraError: none came in time, or it was damaged.
            CameraLostError: the device is gone; it must be opened anew.
        """
        ...

    def close(self) -> None:
        """Put everything back as it was found and release the device; idempotent."""
        ...


@runtime_checkable
class KnowsDepth(Protocol):
    """A device that knows the depth of what it sees, as a simulated one does."""

    @property
    def true_depth_m(self) -> FloatMap:
        """(H, W) metres along Z at the reference focus."""
        ...


def frame_that_comes(device: LensDevice, not_before_ns: int, losses: int) -> Frame:
    """Return the first frame from a time on that is not lost.

    Args:
        device: open.
        not_before_ns: when its exposure may begin, on the device's clock.
        losses: how many in a row are tolerated.

    Raises:
        CameraError: more were lost.
        CameraLostError: the device is gone.
    """
    for _ in range(losses):
        try:
            return device.frame(not_before_ns)
        except CameraLostError:
            raise
        except CameraError:
            not_before_ns += device.period_ns
    return device.frame(not_before_ns)
