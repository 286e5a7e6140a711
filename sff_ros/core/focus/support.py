"""What no focus curve supports is unknown, unless the network is very sure of it."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.focus.peak import Evidence, to_full_size, tolerance_of
from sff_ros.core.image import FloatMap

# All limits were set on ten rendered scenes at four rates of blur, with noise of 1 to 25 grey
# levels: of what is published there and right, 98 % stays.
REACH = 2.0  # standard deviation of the neighbourhood in which curves count, pooled px
AGREE = 1.0  # slices by which a curve's own peak may differ from a position, at least
# Mean weight of the curves that agree: below the first a position has no support, from the second
# on it has full support.
NONE, FULL = 0.1, 0.25
# Where the surroundings are mostly supported, a position without support counts from the first
# confidence of the network on, fully at the second.
VERY_SURE, CERTAIN = 0.8, 1.0
AROUND = 24  # radius of the surroundings, pooled px
# Mean weight there: of no effect up to the first, of full effect from the second on.
PARTLY, MOSTLY = 0.3, 0.5


def supported_confidence(
    position: FloatMap, confidence: FloatMap, volume: FocusVolume, evidence: Evidence
) -> FloatMap:
    """Return how sure positions are, given the focus curves around them.

    A curve counts by its information, up to 1 for a peak that is certain to `tolerance_of` a
    sweep, and only if its own peak agrees. So noise, plain surfaces and a lens that stands still
    support nothing: there a network fills in from the surroundings or from habit. It is
    believed only where it is very sure, and only on plain patches within supported surroundings.

    Args:
        position: (H, W) slice positions.
        confidence: (H, W) the network's, 0..1.
        volume, evidence: of the sweep.

    Returns:
        (H, W) confidence, 0..1, nowhere higher than before.
    """
    tolerance = float(tolerance_of(evidence))
    weight = np.minimum(evidence.information * np.float32(tolerance**2), np.float32(1))
    pooled = position[:: volume.pooling, :: volume.pooling]
    agrees = np.abs(evidence.position - pooled) <= max(AGREE, tolerance)
    counted = np.asarray(weight * agrees, np.float32)
    nearby = cast('FloatMap', cv2.GaussianBlur(counted, (0, 0), REACH))
    around = cast('FloatMap', cv2.blur(counted, (2 * AROUND + 1, 2 * AROUND + 1)))
    support = _ramp(to_full_size(nearby, volume), NONE, FULL)
    framed = _ramp(to_full_size(around, volume), PARTLY, MOSTLY)
    filled_in = _ramp(confidence, VERY_SURE, CERTAIN) * framed
    believed: FloatMap = support * confidence + (1 - support) * filled_in
    return believed


def _ramp(values: FloatMap, low: float, high: float) -> FloatMap:
    """Return 0 up to low, 1 from high on, linear between."""
    ramp: FloatMap = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return ramp
