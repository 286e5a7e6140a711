"""From sparse positions of varying certainty to a dense map: local planes, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.image import AnyFloats

# Window radii, pooled pixels; the widest fills textureless areas.
RADII = (32, 16, 8, 4, 2)
LACK_OF_FIT = 0.02  # slices^2: a window with a larger plane residual loses its vote
MOST_INFORMATION = 1e4  # slices^-2: no position is known better than to 0.01 slices


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """A dense map.

    Attributes:
        position: (h, w) slice position, finite.
        information: (h, w) summed over the windows that agree, slices^-2.
        misfit: (h, w) mean squared residual of a plane fitted to the neighbourhood, slices^2.
    """

    position: AnyFloats
    information: AnyFloats
    misfit: AnyFloats


def aggregate(position: AnyFloats, information: AnyFloats) -> Aggregate:
    """Smooth and fill a map of positions while preserving its edges.

    The widest planes give an initial estimate everywhere. Each smaller radius then refines it:
    the difference is added as far as it exceeds noise, by the Wiener gain
    s = signal / (signal + noise) of the difference's local energy. So textured areas keep their
    detail, noise is averaged over the largest flat area, and textureless areas take the plane of
    their surroundings.

    Args:
        position: (h, w) slice positions.
        information: (h, w) 1 / variance of each position, slices^-2; 0 where uninformative.
    """
    total = float(information.sum())
    if total <= 0:
        nothing = np.zeros_like(information)
        return Aggregate(np.full_like(position, np.median(position)), nothing, nothing)
    centre = np.float32(float((information * position).sum()) / total)
    offset = position - centre
    largest = max(RADII[-1], min(position.shape) // 2)
    radii = [r for r in RADII if r <= largest]
    result, gathered, misfit = fit_planes(offset, information, radii[0])
    for radius in radii[1:]:
        plane, gathered, misfit = fit_planes(offset, information, radius)
        result = _refine(result, plane, gathered, radius)
    result = _refine(result, offset, information, 1)
    return Aggregate(result + centre, gathered, misfit)


def fit_planes(
    offset: AnyFloats, information: AnyFloats, radius: int
) -> tuple[AnyFloats, AnyFloats, AnyFloats]:
    """Fit a plane in each window; average, at each pixel, those of all windows that cover it.

    This is the guided filter (He, Sun & Tang, ECCV 2010) with the pixel coordinates as guide,
    which preserves slopes, and with windows weighted by information and goodness of fit, so that
    one across a depth edge is outvoted by its neighbours on either side (as in the Kuwahara
    filter).

    Returns:
        (h, w) the averaged planes; (h, w) their information, slices^-2; (h, w) misfit of the
        window around each pixel, slices^2.
    """
    h, w = offset.shape
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(h / 2)
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(w / 2)
    a, b, c, misfit, weight = _window_planes(offset, information, x, y, radius)
    vote = weight / ((1 + (misfit * weight) ** 2) * (1 + misfit / LACK_OF_FIT)) + 1e-9
    votes = _box(vote, radius)
    plane = _box(vote * a, radius) + _box(vote * b, radius) * x + _box(vote * c, radius) * y
    return plane / votes, np.float32((2 * radius + 1) ** 2) * votes, misfit


def _window_planes(
    z: AnyFloats, weight: AnyFloats, x: AnyFloats, y: AnyFloats, radius: int
) -> tuple[AnyFloats, AnyFloats, AnyFloats, AnyFloats, AnyFloats]:
    """Return a, b, c of z = a + b x + c y in each window, its misfit and its mean weight."""
    wx, wy, wz = weight * x, weight * y, weight * z
    mean = _box(weight, radius)
    scale = 1 / np.maximum(mean, np.float32(1e-12))
    mx, my, mz = (_box(m, radius) * scale for m in (wx, wy, wz))
    # Ridge regularisation: slope 0 where the texture of a window lies on a line.
    ridge = np.float32(0.003 * radius * radius + 0.01)
    xx = _box(wx * x, radius) * scale - mx * mx + ridge
    yy = _box(wy * y, radius) * scale - my * my + ridge
    xy = _box(wx * y, radius) * scale - mx * my
    xz = _box(wx * z, radius) * scale - mx * mz
    yz = _box(wy * z, radius) * scale - my * mz
    zz = _box(wz * z, radius) * scale - mz * mz
    determinant: AnyFloats = xx * yy - xy * xy
    b = (yy * xz - xy * yz) / determinant
    c = (xx * yz - xy * xz) / determinant
    misfit = np.maximum(zz - b * xz - c * yz, 0)
    return mz - b * mx - c * my, b, c, misfit, mean


def _refine(coarse: AnyFloats, fine: AnyFloats, information: AnyFloats, radius: int) -> AnyFloats:
    """Add to the coarse map the part of the fine one that exceeds noise."""
    known = np.clip(information, 1e-9, MOST_INFORMATION)
    difference = fine - coarse
    # Energy and noise are means weighted by information: uncertain pixels count little.
    energy = _box(known * difference * difference, radius) / _box(known, radius)
    noise = 1 / known
    signal = np.maximum(energy - noise, 0)
    return cast('AnyFloats', coarse + difference * signal / (signal + noise))


def _box(values: AnyFloats, radius: int) -> AnyFloats:
    """Return the mean over windows, zero beyond the border."""
    size = (2 * radius + 1, 2 * radius + 1)
    # float64, because the plane fit subtracts large moments.
    return cast(
        'AnyFloats', cv2.boxFilter(values, cv2.CV_64F, size, borderType=cv2.BORDER_CONSTANT)
    )
