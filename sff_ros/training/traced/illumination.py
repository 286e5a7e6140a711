"""Illumination of the surfaces of a scene, averaged over small cells: it hardly varies there.

Traced ray by ray, illumination is noisy; its mean over all rays that met a cell is not. A coarse
cell has little noise, a fine one sharper shadows: it counts as far as it differs by more than its
noise. What noise is left lies on the surface like texture, at its true position.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats
from sff_ros.training.drawing.textures import Rng
from sff_ros.training.traced.view import View

BITS = 21
TABLE = 1 << BITS  # entries; a scene has some ten thousand cells, so two rarely share one
SIDES = COARSE, FINE = (8.0, 3.0)  # px, of cells
DEEP, TURNED = 1.0, 0.35  # extent of a cell in positions, and in each component of the normal
ENOUGH = 48  # rays in a fine cell
DOUBT = 9.0  # variances of a fine cell within which its difference counts as noise
STEPS = 1.1127756842787055 ** -np.arange(1.0, 7.0)  # of six even sequences: Roberts 2018
FACTORS = np.array(  # odd, of 64 random bits
    [
        *(0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB),
        *(0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9),
    ],
    np.uint64,
)
DARKEST = 0.01  # colour


class Illumination:
    """Means of illumination over cells of two sizes.

    Args:
        view: the camera, by which cells are laid out.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        # Sums of red, green and blue, the number of rays, the sum of squares of their mean.
        self._sums = {side: np.zeros((TABLE, 5)) for side in SIDES}

    def add(self, points: FloatMap, normals: FloatMap, light: FloatMap) -> None:
        """Count samples.

        Args:
            points, normals: (N, 3) of the surfaces.
            light: (N, 3) that falls on them.
        """
        for side, sums in self._sums.items():
            cells = _cells(self._coordinates(points, normals, side))
            for channel in range(3):
                sums[:, channel] += np.bincount(cells, light[:, channel], TABLE)
            sums[:, 3] += np.bincount(cells, minlength=TABLE)
            sums[:, 4] += np.bincount(cells, light.mean(axis=1) ** 2, TABLE)

    def at(self, rng: Rng, points: FloatMap, normals: FloatMap) -> FloatMap:
        """Return (N, 3) illumination of points, those of one pixel side by side.

        It is interpolated between cells by shifts that are spread evenly over successive points.
        """
        shifts = rng.random(6) + np.arange(len(points))[:, None] * STEPS
        jitter = (shifts % 1 - 0.5).astype(np.float32)
        coarse, _ = self._means(points, normals, jitter, COARSE, 1)
        fine, variance = self._means(points, normals, jitter, FINE, ENOUGH)
        change = fine - coarse
        size = change.mean(axis=1) ** 2
        trust = np.clip(1 - DOUBT * variance / np.maximum(size, 1e-12), 0, 1)
        return np.asarray(coarse + trust[:, None] * change, np.float32)

    def _means(
        self, points: FloatMap, normals: FloatMap, jitter: FloatMap, side: float, least: int
    ) -> tuple[FloatMap, FloatMap]:
        """Return (N, 3) means of cells of so many rays, 0 without, and (N,) their variance."""
        sums = self._sums[side]
        means, variance = np.zeros_like(points), np.full(len(points), np.inf, np.float32)
        where, left = self._coordinates(points, normals, side), np.arange(len(points))
        for axes in (6, 3, 2, 0):  # the more, the smoother; but a cell off the surface is empty
            moved = where.copy()
            moved[:, :axes] += jitter[left, :axes]
            found = sums[_cells(moved)]
            sure = found[:, 3] >= least
            some, chosen = found[sure], left[sure]
            some /= some[:, 3:4].copy()
            means[chosen] = some[:, :3]
            spread = some[:, 4] - some[:, :3].mean(axis=1) ** 2
            variance[chosen] = spread / found[sure, 3]
            left, where = left[~sure], where[~sure]
        return means, variance

    def _coordinates(self, points: FloatMap, normals: FloatMap, side: float) -> FloatMap:
        """Return (N, 6) position in the image, depth and normal, in cells."""
        view = self._view
        z = np.maximum(points[:, 2:], 1e-3)
        pixels = points[:, :2] / z * np.float32(view.focal_px / side)
        return np.concatenate([pixels, view.place(z) / DEEP, normals / TURNED], axis=1).astype(
            np.float32
        )


def _cells(where: Floats | FloatMap) -> npt.NDArray[np.intp]:
    """Return the entries of the table of (N, 6) coordinates: the high bits of a linear hash."""
    whole = np.floor(where).astype(np.int64).view(np.uint64)
    mixed = np.add.reduce(whole * FACTORS, axis=1)  # modulo 2^64
    return np.asarray(mixed >> np.uint64(64 - BITS), np.intp)
