"""On long sweeps the classical peak refines the network's position where they agree."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import even, plane, render

from sff_ros.core.focus.measure import POOLING, FocusVolume, measure_contrast
from sff_ros.core.focus.peak import Evidence, gather_evidence
from sff_ros.core.focus.subslice import refine_long_sweep

TRUTH = plane(10.0, 28.0)


def measured(slices: int, noise: float = 1.0) -> tuple[FocusVolume, Evidence]:
    """Return the evidence of a plane from 10 to 28 of 40, for any number of slices."""
    stack = render(TRUTH, even(0, 40, slices), growth_px=0.3, noise=noise)
    volume = FocusVolume(
        np.stack([measure_contrast(image, POOLING) for image in stack]),
        even(0, slices - 1, slices),
        (TRUTH.shape[0], TRUTH.shape[1]),
        POOLING,
    )
    return volume, gather_evidence(volume)


@pytest.fixture(scope='module')
def long_sweep() -> tuple[FocusVolume, Evidence]:
    return measured(41)


def test_a_coarse_position_becomes_fine(long_sweep: tuple[FocusVolume, Evidence]) -> None:
    coarse = np.rint(TRUTH).astype(np.float32)
    fine = refine_long_sweep(coarse, *long_sweep)
    before, after = (np.abs(m - TRUTH)[8:-8, 8:-8].mean() for m in (coarse, fine))
    assert before == pytest.approx(0.25, abs=0.02)
    assert after < 0.5 * before


# A canonical position is 40 / 14 slices.
@pytest.mark.parametrize(('off', 'taken'), [(0.3, True), (2.3, True), (3.5, False), (-9, False)])
def test_another_surface_is_left_to_the_network(
    long_sweep: tuple[FocusVolume, Evidence], off: float, taken: bool
) -> None:
    network = (TRUTH + off).astype(np.float32)
    got = refine_long_sweep(network, *long_sweep)[8:-8, 8:-8]
    changed = got != network[8:-8, 8:-8]
    assert changed.mean() == pytest.approx(1.0 if taken else 0.0, abs=0.05)


def test_what_lies_beyond_the_sweep_stays_there(
    long_sweep: tuple[FocusVolume, Evidence],
) -> None:
    network = TRUTH.copy()
    network[:4], network[-4:] = 0, 40
    got = refine_long_sweep(network, *long_sweep)
    assert (got[:4] == 0).all()
    assert (got[-4:] == 40).all()


def test_short_sweeps_are_left_alone() -> None:
    volume, evidence = measured(15)
    network = np.full(TRUTH.shape, 7.3, np.float32)
    assert refine_long_sweep(network, volume, evidence) is network


def test_a_faint_curve_is_left_to_the_network() -> None:
    network = (TRUTH + 0.3).astype(np.float32)
    kept = refine_long_sweep(network, *measured(41, noise=25.0)) == network
    assert kept[8:-8, 8:-8].mean() > 0.9
