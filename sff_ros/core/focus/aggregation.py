"""From scattered, unequally certain positions to a dense map: local planes, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

# In quotes: NumPy before 1.22 cannot take this apart at run time.
Floats: TypeAlias = 'npt.NDArray[np.floating[Any]]'

# Radii of the windows, pooled pixels, from the widest, which fills what has no texture, to none.
RADII = (32, 16, 8, 4, 2)
LACK_OF_FIT = 0.02  # slices^2: a window whose plane misses by more loses its vote
MOST_INFORMATION = 1e4  # slices^-2: nothing is known better than to 0.01 slices


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """A dense map.

    Attributes:
        position: (h, w) slice position, finite.
        information: (h, w) gathered over the windows that agree, slices^-2.
        misfit: (h, w) mean squared distance of the surroundings from a plane, slices^2.
    """

    position: Floats
    information: Floats
    misfit: Floats


def aggregate(position: Floats, information: Floats) -> Aggregate:
    """Smooth and fill a map of positions without rounding off its edges.

    The widest planes give a first answer everywhere. Each smaller radius then proposes its own;
    the difference is taken over as far as it is more than noise, by Wiener's rule
    s = signal / (signal + noise) on the difference's local energy. So texture is followed pixel
    by pixel, noise is averaged over the largest area that is flat, and a place without texture
    takes the plane of its surroundings.

    Args:
        position: (h, w) slice positions.
        information: (h, w) 1 / variance of each position, slices^-2; 0 where it says nothing.
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


def fit_planes(offset: Floats, information: Floats, radius: int) -> tuple[Floats, Floats, Floats]:
    """Fit a plane in each window; average, at each pixel, those of all windows that cover it.

    This is the guided filter (He, Sun & Tang, ECCV 2010) with the pixel's own coordinates as
    guide, so that a slope stays a slope, and with windows weighted by information and goodness
    of fit, so that one across a depth edge is outvoted by its neighbours on either side (the
    idea of Kuwahara's filter).

    Returns:
        (h, w) the planes' answer; (h, w) information behind it, slices^-2; (h, w) misfit of the
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
    z: Floats, weight: Floats, x: Floats, y: Floats, radius: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return a, b, c of z = a + b x + c y in each window, its misfit and its mean weight."""
    wx, wy, wz = weight * x, weight * y, weight * z
    mean = _box(weight, radius)
    scale = 1 / np.maximum(mean, np.float32(1e-12))
    mx, my, mz = (_box(m, radius) * scale for m in (wx, wy, wz))
    # A ridge keeps the slope of a window with texture on one line only at 0.
    ridge = np.float32(0.003 * radius * radius + 0.01)
    xx = _box(wx * x, radius) * scale - mx * mx + ridge
    yy = _box(wy * y, radius) * scale - my * my + ridge
    xy = _box(wx * y, radius) * scale - mx * my
    xz = _box(wx * z, radius) * scale - mx * mz
    yz = _box(wy * z, radius) * scale - my * mz
    zz = _box(wz * z, radius) * scale - mz * mz
    determinant: Floats = xx * yy - xy * xy
    b = (yy * xz - xy * yz) / determinant
    c = (xx * yz - xy * xz) / determinant
    misfit = np.maximum(zz - b * xz - c * yz, 0)
    return mz - b * mx - c * my, b, c, misfit, mean


def _refine(coarse: Floats, fine: Floats, information: Floats, radius: int) -> Floats:
    """Add to the coarse map what of the fine one is more than noise."""
    known = np.clip(information, 1e-9, MOST_INFORMATION)
    difference = fine - coarse
    # Energy and noise are means weighted by information: an uncertain pixel has no say.
    energy = _box(known * difference * difference, radius) / _box(known, radius)
    noise = 1 / known
    signal = np.maximum(energy - noise, 0)
    return cast('Floats', coarse + difference * signal / (signal + noise))


def _box(values: Floats, radius: int) -> Floats:
    """Return the mean over windows, with nothing beyond the border."""
    size = (2 * radius + 1, 2 * radius + 1)
    # In float64, because the planes take differences of large moments.
    return cast('Floats', cv2.boxFilter(values, cv2.CV_64F, size, borderType=cv2.BORDER_CONSTANT))
