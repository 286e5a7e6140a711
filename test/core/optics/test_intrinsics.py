from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError

CAMERA = Intrinsics(640, 480, 500.0, 510.0, 319.5, 239.5)
K8 = (0.1, 0.2, 0.0, 0.0, 0.1, 0.3, 0.2, 0.1)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'width': 0}, 'image size must be positive, not 0x480'),
        ({'height': -1}, 'image size must be positive, not 640x-1'),
        ({'fx': float('nan')}, 'must be finite'),
        ({'cx': float('inf')}, 'must be finite'),
        ({'distortion': (0.1, float('nan'), 0.0, 0.0)}, 'must be finite'),
        ({'fx': -500.0}, 'fx and fy must both be positive'),
        ({'fy': 0.0}, 'both 0 if the camera is not calibrated, not 500.0 and 0.0'),
        ({'distortion_model': 'fisheye'}, "'fisheye' is unknown; one of plumb_bob, rational"),
        ({'distortion': (0.1, 0.2)}, 'plumb_bob takes 4 or 5 coefficients, not 2'),
        (
            {'distortion': K8[:5], 'distortion_model': 'rational_polynomial'},
            'rational_polynomial takes 8 coefficients, not 5',
        ),
        (
            {'distortion': K8[:5], 'distortion_model': 'equidistant'},
            'equidistant takes 4 coefficients, not 5',
        ),
        ({'fx': 0.0, 'fy': 0.0, 'distortion': (0.1, 0.0, 0.0, 0.0)}, 'nothing without fx and fy'),
    ],
)
def test_what_makes_no_camera_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        dataclasses.replace(CAMERA, **arguments)


@pytest.mark.parametrize(
    ('intrinsics', 'calibrated', 'distorted'),
    [
        (CAMERA, True, False),
        (Intrinsics(640, 480), False, False),
        (Intrinsics(640, 480, distortion=(0.0,) * 5), False, False),
        (dataclasses.replace(CAMERA, distortion=(0.0,) * 4), True, False),
        (dataclasses.replace(CAMERA, distortion=(0.0, 0.0, 0.0, 1e-9)), True, True),
    ],
)
def test_what_is_known_of_a_camera(
    intrinsics: Intrinsics, calibrated: bool, distorted: bool
) -> None:
    assert intrinsics.is_calibrated is calibrated
    assert intrinsics.is_distorted is distorted


def test_matrix_projects_a_point() -> None:
    x, y, z = 0.2, -0.1, 2.0
    u, v, w = CAMERA.matrix @ (x, y, z)
    assert (u / w, v / w) == pytest.approx((500 * 0.1 + 319.5, 510 * -0.05 + 239.5))


def test_rectified_keeps_all_but_distortion() -> None:
    bent = dataclasses.replace(CAMERA, distortion=K8, distortion_model='rational_polynomial')
    assert bent.rectified() == CAMERA
    assert CAMERA.rectified() == CAMERA


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((320, 240), (250.0, 255.0, 159.5, 119.5)),  # the centre stays the centre
        ((1280, 960), (1000.0, 1020.0, 639.5, 479.5)),
        ((640, 240), (500.0, 255.0, 319.5, 119.5)),
    ],
)
def test_scaled_values(size: tuple[int, int], expected: tuple[float, ...]) -> None:
    scaled = CAMERA.scaled(*size)
    assert (scaled.width, scaled.height) == size
    assert (scaled.fx, scaled.fy, scaled.cx, scaled.cy) == pytest.approx(expected, rel=1e-12)


def test_scaling_moves_pixels_as_area_resampling_does() -> None:
    """The mean place of 4x4 pixels is where the one pixel made of them looks to."""
    off_centre = dataclasses.replace(CAMERA, cx=301.25, cy=222.75)
    small = off_centre.scaled(160, 120)
    for column in (0, 1, 77, 159):
        block = np.arange(4 * column, 4 * column + 4)
        ray = np.mean((block - off_centre.cx) / off_centre.fx)
        assert (column - small.cx) / small.fx == pytest.approx(ray, abs=1e-12)
    back = small.scaled(640, 480)
    assert (back.cx, back.cy, back.fx) == pytest.approx((301.25, 222.75, 500.0))


def test_cropped_window_looks_along_the_same_rays() -> None:
    window = CAMERA.cropped(100, 50, 64, 32)
    assert window == Intrinsics(64, 32, 500.0, 510.0, 219.5, 189.5)
    assert CAMERA.cropped(0, 0, 640, 480) == CAMERA


@pytest.mark.parametrize('window', [(-1, 0, 9, 9), (0, -1, 9, 9), (632, 0, 9, 9), (0, 472, 9, 9)])
def test_window_outside_the_image_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(CalibrationError, match='leaves the 640x480 image'):
        CAMERA.cropped(*window)


def test_empty_window_is_refused() -> None:
    with pytest.raises(CalibrationError, match='must be positive, not 0x9'):
        CAMERA.cropped(1, 1, 0, 9)


def test_uncalibrated_stays_uncalibrated() -> None:
    blank = Intrinsics(640, 480)
    assert blank.scaled(320, 240) == Intrinsics(320, 240)
    assert blank.cropped(5, 6, 20, 30) == Intrinsics(20, 30)


def test_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CAMERA.fx = 1.0  # type: ignore[misc]
