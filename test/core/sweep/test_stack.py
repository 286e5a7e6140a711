from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice, check_focus, mid_sweep_ns
from sff_ros.errors import StackError

NAN, INF = float('nan'), float('inf')


def an_image(shape: tuple[int, ...] = (16, 20), dtype: type = np.uint8) -> npt.NDArray[Any]:
    return np.zeros(shape, dtype)


def slice_at(index: int, focus: float, count: int = 5, **changes: Any) -> Slice:
    return Slice(changes.get('image', an_image()), LensState(focus), 10 * index, index, count)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
@pytest.mark.parametrize('shape', [(16, 16), (16, 17, 3), (480, 640)])
def test_images_that_are_slices(shape: tuple[int, ...], dtype: type) -> None:
    image = an_image(shape, dtype)
    assert Slice(image, LensState(1.0), 0).image is image


@pytest.mark.parametrize(
    ('shape', 'dtype', 'message'),
    [
        ((16, 16), np.float32, 'must be uint8 or uint16, not float32'),
        ((16, 16), np.int16, 'must be uint8 or uint16, not int16'),
        ((16,), np.uint8, r'must be \(H, W\) or \(H, W, 3\), not \(16,\)'),
        ((16, 16, 1), np.uint8, r'not \(16, 16, 1\)'),
        ((16, 16, 4), np.uint8, r'not \(16, 16, 4\)'),
        ((2, 16, 16, 3), np.uint8, r'not \(2, 16, 16, 3\)'),
        ((15, 640), np.uint8, 'at least 16 px a side, not 640x15'),
        ((480, 15, 3), np.uint8, 'at least 16 px a side, not 15x480'),
    ],
)
def test_invalid_images_are_refused(shape: tuple[int, ...], dtype: type, message: str) -> None:
    with pytest.raises(StackError, match=message):
        Slice(an_image(shape, dtype), LensState(1.0), 0)


@pytest.mark.parametrize('focus', [INF, -INF, -0.1, 1e7, 1e300])
def test_impossible_focus_is_refused(focus: float) -> None:
    with pytest.raises(StackError, match='finite dioptres >= 0, or NaN'):
        Slice(an_image(), LensState(focus), 0)


@pytest.mark.parametrize(('index', 'count'), [(-1, 5), (5, 5), (0, 0)])
def test_index_outside_the_sweep_is_refused(index: int, count: int) -> None:
    with pytest.raises(StackError, match=f'slice index {index} is outside 0..{count - 1}'):
        Slice(an_image(), LensState(1.0), 0, index, count)


@pytest.mark.parametrize('name', ['count', 'sweep'])
@pytest.mark.parametrize('value', [2**31, int(1e300), -1])
def test_numbers_that_no_camera_counts_to_are_refused(name: str, value: int) -> None:
    numbers = {'index': 0, 'count': 5, 'sweep': 0}
    assert Slice(an_image(), LensState(1.0), 0, **(numbers | {name: 2**31 - 1}))
    with pytest.raises(StackError, match=f'{name} of a slice must be 0 .. 2147483647') as caught:
        Slice(an_image(), LensState(1.0), 0, **(numbers | {name: value}))
    assert len(str(caught.value)) < 80


@pytest.mark.parametrize(
    'focus',
    [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.1, 0.10001, 9.0], [NAN, NAN, NAN], [3.0], []],
)
def test_focus_that_a_sweep_can_have(focus: list[float]) -> None:
    check_focus(np.array(focus))


@pytest.mark.parametrize(
    ('focus', 'message'),
    [
        ([1, 1, 2], 'slice 1 is at 1 dpt after 1'),
        ([2, 2, 1], 'slice 1 is at 2 dpt after 2'),
        ([1, 2, 3, 2.5], 'slice 3 is at 2.5 dpt after 3'),
        ([3, 2, 1, 1], 'slice 3 is at 1 dpt after 1'),
        ([3, 2, 2.5, 1], 'slice 2 is at 2.5 dpt after 2'),
        ([1, 1, 1], 'slice 1 is at 1 dpt after 1'),
        ([NAN, 1, 2], 'unknown for slice 0 only of some'),
        ([1, 2, NAN], 'unknown for slice 2 only of some'),
        ([1, 2, INF], 'must be finite dioptres >= 0'),
        ([1, 0, -1], 'must be finite dioptres >= 0'),
        ([0, 1e300, 2e300], r'allowed up to 1e\+06'),
        ([0, 1e-300, 1], 'slices 0 and 1 must differ by 1e-09 dpt or more, not 1e-300'),
        ([3, 2, 2 - 4e-16], 'slices 1 and 2 must differ by'),
    ],
)
def test_focus_that_no_sweep_has(focus: list[float], message: str) -> None:
    with pytest.raises(StackError, match=message):
        check_focus(np.array(focus, float))


def test_properties_of_a_stack() -> None:
    stack = FocalStack(tuple(slice_at(i, 4.0 - i, count=6) for i in (0, 1, 3, 4)))
    assert stack.focus_dpt.tolist() == [4.0, 3.0, 1.0, 0.0]
    assert stack.has_focus
    assert stack.missing == 2
    assert stack.shape == (16, 20)
    assert stack.stamp_ns == 20


def test_focus_may_be_unknown_throughout() -> None:
    stack = FocalStack(tuple(slice_at(i, NAN) for i in range(5)))
    assert not stack.has_focus
    assert np.isnan(stack.focus_dpt).all()
    assert stack.missing == 0


@pytest.mark.parametrize(
    ('slices', 'message'),
    [
        ([], 'needs 3 slices or more, not 0'),
        ([slice_at(0, 0), slice_at(1, 1)], 'needs 3 slices or more, not 2'),
        ([slice_at(0, 0), slice_at(2, 1), slice_at(1, 2)], 'in the order of their index'),
        ([slice_at(0, 0), slice_at(1, 1), slice_at(1, 2)], 'in the order of their index'),
        ([slice_at(0, 0), slice_at(1, 2), slice_at(2, 1)], 'strictly monotonic: slice 2'),
        ([slice_at(0, 0), slice_at(1, 1), slice_at(2, 2, 4)], 'says 4 slices, the sweep has 5'),
        ([slice_at(0, 0), slice_at(1, NAN), slice_at(2, 2)], 'every slice knows its focus or'),
        (
            [slice_at(0, 0), slice_at(1, 1), slice_at(2, 2, image=an_image((16, 16)))],
            r'slice 2 is \(16, 16\) uint8, the sweep is \(16, 20\) uint8',
        ),
        (
            [slice_at(0, 0), slice_at(1, 1, image=an_image((16, 20), np.uint16)), slice_at(2, 2)],
            r'slice 1 is \(16, 20\) uint16, the sweep is \(16, 20\) uint8',
        ),
    ],
)
def test_malformed_stack_is_refused(slices: list[Slice], message: str) -> None:
    with pytest.raises(StackError, match=message):
        FocalStack(tuple(slices))


@pytest.mark.parametrize(
    ('first', 'last', 'expected'),
    [
        (0, 0, 0),
        (10, 20, 15),
        (1, 2, 1),
        # Stamps of today exceed what a float holds exactly.
        (1_763_800_000_000_000_001, 1_763_800_000_500_000_001, 1_763_800_000_250_000_001),
    ],
)
def test_mid_sweep_is_exact(first: int, last: int, expected: int) -> None:
    assert mid_sweep_ns(first, last) == expected
