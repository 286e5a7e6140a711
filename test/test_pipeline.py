from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bright_sweep import COUNT, FOCUS, H, W, assert_as_fresh, feed, sweep, without
from brightest_backend import BrightestBackend

from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.plan import SweepPlan
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import ModelError, StackError
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup


@pytest.mark.parametrize('direction', ['up', 'down', 'triangle'])
def test_any_direction_gives_the_same_dioptres(direction: str) -> None:
    backend: DepthBackend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    plan = SweepPlan(FOCUS, direction)
    slices = [s for number in range(3) for s in sweep(number, plan.order(number))]
    results = feed(pipeline, slices)
    assert len(results) == 3
    expected = np.tile(np.repeat([1.0, 4.0, -np.inf], W // 3), (H, 1))
    for result in results:
        assert result.dioptres is not None
        np.testing.assert_allclose(result.dioptres, expected, rtol=1e-6)
    assert +pipeline.counts == {'sweeps': 3}


def test_a_map_comes_with_the_last_slice_and_is_stamped_mid_sweep() -> None:
    pipeline = ShapeFromFocus(BrightestBackend())
    slices = sweep(0)
    assert feed(pipeline, slices[:-1]) == []
    (result,) = feed(pipeline, slices[-1:])
    assert result.stack.slices == tuple(slices)
    assert result.stack.stamp_ns == 3_000_000


def test_volume_holds_what_the_backend_measured() -> None:
    backend = BrightestBackend()
    feed(ShapeFromFocus(backend), sweep(0))
    (volume,) = backend.volumes
    assert volume.size == (H, W)
    assert volume.pooling == 8
    assert volume.axis.tolist() == list(FOCUS)
    for index, slice_ in enumerate(sweep(0)):
        np.testing.assert_array_equal(volume.responses[index], backend.measure(slice_.image))


def test_lost_last_slice_costs_neither_sweep() -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=1)
    assert feed(pipeline, without(sweep(0), COUNT - 1), setup) == []
    second = sweep(1)
    (first_map,) = feed(pipeline, second[:1], setup)
    assert [s.index for s in first_map.stack.slices] == [0, 1, 2, 3]
    assert first_map.stack.slices[0].sweep == 0
    assert_as_fresh(first_map, backend)
    (second_map,) = feed(pipeline, second[1:], setup)
    assert second_map.stack.slices == tuple(second)
    assert_as_fresh(second_map, backend)


@pytest.mark.parametrize('lost', [(1, 3), (0, 4), (3, 4), (0, 1, 2, 3)])
@pytest.mark.parametrize('max_missing', [0, 1])
def test_a_dropped_sweep_does_not_leak_into_the_next(
    lost: tuple[int, ...], max_missing: int
) -> None:
    """What is dropped is brighter, so any of it would win."""
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=max_missing)
    assert feed(pipeline, without(sweep(0), *lost), setup) == []
    dim = without(sweep(1, gain=0.3), *((2,) if max_missing else ()))
    (result,) = feed(pipeline, dim, setup)
    assert result.stack.slices == tuple(dim)
    assert_as_fresh(result, backend)
    assert backend.contexts[-1].max() < 0.3 * 255


def test_a_lone_last_slice_does_not_leak() -> None:
    """Sweep 1 shrinks to its last slice, which closes sweep 0 and is dropped at once."""
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=1)
    dim = without(sweep(0, gain=0.3), COUNT - 1)
    (first,) = feed(pipeline, [*dim, sweep(1)[-1]], setup)
    assert first.stack.slices == tuple(dim)
    assert_as_fresh(first, backend)
    (third,) = feed(pipeline, sweep(2, gain=0.3), setup)
    assert_as_fresh(third, backend)


def test_a_refused_slice_is_neither_in_volume_nor_in_context() -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    slices = sweep(0, gain=0.3)
    feed(pipeline, slices[:3])
    with pytest.raises(StackError, match='came twice or too late'):
        pipeline.add(sweep(0)[1])  # the same index, brighter
    with pytest.raises(StackError, match='slice 3 is'):
        pipeline.add(Slice(np.full((H, W), 255, np.uint8), LensState(4.0), 3_500_000, 3, COUNT, 0))
    (result,) = feed(pipeline, slices[3:])
    assert_as_fresh(result, backend)
    assert pipeline.counts['refused_slices'] == 2


def textured(number: int, seed: int) -> list[Slice]:
    """Return a sweep over noise whose contrast peaks at another slice in each third."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (H, W, 3))
    peak = np.repeat([1.0, 2.2, 3.0], W // 3)[:, None]
    return [
        Slice(
            np.clip(128 + 40 * noise / (1 + (i - peak) ** 2), 0, 255).astype(np.uint8),
            LensState(focus),
            s.stamp_ns,
            i,
            COUNT,
            number,
        )
        for i, (focus, s) in enumerate(zip(FOCUS, sweep(number), strict=True))
    ]


@pytest.mark.parametrize('lost', [(), (2,), (0,)])
def test_a_whole_stack_at_once_gives_the_same(lost: tuple[int, ...]) -> None:
    pipeline = ShapeFromFocus(PeakBackend())
    setup = SweepSetup(max_missing=1)
    (one_by_one,) = feed(pipeline, without(textured(0, seed=3), *lost), setup)
    at_once = ShapeFromFocus(PeakBackend()).estimate(one_by_one.stack)
    for name in ('position', 'confidence', 'deviation'):
        np.testing.assert_array_equal(
            getattr(at_once.estimate, name), getattr(one_by_one.estimate, name)
        )
    np.testing.assert_array_equal(at_once.all_in_focus(), one_by_one.all_in_focus())
    assert at_once.estimate.position.std() > 0.1  # else nothing was compared


def test_stamps_of_a_stack_need_not_differ() -> None:
    backend = BrightestBackend()
    slices = [Slice(s.image, s.lens, 0, s.index, s.count) for s in sweep(0)]
    result = ShapeFromFocus(backend).estimate(FocalStack(tuple(slices)))
    (expected,) = feed(ShapeFromFocus(BrightestBackend()), sweep(0))
    np.testing.assert_array_equal(result.estimate.position, expected.estimate.position)


def test_a_stack_at_once_leaves_the_sweep_under_way_alone() -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    dim = sweep(1, gain=0.3)
    feed(pipeline, dim[:3])
    pipeline.estimate(FocalStack(tuple(sweep(0))))
    (result,) = feed(pipeline, dim[3:])
    assert_as_fresh(result, backend)


@pytest.mark.parametrize('at', range(COUNT))
def test_a_slice_that_cannot_be_measured_counts_as_missing(at: int) -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=1)
    first = sweep(0)
    results = feed(pipeline, first[:at], setup)
    backend.failing = 'measure'
    with pytest.raises(ModelError, match='cannot measure'):
        pipeline.add(first[at], setup)
    backend.failing = ''
    results += feed(pipeline, [*first[at + 1 :], *sweep(1)], setup)
    assert [r.stack.missing for r in results] == [1, 0]
    assert_as_fresh(results[0], backend, 0)
    assert_as_fresh(results[1], backend, 1)


@pytest.mark.parametrize('lost', [(), (COUNT - 1,)])
def test_a_backend_that_fails_on_a_sweep_costs_that_sweep_only(lost: tuple[int, ...]) -> None:
    """Where the last slice was lost, it fails while the next sweep's first slice is taken."""
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=1)
    *early, last = [*without(sweep(0), *lost), *sweep(1)][:COUNT]
    assert feed(pipeline, early, setup) == []
    backend.failing = 'infer'
    with pytest.raises(ModelError, match='cannot infer'):
        pipeline.add(last, setup)
    backend.failing = ''
    dim = sweep(1) if not lost else sweep(1)[1:]
    (result,) = feed(pipeline, dim, setup)
    assert [s.sweep for s in result.stack.slices] == [1] * COUNT
    assert_as_fresh(result, backend)


def test_unknown_focus_gives_positions_only() -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=1)
    blind = [replace(s, lens=LensState()) for s in sweep(0)]
    (result,) = feed(pipeline, without(blind, 2), setup)
    assert result.dioptres is None
    # Only even steps of the lens can be assumed, and one of them is missing.
    assert backend.volumes[0].axis.tolist() == [0.0, 1.0, 3.0, 4.0]
    assert np.unique(result.estimate.position).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
@pytest.mark.parametrize('channels', [(), (3,)])
def test_all_in_focus_takes_each_pixel_from_its_slice(
    dtype: type, channels: tuple[int, ...]
) -> None:
    slices = []
    for s in sweep(0):
        grey: Any = s.image[..., 0].astype(dtype)
        image = np.stack([grey] * 3, axis=-1) if channels else grey
        slices.append(replace(s, image=image))
    (result,) = feed(ShapeFromFocus(BrightestBackend()), slices)
    image = result.all_in_focus()
    assert image.shape == (H, W, *channels)
    assert image.dtype == dtype
    assert (image == 250).all()  # where a slice is sharp it shows 250, elsewhere less


def test_reset_forgets_the_sweep_under_way() -> None:
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=4)
    feed(pipeline, sweep(5)[:4], setup)
    pipeline.reset()
    (result,) = feed(pipeline, sweep(0, gain=0.3))  # older stamps and all
    assert result.stack.missing == 0
    assert_as_fresh(result, backend)


@pytest.mark.parametrize('seed', range(10))
def test_with_any_loss_each_map_is_of_its_own_slices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    backend = BrightestBackend()
    pipeline = ShapeFromFocus(backend)
    setup = SweepSetup(max_missing=2)
    results = []
    for number in range(20):
        order = FOCUS[::-1] if number % 2 else FOCUS
        for slice_ in sweep(number, order, gain=rng.uniform(0.2, 1)):
            backend.failing = str(rng.choice(['', 'measure', 'infer'], p=[0.92, 0.04, 0.04]))
            if rng.random() < 0.15:
                continue
            try:
                result = pipeline.add(slice_, setup)
            except ModelError:
                continue
            results += [] if result is None else [result]
    backend.failing = ''
    assert len(results) > 5
    assert len(results) == len(backend.volumes)
    for order_, result in enumerate(results):
        assert len({s.sweep for s in result.stack.slices}) == 1
        assert result.stack.missing <= 2
        assert_as_fresh(result, backend, order_)
