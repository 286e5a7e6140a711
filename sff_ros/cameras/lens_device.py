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
    """The codes of a lens: low .. high, in steps; a step of 0 means continuous."""

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
        """Return the valid code nearest to a number."""
        inside = min(max(code, self.low), self.high)
        if self.step == 0:
            return inside
        steps = round((inside - self.low) / self.step)
        # The last step may be shorter.
        return min(self.low + steps * self.step, self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a running camera.

    Attributes:
        image: (H, W) or (H, W, 3) RGB, uint8 or uint16.
        start_ns: start of exposure, on the device's clock; if a camera does not report it, a
            time that is not later.
        exposure_ns: duration of exposure; start_ns plus half of it is the slice's time.
        stamp_ns: mid-exposure on the clock of time.time_ns().
    """

    image: Image
    start_ns: int
    exposure_ns: int
    stamp_ns: int


class LensDevice(Protocol):
    """A camera and its lens, open and streaming; only time distinguishes its frames.

    Attributes:
        identity: distinguishes this camera from others of its model, such as a serial number;
            empty if unknown. A calibration is for one identity.
        codes: of the lens.
        intrinsics: as reported by the camera; size only if it reports none.
        period_ns: frame period.
        nominal: calibration by the manufacturer, used if there is no other; None: codes have no
            physical unit.
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
        """Command the lens to one of `codes`; return at once, before it has moved.

        Another thread may call this while one waits in `frame`.

        Raises:
            CameraError: the code is refused.
        """
        ...

    def frame(self, not_before_ns: int) -> Frame:
        """Block until the first frame whose exposure began at that time or later.

        Raises:
            CameraError: none arrived in time, or it was damaged.
            CameraLostError: the device is gone; it must be reopened.
        """
        ...

    def close(self) -> None:
        """Restore all settings and release the device; idempotent."""
        ...


@runtime_checkable
class KnowsDepth(Protocol):
    """A device that knows the depth of its scene, such as a simulated one."""

    @property
    def true_depth_m(self) -> FloatMap:
        """(H, W) metres along Z at the reference focus."""
        ...


def first_received(device: LensDevice, not_before_ns: int, losses: int) -> Frame:
    """Return the first frame from a time on that is not lost.

    Args:
        device: open.
        not_before_ns: earliest start of exposure, on the device's clock.
        losses: number of consecutive lost frames to tolerate.

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
