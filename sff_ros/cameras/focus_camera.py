"""The protocol of every camera with a movable lens."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, runtime_checkable

from sff_ros.cameras.reach import Reach
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import CalibrationStatus
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice


class FocusCamera(Protocol):
    """A camera whose lens can move. Not thread-safe.

    Attributes:
        intrinsics: pinhole model at the reference focus; `is_calibrated` is false if unknown.
        reach: its focus range.
        calibration_status: how reliable its dioptres are.
        optics: focal length, f-number and pixel pitch; None if unknown.
        ground_truth_m: (H, W) metres along Z at the reference focus, known to a
            simulated camera; otherwise None.
    """

    @property
    def intrinsics(self) -> Intrinsics: ...

    @property
    def reach(self) -> Reach: ...

    @property
    def calibration_status(self) -> CalibrationStatus: ...

    @property
    def optics(self) -> ThinLens | None: ...

    @property
    def ground_truth_m(self) -> FloatMap | None: ...

    def capture(self, focus: float, index: int = 0, count: int = 1, sweep: int = 0) -> Slice:
        """Move the lens; block until it has settled and a frame exposed afterwards has arrived.

        Args:
            focus: within `reach`: dioptres, a code, or one of the recorded positions.
            index, count, sweep: of the slice to take.

        Returns:
            The frame with the state of the lens during exposure, and the time of mid-exposure.

        Raises:
            CameraError: the position cannot be reached, the frame was lost, or the camera is
                closed. The camera stays usable unless it is closed.
        """
        ...

    def close(self) -> None:
        """Release the device; idempotent."""
        ...


@runtime_checkable
class ContinuousCamera(Protocol):
    """A camera that can take images while its lens moves."""

    def sweep_continuously(
        self, positions: tuple[float, ...], sweep: int = 0
    ) -> Generator[Slice, None, None]:
        """Move at constant speed from the first position to the last; yield every frame.

        Args:
            positions: as for `capture`, in the order of time; as many frames are taken.
            sweep: number of the sweep.

        Yields:
            Slices with their focus at mid-exposure; the index of a lost frame is skipped.

        Raises:
            SffError: it is unable to, or the camera is closed.
        """
        ...
