from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.focus.estimate import FocusEstimate, local_step, to_dioptres
from sff_ros.errors import StackError

NAN, INF = float('nan'), float('inf')
UNEVEN = [0.5, 1.0, 3.0, 10.0]


def dioptres_at(positions: list[float], focus: list[float]) -> list[float]:
    result = to_dioptres(np.array([positions], np.float32), np.array(focus, float))
    assert result.dtype == np.float32
    assert result.shape == (1, len(positions))
    values: list[float] = result[0].tolist()
    return values


@pytest.mark.parametrize(
    ('focus', 'position', 'expected'),
    [
        (UNEVEN, 0.5, 0.75),
        (UNEVEN, 1.0, 1.0),
        (UNEVEN, 1.5, 2.0),
        (UNEVEN, 2.0, 3.0),
        (UNEVEN, 2.25, 4.75),
        (UNEVEN[::-1], 0.5, 6.5),
        (UNEVEN[::-1], 1.0, 3.0),
        (UNEVEN[::-1], 2.75, 0.625),
        ([0.0, 1.0, 2.0], 1.0, 1.0),
    ],
)
def test_between_the_ends(focus: list[float], position: float, expected: float) -> None:
    assert dioptres_at([position], focus) == pytest.approx([expected], rel=1e-6)


@pytest.mark.parametrize(
    ('focus', 'first', 'last'), [(UNEVEN, -INF, INF), (UNEVEN[::-1], INF, -INF)]
)
def test_exact_ends_say_beyond(focus: list[float], first: float, last: float) -> None:
    assert dioptres_at([0.0, 3.0], focus) == [first, last]
    # One step of float32 further in, the peak was bracketed.
    inside = dioptres_at([1e-6, float(np.nextafter(np.float32(3), np.float32(0)))], focus)
    assert inside == pytest.approx([focus[0], focus[-1]], rel=1e-4)


def test_nan_stays_nan() -> None:
    values = dioptres_at([NAN, 1.0, NAN], UNEVEN)
    assert np.isnan(values).tolist() == [True, False, True]


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_reversing_the_sweep_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    focus = np.cumsum(rng.uniform(0.05, 1.0, 30))
    position = rng.uniform(0, 29, (40, 50)).astype(np.float32)
    position[0, 0], position[0, 1] = 0, 29
    there = to_dioptres(position, focus)
    back = to_dioptres(np.float32(29) - position, focus[::-1])
    np.testing.assert_allclose(back, there, rtol=1e-5)


@pytest.mark.parametrize('count', [3, 15, 100])
def test_agrees_with_linear_interpolation_and_grows(count: int) -> None:
    rng = np.random.default_rng(count)
    focus = np.cumsum(rng.uniform(0.01, 0.2, count))
    position = np.sort(rng.uniform(1e-3, count - 1.001, 2000)).astype(np.float32)
    result = to_dioptres(position[None], focus)[0]
    np.testing.assert_allclose(
        result, np.interp(position, np.arange(count), focus), rtol=1e-6, atol=1e-6
    )
    assert (np.diff(result) >= -1e-6).all()


def test_input_is_left_alone() -> None:
    position = np.array([[NAN, 0.0, 1.5, 3.0]], np.float32)
    before = position.copy()
    to_dioptres(position, np.array(UNEVEN))
    np.testing.assert_array_equal(position, before)


@pytest.mark.parametrize(
    ('shapes', 'types', 'message'),
    [
        (((2, 3), (3, 2), (2, 3)), 'fff', r'position \(2, 3\), confidence \(3, 2\) and deviation'),
        (((2, 3), (2, 3), (1, 3)), 'fff', r'and deviation \(1, 3\) must be one \(H, W\)'),
        (((6,), (6,), (6,)), 'fff', r'must be one \(H, W\)'),
        (((2, 3),) * 3, 'dff', 'must be float32, not float64, float32 and float32'),
        (((2, 3),) * 3, 'fBf', 'must be float32, not float32, uint8 and float32'),
        (((2, 3),) * 3, 'ffd', 'must be float32, not float32, float32 and float64'),
    ],
)
def test_malformed_estimate_is_refused(
    shapes: tuple[tuple[int, ...], ...], types: str, message: str
) -> None:
    maps = (np.zeros(shape, kind) for shape, kind in zip(shapes, types, strict=True))
    with pytest.raises(StackError, match=message):
        FocusEstimate(*maps)


def test_the_step_is_that_around_the_position() -> None:
    position = np.array([[0.0, 0.9, 1.0, 2.5, 3.0, NAN]], np.float32)
    for at in (np.array(UNEVEN), -np.array(UNEVEN)):
        assert local_step(position, at).tolist() == [[0.5, 0.5, 2.0, 7.0, 7.0, 0.5]]
