"""The fine position on a long sweep, which 15 canonical positions are too few to tell."""

from __future__ import annotations

import numpy as np

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.focus.peak import Evidence, to_full_size
from sff_ros.core.image import FloatMap

# Canonical positions. A curve that tells its own peak better than SURE is clear: the network,
# which sees 15 positions of it, knows less. In fainter texture the classical map is the worse
# one: of rendered RGB-D scenes of 41 slices it would make the error a sixth larger.
SURE = 0.05  # standard deviation
FARTHEST = 1.0  # beyond, the two look at different surfaces


def polish(position: FloatMap, volume: FocusVolume, evidence: Evidence) -> FloatMap:
    """Take over the classical position, measured on all slices, where the curve is clear.

    The network decides which surface a pixel shows; where the classical map shows the same and
    the focus curve has a sharp peak of its own, it says where that surface is. Sweeps of POSITIONS
    slices and fewer are left alone: there the network has seen every slice.

    Args:
        position: (H, W) slice positions of the network.
        volume, evidence: of the sweep.

    Returns:
        (H, W) slice positions; those that are exactly 0 or S - 1 stay.
    """
    last = len(volume.axis) - 1
    if last < POSITIONS:
        return position
    step = np.float32(last / (POSITIONS - 1))  # slices a canonical position
    dense = np.clip(to_full_size(evidence.dense.position, volume), 1e-3, last - 1e-3)
    clear = to_full_size(evidence.information, volume) > 1 / (SURE * step) ** 2
    clear &= np.abs(position - dense) < FARTHEST * step
    clear &= (position > 0) & (position < last)
    return np.where(clear, dense, position).astype(np.float32)
