"""From what a backend knows of its errors to a standard deviation, calibrated on scenes.

benchmarks/deviation.py draws scenes of known depth, fits the constants below and prints which
share of the errors lies within one and two standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.core.focus.estimate import local_step
from sff_ros.core.image import FloatMap, Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the spread of its errors that a backend states relates to the real one.

    The standard deviation is sqrt((factor spread)^2 + floor^2). The floor is what no backend knows
    of: discretisation, and focus curves unlike those that it expects.

    Attributes:
        factor: standard deviations a spread.
        floor: in the unit of the spread.
    """

    factor: float
    floor: float

    def apply(self, spread: FloatMap) -> FloatMap:
        """Return (H, W) standard deviations of (H, W) spreads >= 0, in their unit."""
        deviation: FloatMap = np.hypot(spread * np.float32(self.factor), np.float32(self.floor))
        return deviation


AS_STATED = Calibration(1.0, 0.0)
NETWORK = Calibration(1.14, 0.0)  # of the Laplace scale, canonical positions: 68 % lie within
PEAK = Calibration(0.95, 0.08)  # of the spread of the classical map, see focus/peak
# Scale of the network's errors over what it states of them: trained to admit what it cannot know,
# it states too much. Set on drawn scenes, usual and hard ones, so that confidences come true.
OVERSTATED = 0.7
# Error of a peak between slices d positions apart, over d^2 - 1: as that of any interpolation it
# grows with the square of the distance. Set on rendered RGB-D scenes of 3 to 8 slices.
SPARSE = 0.032


def confidence_of(scale: FloatMap) -> FloatMap:
    """Return the chance that a position is right to within one: 1 - exp(-1 / scale).

    Args:
        scale: (H, W) of the Laplace distribution of the error, positions, > 0.
    """
    confidence: FloatMap = -np.expm1(-1 / scale)
    return confidence


def sparse_error(step: FloatMap) -> FloatMap:
    """Return how far a peak between two slices may be off because they are far apart.

    Args:
        step: (H, W) canonical positions between the two slices around each position.

    Returns:
        (H, W) scale of that error, canonical positions; 0 where slices are up to one position
        apart.
    """
    error: FloatMap = np.float32(SPARSE) * np.maximum(step**2 - 1, np.float32(0))
    return error


def between_slices(scale: FloatMap, step: FloatMap) -> FloatMap:
    """Widen what a network states of its error, where slices are sparser than its input.

    It sees the focus curves at 15 even positions. Between sparse slices these are interpolated,
    and the network does not see by how much a peak there is off.

    Args:
        scale: (H, W) of the Laplace distribution of the error, canonical positions.
        step: (H, W) canonical positions between the two slices around each position.

    Returns:
        (H, W) scale; the same where slices are one position or less apart.
    """
    wider: FloatMap = np.hypot(scale, sparse_error(step))
    return wider


def in_slices(deviation: FloatMap, step: FloatMap) -> FloatMap:
    """Convert a deviation from canonical positions into slices, by the spacing around a position.

    Args:
        deviation: (H, W) canonical positions.
        step: (H, W) canonical positions between the two slices around each position.
    """
    return deviation / step


def in_dioptres(
    deviation: FloatMap, position: FloatMap, focus_dpt: Floats, residual_dpt: float
) -> FloatMap:
    """Convert a deviation from slices into dioptres, by the step around a position.

    Args:
        deviation: (H, W) slices.
        position: (H, W) slice position in [0, S - 1].
        focus_dpt: (S,) focus distance of each slice, strictly monotonic, dioptres.
        residual_dpt: standard deviation of these; added in quadrature, since errors of the lens
            have nothing to do with those of the image.

    Returns:
        (H, W) dioptres.
    """
    own = deviation * local_step(position, focus_dpt)
    whole: FloatMap = np.hypot(own, np.float32(residual_dpt))
    return whole
