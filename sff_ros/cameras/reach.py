"""What a camera can focus at: one value of three kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sff_ros.errors import CameraError


@dataclass(frozen=True, slots=True)
class Dioptres:
    """A calibrated lens, free within 0 <= far_dpt < near_dpt."""

    far_dpt: float
    near_dpt: float

    def __post_init__(self) -> None:
        if not 0 <= self.far_dpt < self.near_dpt < float('inf'):
            raise CameraError(
                f'a focus range needs 0 <= far < near dioptres, not far {self.far_dpt} and '
                f'near {self.near_dpt}'
            )

    def check(self, focus: float) -> None:
        """Raise CameraError where a focus, dioptres, is out of reach."""
        if not self.far_dpt <= focus <= self.near_dpt:
            raise CameraError(
                f'focus must be within {self.far_dpt:.4g} .. {self.near_dpt:.4g} dpt, '
                f'not {focus:g}'
            )


@dataclass(frozen=True, slots=True)
class Codes:
    """A lens that is not calibrated, free within the codes low .. high."""

    low: float
    high: float

    def check(self, focus: float) -> None:
        """Raise CameraError where a lens code is out of reach."""
        if not self.low <= focus <= self.high:
            raise CameraError(
                f'focus must be within {self.low:.4g} .. {self.high:.4g} in lens codes, '
                f'not {focus:g}'
            )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded sweep.

    Attributes:
        positions: all that can be visited, in the order of time: dioptres where in_dioptres,
            else the numbers of the images.
        in_dioptres: whether the recording knows its focus distances.
    """

    positions: tuple[float, ...]
    in_dioptres: bool


Reach: TypeAlias = Dioptres | Codes | Recorded


def knows_focus(reach: Reach) -> bool:
    """Return whether slices will know their focus distance."""
    match reach:
        case Dioptres():
            return True
        case Codes():
            return False
        case Recorded(in_dioptres=known):
            return known
