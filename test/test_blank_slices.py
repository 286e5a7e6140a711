"""A slice that is black or white is as one that never arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rendered import plane, render

from sff_ros.core.sweep.blank import BlankSlice
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import StackError
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

COUNT = 9
GROUND_TRUTH = plane(2.0, 6.0)
IMAGES = render(GROUND_TRUTH, np.arange(COUNT, dtype=float), growth_px=1.0)
SETUP = SweepSetup(max_missing=3)
COLOURS = {0: 'black', 255: 'white'}


def sweep(
    blank: Sequence[int] = (), level: int = 0, number: int = 0, known: bool = False
) -> list[Slice]:
    """Return a sweep some of whose slices are of one level."""
    return [
        Slice(
            image=np.full_like(image, level) if index in blank else image,
            lens=LensState(1.0 + index if known else float('nan')),
            stamp_ns=1 + index + number * COUNT,
            index=index,
            count=COUNT,
            sweep=number,
        )
        for index, image in enumerate(IMAGES)
    ]


def without(slices: list[Slice], blank: Sequence[int]) -> FocusMap:
    stack = FocalStack(tuple(s for s in slices if s.index not in blank))
    return ShapeFromFocus(PeakBackend()).estimate(stack)


def assert_same(one: FocusMap, other: FocusMap) -> None:
    np.testing.assert_array_equal(one.index, other.index)
    np.testing.assert_array_equal(one.estimate.confidence, other.estimate.confidence)
    np.testing.assert_array_equal(one.all_in_focus(), other.all_in_focus())


@pytest.mark.parametrize('known', [False, True], ids=['unknown', 'known'])
@pytest.mark.parametrize('level', COLOURS)
@pytest.mark.parametrize('blank', [(4,), (0,), (8,), (0, 1), (3, 4), (0, 5, 8)], ids=str)
def test_the_map_is_that_of_the_other_slices(
    blank: tuple[int, ...], level: int, known: bool
) -> None:
    slices = sweep(blank, level, known=known)
    seen: list[tuple[BlankSlice, int]] = []
    pipeline = ShapeFromFocus(PeakBackend(), lambda slice_, number: seen.append((slice_, number)))
    results = [pipeline.add(slice_, SETUP) for slice_ in slices]
    assert results[:-1] == [None] * (COUNT - 1)  # the last slice ends the sweep, blank or not
    result, at_once = (
        results[-1],
        ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices))),
    )
    assert result is not None
    expected = tuple(BlankSlice(index, COLOURS[level]) for index in blank)  # type: ignore[arg-type]
    assert result.left_out == at_once.left_out == expected
    assert seen == [(slice_, 0) for slice_ in expected]
    assert_same(result, without(slices, blank))
    assert_same(at_once, without(slices, blank))
    assert +pipeline.counts == {
        'sweeps': 1, 'incomplete': 1, 'missing_slices': len(blank), 'blank_slices': len(blank)
    }  # fmt: skip


def test_positions_count_all_slices() -> None:
    result = ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(sweep((0, 4)))))
    assert np.abs(result.index - GROUND_TRUTH)[8:-8, 8:-8].mean() < 0.3
    assert result.estimate.position.max() < result.index.max()


def test_a_black_slice_before_a_white_one() -> None:
    slices = sweep((0,))
    slices[1] = replace(slices[1], image=np.full_like(IMAGES[1], 255))
    result = ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices)))
    assert result.left_out == (BlankSlice(0, 'black'), BlankSlice(1, 'white'))
    assert_same(result, without(slices, (0, 1)))


def test_sweeps_with_more_blank_slices_than_may_be_missing_are_dropped() -> None:
    pipeline = ShapeFromFocus(PeakBackend())
    setup = SweepSetup(max_missing=1)
    first = [pipeline.add(slice_, setup) for slice_ in sweep((2, 3))]
    second = [pipeline.add(slice_, setup) for slice_ in sweep(number=1)]
    assert first == [None] * COUNT
    assert second[-1] is not None
    assert second[-1].left_out == ()
    assert +pipeline.counts == {
        'sweeps': 1, 'dropped_sweeps': 1, 'missing_slices': 2, 'blank_slices': 2
    }  # fmt: skip


def test_too_few_others_are_an_error_that_names_the_blank_ones() -> None:
    slices = sweep((1, 2, 3, 5, 6, 7, 8), 255)
    with pytest.raises(StackError, match=r'2 have an image: slice 1 is white, slice 2 is white'):
        ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices)))
    assert [ShapeFromFocus(PeakBackend()).add(slice_, SETUP) for slice_ in slices][-1] is None


@pytest.mark.parametrize(('level', 'noise'), [(0, 0), (0, 1), (255, 0)])
def test_a_room_without_light_has_a_map_without_confidence(level: int, noise: int) -> None:
    rng = np.random.default_rng(0)
    slices = [
        replace(s, image=(level + rng.integers(0, noise + 1, IMAGES[0].shape)).astype(np.uint8))
        for s in sweep()
    ]
    result = ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices)))
    assert result.left_out == ()
    assert len(result.stack.slices) == COUNT
    assert (result.estimate.confidence < 0.5).all()


def test_a_dark_sweep_keeps_all_its_slices() -> None:
    slices = [replace(s, image=(s.image / 30).astype(np.uint8)) for s in sweep()]
    result = ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices)))
    assert result.left_out == ()
    assert result.stack.missing == 0
