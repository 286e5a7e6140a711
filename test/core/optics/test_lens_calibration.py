"""Status of a calibration, and invalid values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CalibrationError

TABLE = LensTable((0.0, 100.0), (1.0, 3.0), (0.98, 1.02))
CAMERA = Intrinsics(640, 480, 1000.0, 1000.0, 320.0, 240.0)


@pytest.mark.parametrize(
    ('residual_dpt', 'status'),
    [(None, 'approximate'), (0.004, 'calibrated'), (0.05, 'calibrated'), (0.051, 'approximate')],
)
def test_status(residual_dpt: float | None, status: str) -> None:
    assert LensCalibration(TABLE, CAMERA, residual_dpt=residual_dpt).status == status


@pytest.mark.parametrize(('centre', 'fixed'), [(None, (320, 240)), ((300.0, 250.0), (300, 250))])
def test_the_image_grows_about_its_centre(
    centre: tuple[float, float] | None, fixed: tuple[int, int]
) -> None:
    warp = LensCalibration(TABLE, CAMERA, centre_px=centre).warp_at(2.5)
    assert warp is not None
    for point in ((0, 0), fixed, (639, 479)):
        moved = warp @ (*point, 1)
        expected = np.array(fixed) + 1.01 * (np.array(point) - fixed)
        np.testing.assert_allclose(moved, (*expected, 1))


def test_what_was_not_measured_stays_unknown() -> None:
    assert LensCalibration(LensTable((0, 1), (1, 2)), CAMERA).warp_at(1.5) is None
    with pytest.raises(CalibrationError, match=r'outside the calibrated 1 \.\. 3'):
        LensCalibration(TABLE, CAMERA).warp_at(3.1)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'backlash': -1.0}, 'backlash of a lens must be finite and >= 0, not -1'),
        ({'settle_s': float('nan')}, 'settle_s of a lens must be finite'),
        ({'backlash': 100.0}, 'backlash of 100 codes is more than the table has: 0 .. 100'),
    ],
)
def test_invalid_values_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        LensCalibration(TABLE, CAMERA, **wrong)
