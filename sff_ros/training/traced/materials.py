"""Random materials: matt, glossy, metal, worn metal and glass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.training.drawing.ranges import log_uniform
from sff_ros.training.drawing.textures import Rng, Textures
from sff_ros.training.traced.mitsuba_import import mitsuba

METALS = ('Al', 'Cu', 'Au', 'Ag', 'Cr')
GLASS = {'type': 'dielectric', 'int_ior': 'bk7'}
SIDE = (16, 512)  # px, of textures

Material = dict[str, Any]


def texture(light: FloatMap) -> Material:
    """Return a texture of (H, W, 3) linear reflectance."""
    mi = mitsuba()
    bitmap = mi.Bitmap(np.ascontiguousarray(np.clip(light, 0.0, 0.95), np.float32))
    return {'type': 'bitmap', 'bitmap': bitmap, 'raw': True, 'wrap_mode': 'mirror'}


class Materials:
    """Draws materials.

    Args:
        rng: source of all randomness.
        textures: of the surfaces.
        faint: what is left of the contrast of all textures.
    """

    def __init__(self, rng: Rng, textures: Textures, faint: float = 1.0) -> None:
        self._rng, self._textures, self._faint = rng, textures, faint

    def paint(self, side_px: float) -> Material:
        """Return a texture whose texels are about one pixel of the image."""
        side = int(np.clip(round(side_px), *SIDE))
        image = self._textures.draw(self._rng, side, side)
        if self._faint < 1:
            mean = image.mean(axis=(0, 1))
            image = mean + (image - mean) * np.float32(self._faint)
        return texture(image)

    def matt(self, side_px: float) -> Material:
        """Return a surface that only scatters."""
        return _both_sides({'type': 'diffuse', 'reflectance': self.paint(side_px)})

    def glossy(self, side_px: float) -> Material:
        """Return a plastic, smooth or rough."""
        plastic: Material = {'diffuse_reflectance': self.paint(side_px), 'nonlinear': False}
        if self._rng.random() < 0.5:
            return _both_sides({'type': 'plastic', **plastic})
        alpha = log_uniform(self._rng, (0.03, 0.3))
        return _both_sides({'type': 'roughplastic', 'alpha': alpha, **plastic})

    def metal(self, side_px: float) -> Material:
        """Return a metal, smooth or rough; most are worn: partly matt."""
        metal: Material = {'material': str(self._rng.choice(METALS))}
        if self._rng.random() < 0.25:
            metal['type'] = 'conductor'
        else:
            metal |= {'type': 'roughconductor', 'alpha': log_uniform(self._rng, (0.05, 0.4))}
        if self._rng.random() < 0.25:
            return _both_sides(metal)
        side = int(np.clip(round(side_px), *SIDE))
        wear = self._textures.draw(self._rng, side, side).mean(axis=2, keepdims=True)
        wear = np.clip(wear * self._rng.uniform(0.5, 1.5), 0, 1)
        worn = {
            'type': 'blendbsdf',
            'weight': texture(np.repeat(wear, 3, axis=2)),
            'metal': metal,
            'dirt': {'type': 'diffuse', 'reflectance': self.paint(side_px)},
        }
        return _both_sides(worn)

    def any(self, side_px: float, shares: dict[str, float]) -> Material:
        """Return one of several kinds, by their shares: 'matt', 'glossy', 'metal', 'glass'."""
        kinds = list(shares)
        weights = np.array([shares[kind] for kind in kinds])
        kind = kinds[int(self._rng.choice(len(kinds), p=weights / weights.sum()))]
        if kind == 'glass':
            return dict(GLASS)
        made: Material = getattr(self, kind)(side_px)
        return made


def _both_sides(bsdf: Material) -> Material:
    return {'type': 'twosided', 'bsdf': bsdf}
