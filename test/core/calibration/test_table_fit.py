"""A table is fitted to points with outliers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.calibration.table_fit import LensFit, fit_lens
from sff_ros.errors import CalibrationError

Floats = npt.NDArray[np.float64]


NOWHERE = np.zeros(320)  # all on the axis


def code_of(dioptres: Floats) -> Floats:
    """A lens whose codes bend against dioptres."""
    codes: Floats = 80 + 230 * dioptres + 18 * dioptres**2
    return codes


def points(
    backlash: float, noise: float, seed: int = 0
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    dioptres = np.concatenate(
        [rng.uniform(d - 0.1, d + 0.1, 40) for d in np.linspace(0.8, 3.4, 8)]
    )
    side = np.where(rng.random(len(dioptres)) < 0.5, 1, -1)
    codes = code_of(dioptres) + side * backlash / 2 + rng.normal(0, noise, len(dioptres))
    return dioptres, codes, side


def worst_dpt(fit: LensFit) -> float:
    d = np.linspace(fit.dioptres[0], fit.dioptres[-1], 200)
    found = np.interp(code_of(d), fit.position_codes, fit.dioptres)
    return float(np.abs(found - d).max())


@pytest.mark.parametrize(('backlash', 'noise'), [(0.0, 0.0), (24.0, 0.0), (24.0, 4.0)])
def test_table_and_backlash_are_recovered(backlash: float, noise: float) -> None:
    dioptres, codes, side = points(backlash, noise)
    fit = fit_lens(dioptres, codes, side, np.ones(len(codes)), NOWHERE)
    assert fit.backlash == pytest.approx(backlash, abs=0.1 + 0.4 * noise)
    assert worst_dpt(fit) < 0.006 + 0.006 * noise
    slope = 1 / np.diff(code_of(np.array([2.0, 2.001])))[0] * 0.001
    assert fit.rms_dpt == pytest.approx(noise * slope, rel=0.2, abs=0.002)


def test_outliers_are_ignored_and_named() -> None:
    dioptres, codes, side = points(10.0, 2.0)
    clean = fit_lens(dioptres, codes, side, np.ones(len(codes)), NOWHERE)
    wrong = np.zeros(len(codes), bool)
    wrong[::9] = True
    codes = codes + np.where(wrong, 150.0, 0.0)
    fit = fit_lens(dioptres, codes, side, np.ones(len(codes)), NOWHERE)
    assert not fit.inside[wrong].any()
    assert fit.inside[~wrong].mean() > 0.97
    assert worst_dpt(fit) < worst_dpt(clean) + 0.004
    assert fit.backlash == pytest.approx(10, abs=1.5)


def test_backlash_is_unknown_from_one_side() -> None:
    dioptres, codes, side = points(0.0, 1.0)
    fit = fit_lens(dioptres, codes, np.ones_like(side), np.ones(len(codes)), NOWHERE)
    assert fit.backlash == 0


def test_a_line_is_distinguished_from_a_curve() -> None:
    dioptres, codes, side = points(0.0, 0.0)
    bent = fit_lens(dioptres, codes, side, np.ones(len(codes)), NOWHERE)
    assert bent.linear_rms_dpt > 10 * bent.rms_dpt
    straight = fit_lens(dioptres, 100 + 200 * dioptres, side, np.ones(len(codes)), NOWHERE)
    assert straight.linear_rms_dpt == pytest.approx(0, abs=1e-6)
    assert straight.linear == pytest.approx((1 / 200, -0.5))


def test_falling_codes_are_equally_precise() -> None:
    dioptres, codes, side = points(8.0, 0.0)
    fit = fit_lens(dioptres, 1023 - codes, side, np.ones(len(codes)), NOWHERE)
    assert (np.diff(fit.position_codes) < 0).all()
    # The side is that of the codes, which are turned around.
    assert fit.backlash == pytest.approx(0, abs=0.1)
    assert fit_lens(
        dioptres, 1023 - codes, -side, np.ones(len(codes)), NOWHERE
    ).backlash == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize('field_dpt', [0.0, 4.0, -2.5])
def test_field_curvature_is_separated_from_the_table(field_dpt: float) -> None:
    dioptres, _, side = points(0.0, 0.0)
    rng = np.random.default_rng(5)
    off_axis = rng.uniform(0, 0.05, len(dioptres))
    codes = code_of(dioptres - field_dpt * off_axis) + side * 6 + rng.normal(0, 2, len(dioptres))
    fit = fit_lens(dioptres, codes, side, np.ones(len(codes)), off_axis)
    assert fit.field_dpt == pytest.approx(field_dpt, abs=0.1)
    assert worst_dpt(fit) < 0.02
    assert fit.rms_dpt < 0.009


def test_codes_without_information_are_refused() -> None:
    dioptres, _, side = points(0.0, 0.0)
    codes = np.random.default_rng(1).uniform(0, 1000, len(dioptres))
    with pytest.raises(CalibrationError, match='do not grow with the distance'):
        fit_lens(dioptres, codes, side, np.ones(len(codes)), NOWHERE)
