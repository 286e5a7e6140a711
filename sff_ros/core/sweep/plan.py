"""Positions of a sweep, and their order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sff_ros.errors import ConfigError, quoted

MOST_SLICES = 100  # of a planned sweep; a recording may have more
DIRECTIONS = ('up', 'down', 'triangle')


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep as data: the same positions again and again.

    Attributes:
        positions: focus positions, strictly increasing; dioptres, or the codes of a lens that is
            not calibrated, or slice numbers of a recording without focus distances.
        direction: 'up' (increasing: far to near), 'down', or 'triangle' (alternating, without a
            return stroke).
        recorded: whether it replays a recording, which may have more than MOST_SLICES.
    """

    positions: tuple[float, ...]
    direction: str = 'up'
    recorded: bool = False

    def __post_init__(self) -> None:
        _check_count(len(self.positions), self.recorded)
        values = np.array(self.positions)
        if not np.isfinite(values).all():
            raise ConfigError(f'sweep positions must be finite, not {quoted(self.positions)}')
        if not (np.diff(values) > 0).all():
            raise ConfigError(
                f'sweep positions must be strictly monotonic, not {quoted(self.positions)}'
            )
        if self.direction not in DIRECTIONS:
            raise ConfigError(
                f'direction is {quoted(self.direction)}; one of {", ".join(DIRECTIONS)}'
            )

    def order(self, sweep: int) -> tuple[float, ...]:
        """Return the positions of the given sweep number, in the order of time."""
        down = self.direction == 'down' or (self.direction == 'triangle' and sweep % 2 == 1)
        return self.positions[::-1] if down else self.positions


def uniform(far_dpt: float, near_dpt: float, count: int, direction: str = 'up') -> SweepPlan:
    """Plan `count` positions evenly spaced in dioptres, both ends included.

    Even steps in dioptres give even steps of blur.

    Raises:
        ConfigError: the ends are not 0 <= far < near, or count is not 3 .. MOST_SLICES.
    """
    _check_count(count)  # before as many are made
    if not 0 <= far_dpt < near_dpt:
        raise ConfigError(
            f'a sweep needs 0 <= far < near dioptres, not far {far_dpt:g} and near {near_dpt:g}'
        )
    return SweepPlan(tuple(np.linspace(far_dpt, near_dpt, count).tolist()), direction)


def explicit(positions: tuple[float, ...], direction: str) -> SweepPlan:
    """Plan the listed positions.

    Args:
        positions: strictly monotonic, rising or falling.
        direction: of the sweep, whatever the order of the list.

    Raises:
        ConfigError: not strictly monotonic, negative, or not 3 .. MOST_SLICES.
    """
    return _listed(positions, direction)


def of_recording(positions: tuple[float, ...]) -> SweepPlan:
    """Plan the positions of a recording, any number of them, in their own order.

    Raises:
        ConfigError: not strictly monotonic, negative, or fewer than 3.
    """
    falling = len(positions) > 1 and positions[0] > positions[-1]
    return _listed(positions, 'down' if falling else 'up', recorded=True)


def _listed(positions: tuple[float, ...], direction: str, recorded: bool = False) -> SweepPlan:
    _check_count(len(positions), recorded)
    if not all(0 <= position < math.inf for position in positions):
        raise ConfigError(f'sweep positions must be finite and >= 0, not {quoted(positions)}')
    ordered = positions[::-1] if positions[0] > positions[-1] else positions
    return SweepPlan(tuple(ordered), direction, recorded)


def _check_count(count: int, recorded: bool = False) -> None:
    if count < 3 or (count > MOST_SLICES and not recorded):
        raise ConfigError(f'a sweep has 3 .. {MOST_SLICES} positions, not {count}')
