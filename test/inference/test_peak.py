"""The classical backend behind the protocol of all backends."""

from __future__ import annotations

import numpy as np
from rendered import estimate, plane, render

from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.peak import PeakBackend


def test_it_is_a_backend() -> None:
    backend: DepthBackend = PeakBackend()
    assert backend.spec.name == 'peak'
    assert backend.spec.pooling == 2
    assert backend.spec.slices == 0


def test_measure_is_relative_to_the_brightness() -> None:
    image = np.random.default_rng(0).integers(0, 64, (40, 50), dtype=np.uint8)
    plain, bright = PeakBackend().measure(image), PeakBackend().measure(image * 4)
    assert plain.shape == (4, 20, 25)
    np.testing.assert_allclose(bright, plain, rtol=1e-5)


def test_a_black_slice_measures_zero() -> None:
    assert PeakBackend().measure(np.zeros((20, 20), np.uint8)).max() == 0


def test_three_slices_do_not_locate_a_surface_to_a_fourteenth_of_the_sweep() -> None:
    surest = {}
    for count in (3, 4, 8, 15):
        axis = np.linspace(0, 14, count)
        surest[count] = float(estimate(render(plane(2, 12), axis), axis).confidence.max())
    assert surest[3] < 0.5 < surest[4] < surest[8]
    assert surest[15] > 0.95


def test_a_sweep_leaves_nothing_behind() -> None:
    stack = render(plane(3, 11))
    first = estimate(stack)
    estimate(render(plane(11, 3)))
    np.testing.assert_array_equal(estimate(stack).position, first.position)
