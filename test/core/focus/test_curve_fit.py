"""Peaks of single curves: subslice accuracy, at any spacing, and rejection of noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from rendered import even

from sff_ros.core.focus.curve_fit import CurveFitter

RNG = np.random.default_rng(0)


def curves(
    axis: npt.NDArray[np.float64], peaks: npt.NDArray[np.float64], width: float, noise: float
) -> npt.NDArray[np.float32]:
    """Return (S, N) Gaussian curves on the axis: not the shape of the templates."""
    x = (axis[:, None] - peaks[None]) / width
    clean = np.exp(-0.5 * x * x) + 0.2
    return (clean + RNG.normal(0, noise, clean.shape)).astype(np.float32)


@pytest.mark.parametrize(
    ('count', 'width', 'noise', 'mae'),
    [(15, 1.0, 0.0, 0.02), (15, 4.0, 0.03, 0.15), (41, 3.0, 0.03, 0.08), (100, 20.0, 0.03, 0.6)],
)
def test_peak_between_slices(count: int, width: float, noise: float, mae: float) -> None:
    axis = even(0, count - 1, count)
    peaks = even(0.15, 0.85, 500) * (count - 1)
    fit = CurveFitter(curves(axis, peaks, width, noise), axis).fit()
    assert np.abs(fit.position - peaks).mean() < mae
    assert fit.explained.mean() > 0.9


def test_uneven_spacing_is_fitted_on_the_axis() -> None:
    axis = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 5, 7, 9, 11, 13.0])
    peaks = even(1.0, 10.0, 500)
    fit = CurveFitter(curves(axis, peaks, 2.0, 0.0), axis).fit()
    found = np.interp(fit.position, np.arange(len(axis)), axis)
    assert np.abs(found - peaks).mean() < 0.1


def test_the_direction_of_the_axis_is_free() -> None:
    axis = even(0.5, 4.0, 15)
    values = curves(axis, even(1, 3.5, 200), 0.4, 0.02)
    up = CurveFitter(values, axis).fit()
    down = CurveFitter(values[::-1].copy(), axis[::-1].copy()).fit()
    np.testing.assert_allclose(down.position, 14 - up.position, atol=1e-3)


def test_a_curve_that_still_rises_peaks_outside() -> None:
    axis = even(0, 14, 15)
    fit = CurveFitter(curves(axis, np.array([-3.0, 7.0, 18.0]).repeat(50), 2.0, 0.0), axis).fit()
    ends = fit.position.reshape(3, 50).mean(axis=1)
    assert ends[0] < 0
    assert 6.95 < ends[1] < 7.05
    assert ends[2] > 14


def test_noise_and_double_peaks_carry_less_information() -> None:
    axis = even(0, 14, 15)
    one = curves(axis, np.full(300, 7.3), 1.2, 0.02)
    two = np.maximum(curves(axis, np.full(300, 3.0), 1.2, 0.02), one)
    noise = (0.2 + RNG.normal(0, 0.02, (15, 300))).astype(np.float32)
    fit = CurveFitter(np.hstack([one, two, noise]), axis).fit()
    single, double, nothing = fit.information.reshape(3, 300).mean(axis=1)
    assert double < 0.1 * single
    assert nothing < 0.01 * single


def test_a_constant_curve_is_uninformative_and_in_the_middle() -> None:
    fit = CurveFitter(np.full((9, 4), 5.0, np.float32), even(0, 8, 9)).fit()
    assert fit.position.tolist() == [4.0] * 4
    assert fit.information.tolist() == [0.0] * 4


def test_only_the_wanted_curves_are_fitted_and_just_as_well() -> None:
    axis = even(0, 14, 15)
    fitter = CurveFitter(curves(axis, even(1, 13, 3000), 1.5, 0.02), axis)
    wanted = RNG.random(3000) < 0.3
    some, all_ = fitter.fit(wanted), fitter.fit()
    for name in ('position', 'information', 'explained', 'height'):
        np.testing.assert_array_equal(
            getattr(some, name), np.where(wanted, getattr(all_, name), 0), name
        )
    assert some.width == all_.width


def test_the_quick_look_finds_the_curves_that_peak_elsewhere() -> None:
    axis = even(0.5, 4.0, 15)
    peaks = even(2, 12, 2000)
    fitter = CurveFitter(curves(axis, axis[0] + peaks * 0.25, 0.4, 0.02), axis)
    shift = np.where(np.arange(2000) % 5 == 0, 1.5, 0.0)
    found = fitter.elsewhere((peaks + shift).astype(np.float32))
    np.testing.assert_array_equal(found, shift > 0)
