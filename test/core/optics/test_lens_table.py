from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CalibrationError

NAN, INF = float('nan'), float('inf')
RISING = LensTable((100.0, 200.0, 400.0), (0.0, 2.0, 10.0), (1.0, 1.01, 1.03))
FALLING = LensTable((0.0, 10.0, 40.0), (9.0, 3.0, 0.0), (0.9, 1.0, 1.06))


@pytest.mark.parametrize(
    ('lens', 'code', 'dioptres', 'scale'),
    [
        (RISING, 100, 0.0, 1.0),
        (RISING, 150, 1.0, 1.005),
        (RISING, 200, 2.0, 1.01),
        (RISING, 300, 6.0, 1.02),
        (RISING, 400, 10.0, 1.03),
        (FALLING, 0, 9.0, 0.9),
        (FALLING, 5, 6.0, 0.95),
        (FALLING, 30, 1.0, 1.04),
        (FALLING, 40, 0.0, 1.06),
    ],
)
def test_values(lens: LensTable, code: float, dioptres: float, scale: float) -> None:
    assert lens.to_dioptres(code) == pytest.approx(dioptres, abs=1e-12)
    assert lens.to_code(dioptres) == pytest.approx(code, abs=1e-9)
    assert lens.scale_at(dioptres) == pytest.approx(scale, abs=1e-12)


@pytest.mark.parametrize('lens', [RISING, FALLING])
def test_round_trip(lens: LensTable) -> None:
    for code in np.linspace(lens.codes[0], lens.codes[-1], 37).tolist():
        assert lens.to_code(lens.to_dioptres(code)) == pytest.approx(code, abs=1e-9)


@pytest.mark.parametrize('code', [99.999, 400.001, NAN, INF, -INF])
def test_codes_outside_the_table_are_refused(code: float) -> None:
    with pytest.raises(CalibrationError, match=r'lens code .* outside the calibrated 100 .. 400'):
        RISING.to_dioptres(code)


@pytest.mark.parametrize('dioptres', [-0.001, 9.001, NAN, INF])
def test_dioptres_outside_the_table_are_refused(dioptres: float) -> None:
    with pytest.raises(CalibrationError, match=r'dioptres .* outside the calibrated 0 .. 9'):
        FALLING.to_code(dioptres)
    with pytest.raises(CalibrationError, match=r'dioptres .* outside the calibrated 0 .. 9'):
        FALLING.scale_at(dioptres)


def test_breathing_that_was_not_measured_raises() -> None:
    with pytest.raises(CalibrationError, match='breathing was not measured'):
        LensTable((0.0, 1.0), (0.0, 1.0)).scale_at(0.5)


@pytest.mark.parametrize(
    ('codes', 'dioptres', 'scales', 'message'),
    [
        ((1,), (1,), (), 'two or more codes and as many dioptres, not 1 and 1'),
        ((1, 2, 3), (1, 2), (), 'two or more codes and as many dioptres, not 3 and 2'),
        ((1, 2), (1, 2), (1,), 'of 2 codes has 1 scales'),
        ((1, NAN), (1, 2), (), 'must be finite'),
        ((1, 2), (1, INF), (), 'must be finite'),
        ((1, 2), (1, 2), (1, NAN), 'must be finite'),
        ((2, 1), (1, 2), (), 'codes of a lens table must be strictly increasing'),
        ((1, 1), (1, 2), (), 'codes of a lens table must be strictly increasing'),
        ((1, 2, 3), (1, 3, 2), (), 'dioptres of a lens table must be strictly monotonic'),
        ((1, 2, 3), (1, 1, 2), (), 'dioptres of a lens table must be strictly monotonic'),
        ((1, 2), (1, -0.1), (), 'and >= 0'),
        ((1, 2), (1, 2), (1, 0), 'scales of a lens table must be positive'),
    ],
)
def test_malformed_table_is_refused(
    codes: tuple[float, ...],
    dioptres: tuple[float, ...],
    scales: tuple[float, ...],
    message: str,
) -> None:
    with pytest.raises(CalibrationError, match=message):
        LensTable(codes, dioptres, scales)
