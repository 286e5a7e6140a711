"""What a pinhole camera at the middle of the lens sees: positions, and light by its origin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from sff_ros.core.image import FloatMap, Mask
from sff_ros.training.traced.illumination import Illumination
from sff_ros.training.traced.light_field import PASS, pixel_rays, seen_light
from sff_ros.training.traced.lobes import arrays, emitted, first_hits
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.view import View

PASSES = 4  # of PASS rays per pixel
MIRROR_PX = 1.0  # over which noise of reflections is smoothed


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """The first surfaces: `own`, `reflected`, `place` and `lamps` of TracedScene."""

    own: FloatMap
    reflected: FloatMap
    place: FloatMap
    lamps: Mask


def trace_surfaces(scene: Any, view: View, light: Illumination, seed: int) -> Surfaces:
    """Render the first surfaces in focus.

    Shadows and caustics on a surface that scatters lie on it: they are its own. What it mirrors
    or lets through, and the highlights of lights, have their image elsewhere.

    Args:
        scene: of Mitsuba.
        view: camera.
        light: of the scene.
        seed: of the random numbers.
    """
    mi, rng, size = mitsuba(), np.random.default_rng(seed), view.size
    camera = mi.load_dict({
        'type': 'perspective',
        'fov': math.degrees(2 * math.atan(size / 2 / view.focal_px)),
        'near_clip': 1e-3,
        'far_clip': 1e3,
        'film': {'type': 'hdrfilm', 'width': size, 'height': size},
    })  # fmt: skip
    seen = np.zeros((2, size, size, 3))
    for k in range(PASSES):
        sampler, rays = pixel_rays(camera, seed + k)
        light_of_rays = seen_light(rng, scene, sampler, first_hits(scene, rays), light)
        for total, part in zip(seen, light_of_rays[:2], strict=True):
            total += part.reshape(size, size, PASS, 3).mean(axis=2) / PASSES
    own, reflected = seen.astype(np.float32)
    centres = first_hits(scene, _centres(camera, size))
    points, lit = arrays(centres.surface.p, emitted(scene, centres))
    z = np.where(np.array(centres.found), points[:, 2], np.nan).reshape(size, size)
    lamps = (lit.sum(axis=1) > 0).reshape(size, size) & np.isfinite(z)
    smooth = np.asarray(cv2.GaussianBlur(reflected, (0, 0), MIRROR_PX), np.float32)
    return Surfaces(own, smooth, view.place(z).astype(np.float32), lamps)


def _centres(camera: Any, size: int) -> Any:
    """Return a ray through the middle of each pixel."""
    mi = mitsuba()
    pixel = mi.UInt32(np.arange(size * size, dtype=np.uint32))
    middle = (mi.Point2f(mi.Float(pixel % size), mi.Float(pixel // size)) + 0.5) / size
    return camera.sample_ray_differential(0, 0.5, middle, mi.Point2f(0.5))[0]
