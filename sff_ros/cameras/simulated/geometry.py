"""Ray tracing of the simulated scene: convex solids on a table, one layer each.

World axes: x right, y away from the camera along the table, z up; origin on the table below
the camera.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from sff_ros.core.homography import product
from sff_ros.core.image import FloatMap, Mask
from sff_ros.core.optics.rendering import Layer

FOCAL_HEIGHTS = 2.46  # focal length in image heights: 8 mm in front of 480 pixels of 6.9 um
WIDEST = 2.5  # width over height; wider images show a strip of the scene
EYE_M = 0.165  # height of the camera above the table
TILT = math.radians(18)  # of the camera, downwards
LIGHT = np.array((-0.42, -0.48, 0.77), np.float32)  # towards the light
AMBIENT = 0.38
TEXEL_FOCALS = 0.3  # distance at which a texture element has the size of a pixel, m
OVERSAMPLING = 2  # rays per pixel side

FORWARD = np.array((0, math.cos(TILT), -math.sin(TILT)), np.float32)
DOWN = np.array((0, -math.sin(TILT), -math.cos(TILT)), np.float32)
RIGHT = np.array((1, 0, 0), np.float32)
EYE = np.array((0, 0, EYE_M), np.float32)

Shade = Callable[[FloatMap], FloatMap]


def _along(vectors: FloatMap, direction: FloatMap) -> FloatMap:
    """Return (N,) components of (N, 3) vectors along a direction, without BLAS."""
    return np.asarray(np.einsum('nk,k->n', vectors, direction), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A seamless tile and, on one side of the object, a print.

    Attributes:
        tile: (n, n, 3) display values.
        decal: (h, w, 3) display values; None if there is no print.
        decal_m: width and height of the print, m.
        at_m: position of the print's centre relative to that of the face, m.
    """

    tile: FloatMap
    decal: FloatMap | None = None
    decal_m: tuple[float, float] = (0.0, 0.0)
    at_m: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A convex object on the table.

    Attributes:
        shape: 'box', 'cylinder' (upright) or 'sphere'.
        at_m: its position, x and y, m.
        half_m: half its size along its own axes, m.
        material: its surface.
        yaw_deg: rotation about the vertical.
        lean_deg: rotation to the right, about the line of sight.
        base_m: height of its foot above the table, m.
    """

    shape: str
    at_m: tuple[float, float]
    half_m: tuple[float, float, float]
    material: Material
    yaw_deg: float = 0.0
    lean_deg: float = 0.0
    base_m: float = 0.0

    @property
    def axes(self) -> FloatMap:
        """Rows: the object's own axes in the world."""
        yaw, lean = math.radians(self.yaw_deg), math.radians(self.lean_deg)
        c, s = math.cos(yaw), math.sin(yaw)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        c, s = math.cos(lean), math.sin(lean)
        axes = product(turn, np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]))
        return np.asarray(axes, np.float32)

    @property
    def centre(self) -> FloatMap:
        """The centre of the object, world, m."""
        foot = np.array((*self.at_m, self.base_m), np.float32)
        centre: FloatMap = foot + np.float32(self.half_m[2]) * self.axes[2]
        return centre

    @property
    def corners(self) -> FloatMap:
        """The corners of the box around it, (8, 3) world, m."""
        signs = np.stack(np.meshgrid(*[(-1, 1)] * 3), axis=-1).reshape(8, 3)
        half = np.array(self.half_m, np.float32)
        offsets = product((signs * half).astype(np.float32), self.axes)
        return np.asarray(self.centre + offsets, np.float32)


@dataclass(frozen=True, slots=True)
class View:
    """The rays of an image with a border; pixel (0, 0) is the first inside the border."""

    width: int
    height: int
    border: int

    @property
    def focal_px(self) -> float:
        """Focal length that the scene is laid out for, px."""
        return FOCAL_HEIGHTS * max(self.height, self.width / WIDEST)

    @property
    def texel_m(self) -> float:
        """Size of a texture element: a pixel at the near end of the scene, m."""
        return TEXEL_FOCALS / self.focal_px

    def angles(self, x: int, y: int, width: int, height: int) -> tuple[FloatMap, FloatMap]:
        """Return the tangents of the rays of each column and each row, OVERSAMPLING per pixel."""
        n, focal = OVERSAMPLING, self.focal_px
        u = (x - 0.5 + (np.arange(width * n) + 0.5) / n - (self.width - 1) / 2) / focal
        v = (y - 0.5 + (np.arange(height * n) + 0.5) / n - (self.height - 1) / 2) / focal
        return u.astype(np.float32), v.astype(np.float32)

    def window(self, points: FloatMap) -> tuple[int, int, int, int]:
        """Return x, y, width, height of the pixels around world points, inside the border."""
        seen = points - EYE
        focal = self.focal_px / _along(seen, FORWARD)
        u = (self.width - 1) / 2 + _along(seen, RIGHT) * focal
        v = (self.height - 1) / 2 + _along(seen, DOWN) * focal
        x0 = max(math.floor(u.min()) - 1, -self.border)
        y0 = max(math.floor(v.min()) - 1, -self.border)
        x1 = min(math.ceil(u.max()) + 2, self.width + self.border)
        y1 = min(math.ceil(v.max()) + 2, self.height + self.border)
        return x0, y0, max(x1 - x0, 1), max(y1 - y0, 1)


def _hit(solid: Solid, u: FloatMap, v: FloatMap) -> tuple[FloatMap, FloatMap]:
    """Return where rays enter a solid.

    Args:
        solid: to trace.
        u, v: (w,) and (h,) tangents of the columns' and the rows' rays.

    Returns:
        (h, w) depth along the camera's axis, m, inf where missed; (3, h, w) position in the
        solid's own axes, m.
    """
    axes, half = solid.axes, solid.half_m
    eye = _along(axes, EYE - solid.centre).tolist()
    # Rays have length 1 along the camera's axis, so the way to the hit is the depth.
    rays = np.stack(
        [
            u * float((a * RIGHT).sum())
            + float((a * FORWARD).sum())
            + (v * float((a * DOWN).sum()))[:, None]
            for a in axes
        ]
    )
    rounded = {'box': 0, 'cylinder': 2, 'sphere': 3}[solid.shape]
    spans = []
    with np.errstate(divide='ignore', invalid='ignore'):
        for i in range(rounded, 3):
            one, other = (-half[i] - eye[i]) / rays[i], (half[i] - eye[i]) / rays[i]
            spans.append((np.minimum(one, other), np.maximum(one, other)))
        if rounded:
            a = sum((rays[i] / half[i]) ** 2 for i in range(rounded))
            b = sum(rays[i] * (eye[i] / half[i] ** 2) for i in range(rounded))
            c = sum((eye[i] / half[i]) ** 2 for i in range(rounded)) - 1
            root = np.sqrt(b * b - a * c)  # NaN where the ray misses
            spans.append(((-b - root) / a, (-b + root) / a))
        enter = functools.reduce(np.maximum, [span[0] for span in spans])
        leave = functools.reduce(np.minimum, [span[1] for span in spans])
        depth = np.where(enter <= leave, enter, np.float32(np.inf))
    way = np.where(np.isfinite(depth), depth, np.float32(1))
    return depth, np.stack([eye[i] + rays[i] * way for i in range(3)])


def _surface(solid: Solid, place: FloatMap) -> tuple[FloatMap, FloatMap, Mask]:
    """Return the surface at positions in the solid's own axes.

    Returns:
        (3, h, w) normal in the solid's own axes; (2, h, w) texture position, m; (h, w) whether
        there is a print.
    """
    x, y, z = place
    half_x, half_y, half_z = (np.float32(half) for half in solid.half_m)
    normal = np.zeros_like(place)
    if solid.shape == 'sphere':
        normal[:] = place / half_x
        # Azimuthal map about the side that faces the camera: no pole in sight.
        angle = np.arccos(np.clip(-normal[1], -1, 1))
        stretch = angle / np.maximum(np.hypot(normal[0], normal[2]), 1e-6)
        return normal, np.stack((x * stretch, z * stretch)), np.zeros(x.shape, bool)
    if solid.shape == 'cylinder':
        top = z > half_z * np.float32(0.9999)
        normal[:] = np.where(top, 0, x / half_x), np.where(top, 0, y / half_x), top
        around = half_x * np.arctan2(x, -y)
        return normal, np.stack((np.where(top, x, around), np.where(top, y, z))), ~top
    along = np.abs(x / half_x), np.abs(y / half_y), np.abs(z / half_z)
    side = (along[0] > along[1]) & (along[0] > along[2])
    top = ~side & (along[2] > along[1])
    front = ~side & ~top
    normal[:] = np.sign(x) * side, np.sign(y) * front, np.sign(z) * top
    return normal, np.stack((np.where(side, y, x), np.where(top, y, z))), front & (y < 0)


def _colour(material: Material, uv: FloatMap, printed: Mask, texel_m: float) -> FloatMap:
    """Return the colour of the surface, (h, w, 3) linear light, unlit; v points up."""
    u, v = uv[0], -uv[1]
    scale = np.float32(1 / texel_m)
    colour = cv2.remap(
        material.tile, u * scale, v * scale, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    if material.decal is not None:
        rows, columns = material.decal.shape[:2]
        su, sv = columns / material.decal_m[0], rows / material.decal_m[1]
        map_u = (u - np.float32(material.at_m[0])) * np.float32(su) + np.float32(columns / 2)
        map_v = (v + np.float32(material.at_m[1])) * np.float32(sv) + np.float32(rows / 2)
        inside = (map_u > 0) & (map_u < columns - 1) & (map_v > 0) & (map_v < rows - 1) & printed
        grain = colour.mean(axis=-1, keepdims=True) / material.tile.mean()
        decal = cv2.remap(
            material.decal, map_u, map_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        colour = np.where(inside[..., None], decal * grain, colour)
    return np.square(colour)


def trace(solid: Solid, view: View, shade: Shade | None = None) -> Layer:
    """Return the image of one solid alone, with its inverse depth.

    Args:
        solid: to trace.
        view: of the camera.
        shade: factor on the light at positions in the solid's own axes; None: no shadow.
    """
    x, y, width, height = view.window(solid.corners)
    depth, place = _hit(solid, *view.angles(x, y, width, height))
    hit = np.isfinite(depth)
    normal, uv, printed = _surface(solid, place)
    lamp = _along(solid.axes, LIGHT).tolist()
    light = sum(normal[i] * np.float32(lamp[i]) for i in range(3))
    light = AMBIENT + (1 - AMBIENT) * np.maximum(light, 0)
    if shade is not None:
        light *= shade(place)
    colour = cv2.split(_colour(solid.material, uv, printed, view.texel_m))
    cover = hit.astype(np.float32)
    rgba = np.asarray(cv2.merge([*(channel * light * cover for channel in colour), cover]))
    inverse = np.where(hit, 1 / depth, 0).astype(np.float32)
    rgba, inverse = (
        np.asarray(cv2.resize(a, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        for a in (rgba, inverse)
    )
    inverse /= np.maximum(rgba[..., 3], 1e-6)
    return Layer(rgba, inverse, x, y)
