"""What a sweep is taken with travels with its slices to the result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bright_sweep import COUNT, H, W, assert_as_fresh, feed, sweep, without
from brightest_backend import BrightestBackend

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import StackError
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

CAMERAS = (Intrinsics(W, H, 50.0, 50.0, 23.5, 15.5), Intrinsics(W, H, 80.0, 80.0, 23.5, 15.5))


@pytest.mark.parametrize('lost', [(), (COUNT - 1,)])
def test_a_sweep_keeps_the_camera_it_was_taken_with(lost: tuple[int, ...]) -> None:
    """Where its last slice was lost, the next sweep's first slice ends it."""
    pipeline = ShapeFromFocus(BrightestBackend())
    setups = [SweepSetup(k, name, max_missing=1) for k, name in zip(CAMERAS, 'ab', strict=True)]
    results = feed(pipeline, without(sweep(0), *lost), setups[0])
    results += feed(pipeline, sweep(1), setups[1])
    assert [result.setup for result in results] == setups


def test_field_curvature_is_that_of_the_sweeps_own_camera() -> None:
    pipeline = ShapeFromFocus(BrightestBackend())
    for number, camera in enumerate(CAMERAS):
        slices = [replace(s, field_dpt=0.5) for s in sweep(number)]
        (bent,) = feed(pipeline, slices, SweepSetup(camera))
        assert bent.dioptres is not None
        x, y = (20 - 23.5) / camera.fx, (3 - 15.5) / camera.fy
        assert bent.dioptres[3, 20] == pytest.approx(4.0 + 0.5 * (x**2 + y**2), rel=1e-6)


def test_a_camera_of_another_size_is_refused() -> None:
    pipeline, wrong = ShapeFromFocus(BrightestBackend()), SweepSetup(Intrinsics(W + 2, H))
    with pytest.raises(StackError, match='the camera is for 50x32, the slice is 48x32'):
        pipeline.add(sweep(0)[0], wrong)
    assert len(feed(pipeline, sweep(0), SweepSetup(CAMERAS[0]))) == 1


def test_another_backend_begins_with_a_sweep_of_its_own() -> None:
    one, other = BrightestBackend(), BrightestBackend()
    pipeline, setup = ShapeFromFocus(one), SweepSetup(max_missing=COUNT - 1)
    feed(pipeline, sweep(0)[:3], setup)
    pipeline.use(other)
    assert feed(pipeline, sweep(0)[3:], setup) == []
    (result,) = feed(pipeline, sweep(1, gain=0.3), setup)
    assert (len(one.volumes), len(other.volumes)) == (0, 1)
    assert_as_fresh(result, other)
