"""The protocol that every camera with a movable lens follows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import Grade
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError


@dataclass(frozen=True, slots=True)
class FocusRange:
    """What a calibrated lens reaches, dioptres: 0 <= far_dpt < near_dpt."""

    far_dpt: float
    near_dpt: float

    def __post_init__(self) -> None:
        if not 0 <= self.far_dpt < self.near_dpt < float('inf'):
            raise CameraError(
                f'a focus range needs 0 <= far < near dioptres, not far {self.far_dpt} and '
                f'near {self.near_dpt}'
            )


class FocusCamera(Protocol):
    """A camera whose lens can move. One thread at a time may use it.

    Attributes:
        intrinsics: pinhole model at the reference focus; `is_calibrated` false where unknown.
        focus_range: dioptres the lens reaches; None where the lens is not calibrated.
        code_range: lens codes it reaches, low and high: what `capture` takes where focus_range is
            None. None where there are no codes.
        positions: the only positions the camera can visit, in the order of time (a recorded
            sweep): dioptres, or plain numbers where focus_range is None. None: the lens is free.
        grade: how far its dioptres may be trusted.
        optics: focal length, f-number and pixel pitch; None where unknown.
    """

    @property
    def intrinsics(self) -> Intrinsics: ...

    @property
    def focus_range(self) -> FocusRange | None: ...

    @property
    def code_range(self) -> tuple[float, float] | None: ...

    @property
    def positions(self) -> tuple[float, ...] | None: ...

    @property
    def grade(self) -> Grade: ...

    @property
    def optics(self) -> ThinLens | None: ...

    def capture(self, focus: float) -> Slice:
        """Move the lens, block until it has settled and a frame exposed after that is in.

        Args:
            focus: dioptres within focus_range, else a code within code_range; one of `positions`
                where these are given.

        Returns:
            The frame with the focus it was exposed at (NaN where focus_range is None) and the
            time of mid-exposure.

        Raises:
            CameraError: the position cannot be reached, the frame was lost, or the camera is
                closed. The camera stays usable unless it is closed.
        """
        ...

    def close(self) -> None:
        """Release the device. Closing twice does no harm."""
        ...


@runtime_checkable
class Glides(Protocol):
    """A camera that can take pictures while its lens moves."""

    def glide(self, positions: tuple[float, ...]) -> Generator[Slice, None, None]:
        """Move steadily from the first position to the last, and give every frame on the way.

        Args:
            positions: as for `capture`, in the order of time; how many there are says how many
                frames to take.

        Yields:
            Slices with the focus they had at mid-exposure; `index` and `count` are set, and an
            index is left out where a frame was lost.

        Raises:
            SffError: it cannot, or the camera is closed.
        """
        ...


@runtime_checkable
class KnowsDepth(Protocol):
    """A camera that knows the truth, as a simulated one does."""

    @property
    def true_depth_m(self) -> FloatMap:
        """(H, W) metres along Z at the reference focus."""
        ...
