"""The canonical sweep: 15 evenly spaced positions, the network's input format.

Canonical positions are 0..14 along the focus axis (dioptres where known), first slice to last.
So one set of weights works for every spacing and number of slices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.focus.peak import Evidence
from sff_ros.core.image import FloatMap, Floats, Image

POSITIONS = 15
EVIDENCE_CHANNELS = 7
MOST_INFORMATION = 1e4  # positions^-2; maps to 1
CHUNK = 4096  # curves resampled at a time, to fit the cache
BEYOND = 0.5  # positions outside the sweep beyond which a surface is not bracketed


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalSweep:
    """One sweep in the network's input format.

    Attributes:
        responses: (POSITIONS, C, h, w) float32 focus responses at even positions of the axis.
        evidence: (EVIDENCE_CHANNELS, h, w) float32, the classical result on the original
            sweep: 0 dense position and 1 each curve's own, canonical positions; 2 the
            latter's information, log scale, 0..1; 3 the share of the curve that it explains;
            4 the dense map's information, log scale, 0..1; 5 residual of a plane fitted to the
            neighbourhood, log scale, 0..1; 6 half width of the focus curves, log scale.
        context: (3, H, W) float32 all-in-focus image over its mean brightness.
    """

    responses: Responses
    evidence: FloatMap
    context: FloatMap


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an image, px; begins at a multiple of the pooling."""

    top: int
    left: int
    height: int
    width: int

    def of(self, maps: npt.NDArray[Any], pooling: int = 1) -> npt.NDArray[Any]:
        """Return this part of (..., H, W) maps that are pooled by `pooling`."""
        top, left = self.top // pooling, self.left // pooling
        height, width = (-(-side // pooling) for side in (self.height, self.width))
        return maps[..., top : top + height, left : left + width]


def to_canonical(
    volume: FocusVolume, evidence: Evidence, context: Image, window: Window | None = None
) -> CanonicalSweep:
    """Convert a sweep into the network's input format.

    Args:
        volume: (S, C, h, w) of any spacing.
        evidence: of that volume.
        context: (H, W) or (H, W, 3) all-in-focus image.
        window: the part to convert; None: all of it.
    """
    places = canonical_places(volume.axis)
    window = window or Window(0, 0, *volume.size)
    responses = _resampled(window.of(volume.responses, volume.pooling), places)
    mean = max(float(context.mean()), 1e-6)
    part = context[window.top :, window.left :][: window.height, : window.width]
    return CanonicalSweep(
        responses,
        _evidence(_part(evidence, window, volume.pooling), places),
        _normalised(part, mean),
    )


def _part(evidence: Evidence, window: Window, pooling: int) -> Evidence:
    """Return the evidence inside of a window."""
    dense = evidence.dense
    return replace(
        evidence,
        position=window.of(evidence.position, pooling),
        information=window.of(evidence.information, pooling),
        explained=window.of(evidence.explained, pooling),
        dense=replace(
            dense,
            position=window.of(dense.position, pooling),
            information=window.of(dense.information, pooling),
            misfit=window.of(dense.misfit, pooling),
        ),
    )


def _resampled(responses: Responses, places: Floats) -> Responses:
    """Return (POSITIONS, C, h, w) responses at even positions."""
    if len(places) == POSITIONS and np.allclose(places, np.arange(POSITIONS), atol=1e-3):
        return responses
    flat = responses.reshape(len(places), -1)
    weights = resampling(places).astype(np.float32)
    even = np.empty((POSITIONS, flat.shape[1]), np.float32)
    for start in range(0, flat.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        # einsum runs in NumPy's own loops: see core/homography on BLAS.
        np.einsum('ps,sn->pn', weights, flat[:, part], out=even[:, part])
    return even.reshape(POSITIONS, *responses.shape[1:])


def canonical_places(axis: Floats) -> Floats:
    """Return the canonical position of each slice, 0..POSITIONS - 1, first to last."""
    places: Floats = (axis - axis[0]) / (axis[-1] - axis[0]) * (POSITIONS - 1)
    return places


def resampling(places: Floats) -> Floats:
    """Return (POSITIONS, S) weights, each row of sum 1, that resample a sweep evenly.

    Sparse slices are interpolated linearly; dense ones are averaged under a triangle of one
    position to either side, so that every slice contributes.

    Args:
        places: (S,) from 0 to POSITIONS - 1, increasing.
    """
    targets = np.arange(POSITIONS, dtype=float)
    after = np.clip(np.searchsorted(places, targets, side='right'), 1, len(places) - 1)
    reach = np.maximum(places[after] - places[after - 1], 1.0)
    hat = np.maximum(1 - np.abs(places[None] - targets[:, None]) / reach[:, None], 0)
    share = np.gradient(places)
    share[[0, -1]] = places[1] - places[0], places[-1] - places[-2]
    weights: Floats = hat * share
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def from_canonical(position: FloatMap, axis: Floats) -> FloatMap:
    """Convert canonical positions into slice positions of a sweep.

    Args:
        position: (H, W) canonical; may lie outside 0..14.
        axis: (S,) of the sweep.

    Returns:
        (H, W) in [0, S - 1]: exactly 0 or S - 1 where the surface is BEYOND that end, strictly
        between elsewhere.
    """
    last = len(axis) - 1
    places = canonical_places(axis)
    inside: FloatMap = np.interp(position, places, np.arange(last + 1.0)).astype(np.float32)
    np.clip(inside, np.float32(1e-3), np.float32(last - 1e-3), out=inside)
    inside[position < -BEYOND] = 0
    inside[position > POSITIONS - 1 + BEYOND] = last
    return inside


def _evidence(evidence: Evidence, places: Floats) -> FloatMap:
    """Return the evidence in canonical positions, each map in a range around 0..1 or 0..14."""
    count = len(places)
    # Positions are extrapolated linearly by one slice beyond the ends.
    slices = np.arange(-1.0, count + 1)
    ends = (2 * places[0] - places[1], 2 * places[-1] - places[-2])
    extended = np.concatenate([ends[:1], places, ends[1:]])
    density = (1 / np.gradient(places)).astype(np.float32)  # slices per position

    def squash(information: FloatMap, position: FloatMap) -> FloatMap:
        nearest = np.clip(np.rint(position), 0, count - 1).astype(np.intp)
        scaled = information * density[nearest] ** 2
        squashed: FloatMap = np.log1p(scaled) / np.log1p(np.float32(MOST_INFORMATION))
        return np.minimum(squashed, np.float32(1))

    dense, own = evidence.dense, evidence.position
    mean_density = np.float32((count - 1) / (POSITIONS - 1))
    misfit = dense.misfit / mean_density**2
    width = np.log2(np.float32(evidence.width) / mean_density) / 3
    maps = [
        np.interp(dense.position, slices, extended),
        np.interp(own, slices, extended),
        squash(evidence.information, own),
        evidence.explained,
        squash(dense.information, dense.position),
        np.minimum(np.log1p(misfit) / np.log1p(np.float32(POSITIONS)), 1),
        np.full_like(own, width),
    ]
    return np.stack(maps).astype(np.float32)


def _normalised(context: Image, mean: float) -> FloatMap:
    """Return (3, H, W) float32 over the mean brightness of the whole image."""
    colour = cv2.cvtColor(context, cv2.COLOR_GRAY2RGB) if context.ndim == 2 else context
    return np.ascontiguousarray(colour.transpose(2, 0, 1), dtype=np.float32) / np.float32(mean)
