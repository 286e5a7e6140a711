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
        _check_within(focus, self.far_dpt, self.near_dpt, 'dpt')


@dataclass(frozen=True, slots=True)
class Codes:
    """An uncalibrated lens: any code within low .. high."""

    low: float
    high: float

    def check(self, focus: float) -> None:
        """Raise CameraError if a lens code is out of range."""
        _check_within(focus, self.low, self.high, 'in lens codes')


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


def _check_within(focus: float, low: float, high: float, unit: str) -> None:
    if not low <= focus <= high:
        raise CameraError(f'focus must be within {low:.4g} .. {high:.4g} {unit}, not {focus:g}')


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
