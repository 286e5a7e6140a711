"""The bowl of sharpest focus."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.optics.field_curvature import field_map, off_axis
from sff_ros.core.optics.intrinsics import Intrinsics

CAMERA = Intrinsics(64, 48, 100.0, 80.0, 30.0, 20.0)


def test_the_axis_is_zero_and_a_focal_length_off_is_one() -> None:
    px = np.array([[30.0, 20.0], [130.0, 20.0], [30.0, 100.0], [80.0, 60.0]])
    np.testing.assert_allclose(off_axis(CAMERA, px), [0, 1, 1, 0.5])


@pytest.mark.parametrize('field_dpt', [0.0, 2.0, -3.0])
def test_the_map_is_that_of_its_pixels(field_dpt: float) -> None:
    field = field_map(CAMERA, field_dpt)
    assert field.shape == (48, 64)
    assert field.dtype == np.float32
    y, x = np.indices(field.shape)
    expected = field_dpt * off_axis(CAMERA, np.stack((x, y), axis=-1).astype(float))
    np.testing.assert_allclose(field, expected, atol=1e-6)
