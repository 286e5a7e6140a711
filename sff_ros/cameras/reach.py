"""The focus range of a camera: one of three kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sff_ros.errors import CameraError


@dataclass(frozen=True, slots=True)
class Dioptres:
    """A calibrated lens: any focus within 0 <= far_dpt < near_dpt."""

    far_dpt: float
    near_dpt: float

    def __post_init__(self) -> None:
        if not 0 <= self.far_dpt < self.near_dpt < float('inf'):
            raise CameraError(
                f'a focus range needs 0 <= far < near dioptres, not far {self.far_dpt} and '
                f'near {self.near_dpt}'
            )

    def check(self, focus: float) -> None:
        """Raise CameraError if a focus, dioptres, is out of range."""
        if not self.far_dpt <= focus <= self.near_dpt:
            raise CameraError(
                f'focus must be within {self.far_dpt:.4g} .. {self.near_dpt:.4g} dpt, '
                f'not {focus:g}'
            )


@dataclass(frozen=True, slots=True)
class Codes:
    """An uncalibrated lens: any code within low .. high."""

    low: float
    high: float

    def check(self, focus: float) -> None:
        """Raise CameraError if a lens code is out of range."""
        if not self.low <= focus <= self.high:
            raise CameraError(
                f'focus must be within {self.low:.4g} .. {self.high:.4g} in lens codes, '
                f'not {focus:g}'
            )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded sweep.

    Attributes:
        positions: all available ones, in the order of time: dioptres if in_dioptres, else the
            numbers of the images.
        in_dioptres: whether the focus distances are recorded.
    """

    positions: tuple[float, ...]
    in_dioptres: bool


Reach: TypeAlias = Dioptres | Codes | Recorded


def knows_focus(reach: Reach) -> bool:
    """Return whether the focus distances of slices will be known."""
    match reach:
        case Dioptres():
            return True
        case Codes():
            return False
        case Recorded(in_dioptres=known):
            return known
