from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from assembler_books import COUNT, PERIOD_NS, Books, make

from sff_ros.core.sweep.assembler import StackAssembler
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import StackError


def feed(assembler: Books, *slices: Slice) -> list[FocalStack]:
    stacks = [assembler.add(slice_) for slice_ in slices]
    return [stack for stack in stacks if stack is not None]


def places(stack: FocalStack) -> list[tuple[int, int]]:
    return [(s.sweep, s.index) for s in stack.slices]


def sweep_of(number: int, without: tuple[int, ...] = ()) -> list[Slice]:
    return [make(number, index) for index in range(COUNT) if index not in without]


def test_complete_sweeps_come_out_with_their_last_slice() -> None:
    assembler = Books()
    for number in range(3):
        slices = sweep_of(number)
        assert feed(assembler, *slices[:-1]) == []
        assert assembler.pending == tuple(slices[:-1])
        (stack,) = feed(assembler, slices[-1])
        assert stack.slices == tuple(slices)
        assert assembler.pending == ()
    assert assembler.counts == Counter(sweeps=3)


@pytest.mark.parametrize('without', [(0,), (2,), (3,), (0, 1), (1, 3)])
def test_missing_slices_before_the_last(without: tuple[int, ...]) -> None:
    assembler = Books(max_missing=2)
    (stack,) = feed(assembler, *sweep_of(0, without))
    assert [s.index for s in stack.slices] == [i for i in range(COUNT) if i not in without]
    assert stack.missing == len(without)
    assert assembler.counts == Counter(sweeps=1, incomplete=1, missing_slices=len(without))


def test_missing_last_is_closed_by_the_next_sweep_which_loses_nothing() -> None:
    assembler = Books(max_missing=1)
    assert feed(assembler, *sweep_of(0, (4,))) == []
    first, *others = sweep_of(1)
    (stack,) = feed(assembler, first)
    assert places(stack) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert assembler.pending == (first,)
    (stack,) = feed(assembler, *others)
    assert stack.slices == (first, *others)
    assert assembler.counts == Counter(sweeps=2, incomplete=1, missing_slices=1)


def test_a_lone_last_slice_closes_the_sweep_before() -> None:
    assembler = Books(max_missing=1)
    (stack,) = feed(assembler, *sweep_of(0, (4,)), make(1, 4))
    assert places(stack)[-1] == (0, 3)
    assert assembler.pending == ()
    assert assembler.counts == Counter(
        sweeps=1, incomplete=1, missing_slices=1 + 4, dropped_sweeps=1
    )


@pytest.mark.parametrize(
    ('max_missing', 'without', 'used'),
    [(0, (2,), 0), (0, (4,), 0), (1, (2,), 1), (1, (2, 4), 0), (2, (3, 4), 1), (4, (1, 2, 3), 0)],
)
def test_too_many_missing_are_dropped(
    max_missing: int, without: tuple[int, ...], used: int
) -> None:
    """The last case would leave two slices, of which no stack can be made."""
    assembler = Books(max_missing)
    stacks = feed(assembler, *sweep_of(0, without), *sweep_of(1))
    assert [places(s)[0][0] for s in stacks] == [0, 1][1 - used :]
    expected = Counter(sweeps=1 + used, missing_slices=len(without))
    expected['incomplete' if used else 'dropped_sweeps'] = 1
    assert +assembler.counts == expected


def test_sweeps_lost_as_a_whole_are_counted() -> None:
    assembler = Books()
    assert len(feed(assembler, *sweep_of(3), *sweep_of(4), *sweep_of(8))) == 3
    assert assembler.counts['lost_sweeps'] == 3
    assembler.reset()  # what happened during a pause is not lost
    assert len(feed(assembler, *sweep_of(20))) == 1
    assert assembler.counts['lost_sweeps'] == 3


def test_sweeps_lost_as_a_whole_harm_no_other() -> None:
    assembler = Books(max_missing=1)
    stacks = feed(assembler, *sweep_of(0, (4,)), *sweep_of(7))
    assert [places(s)[0] for s in stacks] == [(0, 0), (7, 0)]


@pytest.mark.parametrize(
    ('odd', 'message'),
    [
        (make(0, 2), 'slice 2 of sweep 0 came twice or too late'),
        (make(0, 1), 'slice 1 of sweep 0 came twice or too late'),
        (make(0, 3, image=np.zeros((16, 17), np.uint8)), r'slice 3 is \(16, 17\) uint8'),
        (make(0, 3, image=np.zeros((16, 16, 3), np.uint8)), r'slice 3 is \(16, 16, 3\) uint8'),
        (make(0, 3, image=np.zeros((16, 16), np.uint16)), r'slice 3 is \(16, 16\) uint16'),
        (make(0, 3, count=6), 'slice 3 says 6 slices, the sweep has 5'),
        (make(0, 3, focus_dpt=1.5), 'focus must be strictly monotonic: slice 3'),
        (make(0, 3, focus_dpt=2.0), 'focus must be strictly monotonic: slice 3'),
        (make(0, 3, focus_dpt=float('nan')), 'either every slice knows its focus or none'),
    ],
)
def test_a_slice_that_does_not_fit_is_refused_and_the_sweep_goes_on(
    odd: Slice, message: str
) -> None:
    assembler = Books()
    slices = sweep_of(0)
    assert feed(assembler, *slices[:3]) == []
    with pytest.raises(StackError, match=message):
        assembler.add(odd)
    assert assembler.pending == tuple(slices[:3])
    (stack,) = feed(assembler, *slices[3:])
    assert stack.slices == tuple(slices)
    assert +assembler.counts == Counter(sweeps=1, refused_slices=1)


def test_a_late_slice_of_the_sweep_before_closes_nothing() -> None:
    assembler = Books(max_missing=1)
    slices = sweep_of(1)
    assert len(feed(assembler, *sweep_of(0, (3,)), *slices[:2])) == 1
    with pytest.raises(StackError, match='slice 3 of sweep 0 came twice or too late'):
        assembler.add(make(0, 3))
    (stack,) = feed(assembler, *slices[2:])
    assert stack.slices == tuple(slices)


def test_a_camera_may_change_between_sweeps() -> None:
    assembler = Books(max_missing=1)
    larger = [make(1, i, image=np.zeros((20, 24, 3), np.uint16)) for i in range(COUNT)]
    stacks = feed(assembler, *sweep_of(0, (4,)), *larger)
    assert [s.shape for s in stacks] == [(16, 16), (20, 24)]


@pytest.mark.parametrize('taken', [1, 2, 4])
def test_restart_of_the_camera_during_a_sweep(taken: int) -> None:
    """The new driver counts from 0 again, which the old one may have just begun, too."""
    for old in (0, 6):
        assembler = Books()
        assert feed(assembler, *sweep_of(old)[:taken]) == []
        anew = [make(8, i, name=0) for i in range(COUNT)]
        (stack,) = feed(assembler, *anew)
        assert stack.slices == tuple(anew)
        assert +assembler.counts == Counter(
            sweeps=1, dropped_sweeps=1, missing_slices=COUNT - taken
        )


def test_a_recording_that_restarts_is_accepted() -> None:
    """Stamps go back, as in a looped bag or when the clock of the robot is set."""
    assembler = Books(max_missing=1)
    late = 100 * 10**9
    first = [make(3, i, stamp_ns=late + i * PERIOD_NS) for i in range(COUNT - 1)]
    stacks = feed(assembler, *first, *sweep_of(2), *sweep_of(3))
    assert [places(s)[0][0] for s in stacks] == [3, 2, 3]
    assert +assembler.counts == Counter(sweeps=3, incomplete=1, missing_slices=1)


@pytest.mark.parametrize('taken', [1, 3, COUNT])
@pytest.mark.parametrize('name', [0, 6, 8])
def test_a_slice_stamped_in_the_future_costs_no_later_sweep(taken: int, name: int) -> None:
    """The camera is restarted or not, and the clock then set back by less than any threshold."""
    assembler = Books()
    ahead = 1_900_000_000
    early = [make(7, i, stamp_ns=make(7, i).stamp_ns + ahead) for i in range(taken)]
    feed(assembler, *early)
    (stack,) = feed(assembler, *(make(8, i, name=name) for i in range(COUNT)))
    assert places(stack) == [(name, i) for i in range(COUNT)]
    assert assembler.counts['refused_slices'] == 0


def test_a_first_slice_that_came_twice_is_refused() -> None:
    assembler = Books()
    slices = sweep_of(1)
    feed(assembler, *slices[:2])
    with pytest.raises(StackError, match='slice 0 of sweep 1 came twice or too late'):
        assembler.add(slices[0])
    (stack,) = feed(assembler, *slices[2:])
    with pytest.raises(StackError, match='slice 0 of sweep 1 came twice or too late'):
        assembler.add(slices[0])
    assert stack.slices == tuple(slices)


def test_reset_forgets_slices_and_time_but_not_counts() -> None:
    assembler = Books()
    feed(assembler, *sweep_of(3), *sweep_of(4)[:3])
    assembler.reset()
    assert assembler.pending == ()
    (stack,) = feed(assembler, *sweep_of(0))
    assert places(stack)[0] == (0, 0)
    assert +assembler.counts == Counter(sweeps=2)


def test_max_missing_of_the_first_slice_holds_for_its_sweep() -> None:
    assembler = Books(max_missing=0)
    first, *others = sweep_of(0, (1,))
    assert feed(assembler, first) == []
    assembler.max_missing = 1
    assert feed(assembler, *others) == []
    assert len(feed(assembler, *sweep_of(1, (1,)))) == 1
    first, *others = sweep_of(2, (1,))
    assert feed(assembler, first) == []
    assembler.max_missing = 0
    assert len(feed(assembler, *others)) == 1


def test_what_is_accepted_and_not_added_leaves_no_trace() -> None:
    assembler: StackAssembler[str] = StackAssembler()
    slices = sweep_of(0)
    for slice_ in slices[:3]:
        assembler.add(assembler.check(slice_), f'{slice_.index}')
    accepted = assembler.check(slices[3])
    assert (accepted.before, accepted.ends) == ('2', False)
    accepted = assembler.check(slices[4])  # slice 3 could not be measured
    assert accepted.before == '2'
    assert assembler.add(accepted, '4', max_missing=1) is None  # the first slice said 0
    assert +assembler.counts == Counter(dropped_sweeps=1, missing_slices=1)


def lossy(rng: np.random.Generator) -> list[Slice]:
    """Return what comes of 40 sweeps: drops, repeats, swaps and restarts of the camera."""
    kept: list[Slice] = []
    restarts = set(rng.integers(0, 40, 3).tolist())
    name = 0
    for sweep in range(40):
        if sweep in restarts:
            name = 0
            kept = kept[: len(kept) - int(rng.integers(0, COUNT))]
        kept += [make(sweep, i, name=name) for i in range(COUNT) if rng.random() > 0.12]
        name += 1
    repeats = [s for s in kept for _ in range(1 + (rng.random() < 0.05))]
    for i in np.flatnonzero(rng.random(len(repeats) - 1) < 0.05):
        repeats[i], repeats[i + 1] = repeats[i + 1], repeats[i]
    return repeats


@pytest.mark.parametrize('seed', range(30))
def test_no_slice_is_lost_uncounted(seed: int) -> None:
    """Slices in = used + refused + in dropped sweeps + pending, each stack of one sweep."""
    rng = np.random.default_rng(seed)
    assembler = Books(max_missing=seed % 4)
    slices = lossy(rng)
    used, refused, seen = 0, 0, Counter[str]()
    held: list[Slice] = []  # expected content of the current sweep
    dropped = 0
    for slice_ in slices:
        drops_before = assembler.counts['dropped_sweeps']
        try:
            stack = assembler.add(slice_)
        except StackError:
            refused += 1
            continue
        held.append(slice_)
        if stack is not None:
            used += len(stack.slices)
            seen['sweeps'] += 1
            seen['incomplete'] += stack.missing > 0
            assert stack.missing <= assembler.max_missing
            assert len({s.sweep for s in stack.slices}) == 1
            assert len({s.stamp_ns // PERIOD_NS - s.index for s in stack.slices}) == 1
            held = [s for s in held if s not in stack.slices]
        if len(held) != len(assembler.pending):
            assert assembler.counts['dropped_sweeps'] > drops_before
            dropped += len(held) - len(assembler.pending)
            held = list(assembler.pending)
        assert tuple(held) == assembler.pending
    counts = assembler.counts
    assert len(slices) == used + refused + dropped + len(assembler.pending)
    assert counts['refused_slices'] == refused
    assert counts['sweeps'] == seen['sweeps']
    assert counts['incomplete'] == seen['incomplete']
    closed = counts['sweeps'] + counts['dropped_sweeps']
    assert closed * COUNT == used + dropped + counts['missing_slices']
    assert counts['sweeps'] > 3
    assert refused > 0
