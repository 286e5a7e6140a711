"""The camera matrix of an image gives its breathing, and the reverse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sff_ros.core.optics.breathing import (
    breathed_matrix,
    breathing_warp,
    middle,
    reference_of,
    scales_of,
)
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError

CAMERA = Intrinsics(640, 480, 500.0, 510.0, 321.5, 238.25, (-0.1, 0.01, 0.0, 0.0))


def test_an_image_grows_about_its_centre() -> None:
    warp = breathing_warp(1.25, (100.0, 40.0))
    assert (warp @ [100, 40, 1]).tolist() == [100, 40, 1]
    assert (warp @ [104, 36, 1]).tolist() == [105, 35, 1]


@pytest.mark.parametrize('scale', [0.97, 1.04])
@pytest.mark.parametrize('centre', [(321.5, 238.25), (300.0, 260.0)])
def test_camera_matrix_round_trip(scale: float, centre: tuple[float, float]) -> None:
    warp = breathing_warp(scale, centre)
    own = breathed_matrix(CAMERA, warp)
    assert own[0, 0] == pytest.approx(500 * scale)
    assert own[1, 1] == pytest.approx(510 * scale)
    assert own[0, 2] == pytest.approx(centre[0] + scale * (321.5 - centre[0]))
    image = replace(CAMERA, fx=own[0, 0], fy=own[1, 1], cx=own[0, 2], cy=own[1, 2])
    reference, found = reference_of(image, scaled_projection(1.0))
    assert reference == CAMERA
    assert found is not None
    np.testing.assert_allclose(found, warp, atol=1e-9)


def test_without_breathing_there_is_no_warp() -> None:
    np.testing.assert_array_equal(breathed_matrix(CAMERA, None), CAMERA.matrix)
    assert reference_of(CAMERA, scaled_projection(1.0)) == (CAMERA, None)
    assert reference_of(CAMERA, np.zeros((3, 4))) == (CAMERA, None)
    blind = Intrinsics(640, 480)
    assert reference_of(blind, scaled_projection(1.0)) == (blind, None)


@pytest.mark.parametrize(
    'warp',
    [
        np.array([[1, 0.01, 0], [-0.01, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0, 1, 0], [1e-5, 0, 1]]),
        np.diag([-1.0, -1.0, 1.0]),
    ],
)
def test_a_warp_that_is_not_scale_and_shift_is_refused(warp: np.ndarray) -> None:
    with pytest.raises(CalibrationError, match='breathing must be a scale and a shift'):
        breathed_matrix(CAMERA, warp)


@pytest.mark.parametrize(
    'at_value',
    [
        *(((0, 1), 3.0), ((1, 1), 0.0), ((0, 0), -1.0), ((0, 0), 0.0), ((0, 2), np.nan)),
        *(((2, 2), 2.0), ((0, 3), 5.0), ((1, 3), np.nan), ((2, 3), 1.0)),
    ],
)
@pytest.mark.parametrize('scale', [1.0, 1.01])
def test_an_invalid_reference_is_refused(
    at_value: tuple[tuple[int, int], float], scale: float
) -> None:
    projection = scaled_projection(scale)
    projection[at_value[0]] = at_value[1]
    with pytest.raises(CalibrationError, match='P must be'):
        reference_of(CAMERA, projection)


@pytest.mark.parametrize('scale', [1e-300, 0.09, 11.0, 1e300])
def test_what_no_lens_breathes_is_refused(scale: float) -> None:
    with pytest.raises(CalibrationError, match='K and P differ by a factor of'):
        reference_of(CAMERA, scaled_projection(scale))


def scaled_projection(scale: float) -> np.ndarray:
    projection = np.column_stack((scale * CAMERA.matrix, np.zeros(3)))
    projection[2, 2] = 1
    return projection


@pytest.mark.parametrize('scales', [(0.98, 1.0, 1.03), (1.0, 1.0, 1.0)])
def test_scales_of_a_sweep(scales: tuple[float, ...]) -> None:
    found, centre = scales_of([breathing_warp(scale, (31.5, 12.25)) for scale in scales])
    assert found == scales
    if max(scales) > 1:
        assert centre == pytest.approx((31.5, 12.25))


def test_two_centres_are_no_sweep() -> None:
    warps = [breathing_warp(0.98, (30.0, 12.0)), breathing_warp(1.03, (31.0, 12.0))]
    with pytest.raises(CalibrationError, match='a scale about one point'):
        scales_of(warps)


def test_the_middle_is_the_principal_point_where_it_is_known() -> None:
    assert middle(CAMERA) == (321.5, 238.25)
    assert middle(Intrinsics(640, 480)) == (319.5, 239.5)
