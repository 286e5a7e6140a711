"""The scene of the simulated camera: objects on a table.

Its layout is for depths of 0.3 to 0.8 m. Any other range results from a linear map of the
inverse depth at every pixel: a projective map of space, under which planes stay planes and the
pinhole image stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from sff_ros.cameras.simulated import textures
from sff_ros.cameras.simulated.geometry import LIGHT, Material, Shade, Solid, View, trace
from sff_ros.core.homography import product
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer

LAYOUT_DPT = (1 / 0.8, 1 / 0.3)
WALL_DEG = -8.0  # yaw of the wall and of the table
FALLOFFS = (1.1, 0.35)  # of the two noises in all surfaces
SHADOW_CELL_M = 0.002
SHADOW_DEPTH = 0.62
SHADOW_FROM_M = np.array((-0.6, -0.6), np.float32)  # first cell of the shadow map, on the table
SHADOW_CELLS = (600, 600)


BALL = 6  # index of the ball's layer


def build_scene(
    width: int, height: int, border: int, far_dpt: float, near_dpt: float, seed: int
) -> list[Layer]:
    """Build the scene.

    Args:
        width, height: image size, px.
        border: extent of the layers outside the image, px.
        far_dpt, near_dpt: range of the scene's inverse depth.
        seed: of the textures.

    Returns:
        Layers far to near, in the pixels of the image; the first ones cover it.
    """
    view = View(width, height, border)
    wall, table, *solids = _furnish(np.random.default_rng(seed))
    solids.sort(key=lambda solid: -solid.at_m[1])
    layers = [trace(wall, view), trace(table, view, _shadows(table, solids))]
    layers += [trace(solid, view) for solid in solids]
    scale = (near_dpt - far_dpt) / (LAYOUT_DPT[1] - LAYOUT_DPT[0])
    return [
        replace(
            layer,
            dioptres=np.clip(
                far_dpt + (layer.dioptres - LAYOUT_DPT[0]) * np.float32(scale), far_dpt, near_dpt
            ),
        )
        for layer in layers
    ]


def _furnish(rng: np.random.Generator) -> list[Solid]:
    """Return the wall, the table and the solids on it."""
    noise, grain = (textures.fractal_noise(rng, 1024, falloff) for falloff in FALLOFFS)
    walls = textures.concrete(noise, grain)
    poster = Material(walls, textures.poster(), (0.0914, 0.064), (0.045, -0.266))
    oak = Material(textures.wood(noise, grain))
    noise, grain = (textures.fractal_noise(rng, 512, falloff) for falloff in FALLOFFS)
    parcel = Material(textures.cardboard(noise, grain), textures.parcel_label(), (0.085, 0.055))
    plain = Material(textures.paint((0.90, 0.89, 0.86), noise, 0.008))
    tin = textures.paint((0.78, 0.78, 0.76), grain, 0.07)
    can = Material(tin, textures.can_label(), (0.1885, 0.078))
    green = textures.paint(textures.TEAL, grain, 0.09)
    tea = Material(green, textures.carton_front(), (0.056, 0.072))
    stone = Material(textures.terrazzo(noise, grain))
    pole = Material(textures.hazard(grain))
    turn = math.radians(WALL_DEG)
    table_at = (0.31 * math.sin(turn), 0.76 - 0.31 * math.cos(turn))  # its far edge on the wall
    return [
        Solid('box', (0.0, 0.76), (0.5, 0.02, 0.3), poster, WALL_DEG),
        Solid('box', table_at, (0.6, 0.29, 0.01), oak, WALL_DEG, base_m=-0.02),
        Solid('box', (-0.105, 0.63), (0.06, 0.04, 0.038), parcel, -24),
        Solid('box', (0.13, 0.62), (0.035, 0.035, 0.03), plain, 33),
        Solid('cylinder', (0.008, 0.56), (0.03, 0.03, 0.042), can),
        Solid('box', (0.082, 0.445), (0.028, 0.02, 0.036), tea, 20),
        Solid('sphere', (-0.068, 0.43), (0.034, 0.034, 0.034), stone),
        Solid('cylinder', (0.028, 0.36), (0.0024, 0.0024, 0.2), pole, lean_deg=7),
    ]


def _shadows(table: Solid, solids: Sequence[Solid]) -> Shade:
    """Return the factor on the light on the table, in the shadows of the solids."""
    shadow = np.zeros(SHADOW_CELLS[::-1], np.float32)
    to_table = table.axes[:2, :2]
    for solid in solids:
        corners = solid.corners
        flat = corners[:, :2] - corners[:, 2:] * (LIGHT[:2] / LIGHT[2])
        cells = (product(flat - table.centre[:2], to_table.T) - SHADOW_FROM_M) / SHADOW_CELL_M
        cv2.fillConvexPoly(shadow, cv2.convexHull(cells.astype(np.int32)), 1.0)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 3.0)

    def light(place: FloatMap) -> FloatMap:
        u, v = ((place[i] - SHADOW_FROM_M[i]) / np.float32(SHADOW_CELL_M) for i in range(2))
        dark = cv2.remap(shadow, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        left: FloatMap = 1 - SHADOW_DEPTH * dark
        return left

    return light
