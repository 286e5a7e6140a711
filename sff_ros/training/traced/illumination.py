"""Illumination of the surfaces of a scene, averaged over small cells: it hardly varies there.

Traced ray by ray, illumination is noisy; its mean over all rays that met a cell is not. What noise
is left lies on the surface like texture, at its true position.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats
from sff_ros.training.drawing.textures import Rng
from sff_ros.training.traced.view import View

TABLE = 1 << 21  # entries; a scene has some ten thousand cells, so two rarely share one
SIDES = (16.0, 4.0)  # px, of coarse and of fine cells
DEEP, TURNED = 1.0, 0.35  # extent of a cell in positions, and in each component of the normal
ENOUGH = 48  # rays
PRIMES = np.array([73856093, 19349663, 83492791, 49979687, 86028121, 32452843], np.uint64)
DARKEST = 0.01  # colour


class Illumination:
    """Means of illumination over cells of two sizes.

    Args:
        view: the camera, by which cells are laid out.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._sums = np.zeros((len(SIDES), TABLE, 4))

    def add(self, points: FloatMap, normals: FloatMap, light: FloatMap) -> None:
        """Count samples.

        Args:
            points, normals: (N, 3) of the surfaces.
            light: (N, 3) that falls on them.
        """
        for side, sums in zip(SIDES, self._sums, strict=True):
            cells = _cells(self._coordinates(points, normals, side))
            for channel in range(3):
                sums[:, channel] += np.bincount(cells, light[:, channel], TABLE)
            sums[:, 3] += np.bincount(cells, minlength=TABLE)

    def at(self, rng: Rng, points: FloatMap, normals: FloatMap) -> FloatMap:
        """Return (N, 3) illumination of points, interpolated between cells by chance."""
        found = np.zeros_like(points)
        jitter = rng.random((len(points), 6), np.float32) - np.float32(0.5)
        left = np.arange(len(points))
        # The finer and the more axes, the better; but a cell off the surface is empty.
        for side, sums in reversed(list(zip(SIDES, self._sums, strict=True))):
            where = self._coordinates(points[left], normals[left], side)
            for axes in (6, 3, 2, 0):
                moved = where.copy()
                moved[:, :axes] += jitter[left, :axes]
                cells = _cells(moved)
                sure = sums[cells, 3] >= (1 if side == SIDES[0] else ENOUGH)
                found[left[sure]] = sums[cells[sure], :3] / sums[cells[sure], 3:]
                left, where = left[~sure], where[~sure]
        return found

    def _coordinates(self, points: FloatMap, normals: FloatMap, side: float) -> FloatMap:
        """Return (N, 6) position in the image, depth and normal, in cells."""
        view = self._view
        z = np.maximum(points[:, 2:], 1e-3)
        pixels = points[:, :2] / z * np.float32(view.focal_px / side)
        return np.concatenate([pixels, view.place(z) / DEEP, normals / TURNED], axis=1).astype(
            np.float32
        )


def _cells(where: Floats | FloatMap) -> npt.NDArray[np.intp]:
    """Return the entries of the table of (N, 6) coordinates: Teschner et al. 2003."""
    whole = np.floor(where).astype(np.int64).view(np.uint64) * PRIMES
    mixed = np.bitwise_xor.reduce(whole, axis=1)
    return np.asarray((mixed ^ mixed >> np.uint64(21)) & np.uint64(TABLE - 1), np.intp)
