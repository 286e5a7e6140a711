"""The middle of a focus curve by its chords."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.calibration.corner_focus import chord_centres

Floats = npt.NDArray[np.float64]
SHAPES: dict[str, Callable[[Floats], Floats]] = {
    'bell': lambda x: np.exp(-(x**2)),
    'fall': lambda x: 1 / (1 + np.abs(x) ** 2.5),
    'tent': lambda x: 1 / (1 + np.abs(x)),
}


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('peak', [6.0, 9.3, 14.7])
def test_peaks_are_found_though_one_flank_is_cut_off(shape: str, peak: float) -> None:
    axis = np.arange(21.0)
    curve = SHAPES[shape]((axis - peak) / 5)
    position, spread = chord_centres(curve[:, None].astype(np.float32), axis)
    assert position[0] == pytest.approx(peak, abs=0.12)
    assert 0 < spread[0] < 0.1


def test_uneven_axes_are_corrected_for() -> None:
    axis = np.cumsum(np.linspace(0.5, 1.5, 21))
    curve = SHAPES['bell']((axis - 9.0) / 4)[:, None].astype(np.float32)
    for a, c, turned in ((axis, curve, False), (axis[::-1], curve[::-1], True)):
        position, _ = chord_centres(c, a)
        found = np.interp(position[0], np.arange(21), a)
        assert found == pytest.approx(9.0, abs=0.05), turned


def test_a_peak_that_is_not_inside_is_unknown() -> None:
    axis = np.arange(11.0)
    curves = np.stack([axis, 10 - axis, np.full(11, 3.0)], axis=1).astype(np.float32)
    position, spread = chord_centres(curves, axis)
    assert np.isnan(position).all()
    assert np.isnan(spread).all()
