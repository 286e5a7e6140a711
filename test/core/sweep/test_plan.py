from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from sff_ros.core.sweep.plan import MOST_SLICES, SweepPlan, explicit, of_recording, uniform
from sff_ros.errors import ConfigError

NAN, INF = float('nan'), float('inf')
UP, DOWN = (0.0, 1.0, 3.0), (3.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ('direction', 'orders'),
    [
        ('up', [UP, UP, UP, UP]),
        ('down', [DOWN, DOWN, DOWN, DOWN]),
        ('triangle', [UP, DOWN, UP, DOWN]),
    ],
)
def test_order_of_successive_sweeps(direction: str, orders: list[tuple[float, ...]]) -> None:
    plan = SweepPlan(UP, direction)
    assert [plan.order(sweep) for sweep in range(4)] == orders


@pytest.mark.parametrize('count', [3, 15, 100])
@pytest.mark.parametrize(('far', 'near'), [(0.0, 10.0), (0.1, 0.3), (1 / 0.8, 1 / 0.3)])
def test_uniform_is_even_in_dioptres_and_exact_at_its_ends(
    far: float, near: float, count: int
) -> None:
    plan = uniform(far, near, count)
    assert len(plan.positions) == count
    assert plan.positions[0] == far
    assert plan.positions[-1] == near
    np.testing.assert_allclose(np.diff(plan.positions), (near - far) / (count - 1), rtol=1e-9)
    assert plan.direction == 'up'


@pytest.mark.parametrize(
    ('far', 'near'), [(2.0, 1.0), (1.0, 1.0), (-0.1, 1.0), (NAN, 1.0), (0.0, NAN)]
)
def test_uniform_refuses_wrong_ends(far: float, near: float) -> None:
    with pytest.raises(ConfigError, match='needs 0 <= far < near dioptres'):
        uniform(far, near, 5)


@pytest.mark.parametrize(
    ('positions', 'direction', 'expected'),
    [
        (UP, 'up', (UP, 'up')),
        (UP, 'down', (UP, 'down')),
        (DOWN, 'up', (UP, 'up')),
        (DOWN, 'triangle', (UP, 'triangle')),
    ],
)
def test_explicit(
    positions: tuple[float, ...],
    direction: str,
    expected: tuple[tuple[float, ...], str],
) -> None:
    plan = explicit(positions, direction)
    assert (plan.positions, plan.direction) == expected


@pytest.mark.parametrize('positions', [UP, DOWN])
def test_a_recording_keeps_its_order(positions: tuple[float, ...]) -> None:
    plan = of_recording(positions)
    assert plan.order(0) == plan.order(1) == positions


@pytest.mark.parametrize(
    ('positions', 'message'),
    [
        ((), 'a sweep has 3 .. 100 positions, not 0'),
        ((1.0, 2.0), 'a sweep has 3 .. 100 positions, not 2'),
        ((0.0, 2.0, 1.0), 'must be strictly monotonic'),
        ((3.0, 1.0, 2.0), 'must be strictly monotonic'),
        ((1.0, 1.0, 2.0), 'must be strictly monotonic'),
        ((1.0, 2.0, 1.0), 'must be strictly monotonic'),
        ((-1.0, 0.0, 1.0), 'must be finite and >= 0'),
        ((0.0, 1.0, INF), 'must be finite and >= 0'),
        ((0.0, NAN, 2.0), 'must be finite and >= 0'),
    ],
)
def test_explicit_refuses_what_no_lens_can_sweep(
    positions: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        explicit(positions, 'up')


def test_a_planned_sweep_has_at_most_100_slices() -> None:
    most = tuple(map(float, range(MOST_SLICES + 1)))
    assert uniform(0.0, 1.0, MOST_SLICES).positions[-1] == 1.0
    assert len(explicit(most[:-1], 'up').positions) == MOST_SLICES
    for plan in (partial(uniform, 0.0, 1.0, MOST_SLICES + 1), partial(explicit, most, 'up')):
        with pytest.raises(ConfigError, match=r'a sweep has 3 \.\. 100 positions, not 101'):
            plan()
    assert of_recording(most).order(0) == most
    assert of_recording(most[::-1]).order(1) == most[::-1]


def test_unknown_direction_is_refused() -> None:
    with pytest.raises(ConfigError, match="'sideways'; one of up, down, triangle"):
        SweepPlan(UP, 'sideways')
