"""Scale and centre from corners that move as the lens does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.calibration.breathing_fit import Breathing, fit_breathing
from sff_ros.core.calibration.charuco import Corners

CENTRE = np.array([310.0, 250.0])
MIDDLE = (319.5, 239.5)
POSITION_CODES = np.linspace(100.0, 900.0, 17)
Sweep = tuple[npt.NDArray[np.float64], list[Corners | None]]


def scale(position_code: float) -> float:
    t = (position_code - 500) / 800
    return float(np.exp(0.04 * t - 0.01 * t**2))


def sweeps(noise_px: float, seen: int = 17) -> list[Sweep]:
    """Boards at three positions in the image, each seen in some slices only."""
    rng = np.random.default_rng(3)
    found: list[Sweep] = []
    for number in range(3):
        grid = np.stack(np.meshgrid(np.arange(8), np.arange(6)), axis=-1).reshape(-1, 2)
        at_reference = 60.0 + 15 * number + grid * (55.0 - 8 * number)
        views: list[Corners | None] = []
        for k, position_code in enumerate(POSITION_CODES.tolist()):
            px = CENTRE + (at_reference - CENTRE) * scale(position_code)
            px = px + rng.normal(0, noise_px, px.shape)
            shown = np.flatnonzero(rng.random(len(px)) < 0.8)
            hidden = abs(k - 8 - 3 * (number - 1)) > seen
            views.append(None if hidden else Corners(shown, px[shown]))
        found.append((POSITION_CODES, views))
    return found


@pytest.mark.parametrize(('noise_px', 'seen', 'tolerance'), [(0.0, 17, 2e-6), (0.05, 5, 3e-4)])
def test_scale_and_centre_are_recovered(noise_px: float, seen: int, tolerance: float) -> None:
    breathing = fit_breathing(sweeps(noise_px, seen), 500, 800)
    expected = [scale(position_code) for position_code in POSITION_CODES.tolist()]
    np.testing.assert_allclose(breathing.scale_at(POSITION_CODES), expected, atol=tolerance)
    assert breathing.centre_px is not None
    np.testing.assert_allclose(breathing.centre_px, CENTRE, atol=1e-3 if noise_px == 0 else 3)


def test_points_go_to_the_reference_and_back() -> None:
    breathing = Breathing(500, 800, np.array([0.04, -0.01]), (310.0, 250.0))
    px = np.array([[10.0, 20.0], [310.0, 250.0], [600.0, 400.0]])
    there = breathing.from_reference(px, 900.0, MIDDLE)
    np.testing.assert_allclose(there[1], px[1])
    np.testing.assert_allclose(there[0], CENTRE + (px[0] - CENTRE) * scale(900))
    np.testing.assert_allclose(breathing.to_reference(there, 900.0, MIDDLE), px)


def test_an_image_that_does_not_grow_has_no_centre() -> None:
    still = Corners(np.arange(48), np.random.default_rng(0).uniform(0, 400, (48, 2)))
    breathing = fit_breathing([(POSITION_CODES, [still] * 17)], 500, 800)
    np.testing.assert_allclose(breathing.scale_at(POSITION_CODES), 1, atol=1e-9)
    assert breathing.centre_px is None


def test_without_common_corners_there_is_no_breathing() -> None:
    breathing = fit_breathing([(POSITION_CODES, [None] * 17)], 500, 800)
    np.testing.assert_array_equal(breathing.scale_at(POSITION_CODES), 1)
