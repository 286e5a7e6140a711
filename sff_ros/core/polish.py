"""The fine position on a long sweep, which 15 canonical positions are too few to tell."""

from __future__ import annotations

import numpy as np

from sff_ros.core.canonical import POSITIONS
from sff_ros.core.focus_map import FloatMap
from sff_ros.core.focus_peak import Evidence, to_full_size
from sff_ros.core.focus_volume import FocusVolume

SURE_OF = 3.0  # scales of the network's error within which the classical peak is taken for its own
FARTHEST = 1.0  # canonical positions beyond which the two look at different surfaces


def polish(
    position: FloatMap, confidence: FloatMap, volume: FocusVolume, evidence: Evidence
) -> FloatMap:
    """Take over the classical position, measured on all slices, where it is the same peak.

    The network decides which surface a pixel shows; where its answer and the classical map differ
    by no more than the network's own doubt, the latter says where that surface is. Sweeps of
    POSITIONS slices and fewer are left alone: there the network has seen every slice.

    Args:
        position: (H, W) slice positions of the network.
        confidence: (H, W) chance to be right to within one canonical position,
            1 - exp(-1 / scale) of a Laplace distribution.
        volume, evidence: of the sweep.

    Returns:
        (H, W) slice positions; those that are exactly 0 or S - 1 stay.
    """
    last = len(volume.axis) - 1
    if last < POSITIONS:
        return position
    step = np.float32(last / (POSITIONS - 1))  # slices a canonical position
    unsure = np.log(np.clip(1 - confidence, 1e-6, 1 - 1e-6))
    scale = -1 / unsure * step
    dense = np.clip(to_full_size(evidence.dense.position, volume), 1e-3, last - 1e-3)
    same = np.abs(position - dense) < np.minimum(SURE_OF * scale, FARTHEST * step)
    same &= (position > 0) & (position < last)
    return np.where(same, dense, position).astype(np.float32)
