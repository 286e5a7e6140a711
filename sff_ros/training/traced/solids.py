"""Shapes of path-traced scenes, at a pixel and a canonical position."""

from __future__ import annotations

from typing import Any

import numpy as np

from sff_ros.core.image import Floats
from sff_ros.training.drawing.textures import Rng
from sff_ros.training.traced.materials import Material
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.view import View

LEAF_POINTS = 24  # of the outline of a leaf

Shape = Any  # a dict for Mitsuba, or a mesh of it


def rotation(rng: Rng) -> Floats:
    """Return (3, 3) a rotation, all equally likely."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q *= np.sign(np.diag(r))
    turned: Floats = q * np.linalg.det(q)
    return turned


def tilted(rng: Rng, most: float) -> Floats:
    """Return (3, 3) a rotation whose z axis is within so many radians of the camera's."""
    lean, about, spin = rng.uniform(0, most), *rng.uniform(0, 2 * np.pi, 2)
    c, s = np.cos(lean), np.sin(lean)
    leaning = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    turned: Floats = _about_z(about) @ leaning @ _about_z(spin)
    return turned


def frame(axes: Floats, scale: Floats, centre: Floats) -> Any:
    """Return the transform that scales, rotates by (3, 3) axes, and moves to a centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes * scale
    matrix[:3, 3] = centre
    return mitsuba().ScalarTransform4f(matrix)


def solid(rng: Rng, centre: Floats, radius: float, material: Material) -> list[Shape]:
    """Return a sphere, a block or a cylinder, in any pose, within a radius."""
    kind = rng.integers(4)
    if kind == 0:
        return [{'type': 'sphere', 'to_world': frame(np.eye(3), np.full(3, radius * 0.8), centre),
                 'bsdf': material}]  # fmt: skip
    axes = rotation(rng)
    if kind < 3:
        sides = rng.uniform(0.3, 1, 3)
        scale = radius * sides / np.linalg.norm(sides)
        return [{'type': 'cube', 'to_world': frame(axes, scale, centre), 'bsdf': material}]
    slender = rng.uniform(0.15, 0.8)
    half = radius * np.sqrt(1 - slender**2)
    return cylinder(centre, axes, half, radius * slender, material)


def cylinder(
    centre: Floats, axes: Floats, half: float, radius: float, material: Material
) -> list[Shape]:
    """Return a closed cylinder along the z axis of a rotation."""
    along = axes[:, 2] * half
    tube = {
        'type': 'cylinder', 'p0': (centre - along).tolist(), 'p1': (centre + along).tolist(),
        'radius': radius, 'bsdf': material,
    }  # fmt: skip
    turned = axes * np.array([1, -1, -1])
    ends = [
        {
            'type': 'disk',
            'to_world': frame(towards, np.array([radius, radius, 1]), centre + way),
            'bsdf': material,
        }
        for towards, way in ((axes, along), (turned, -along))
    ]
    return [tube, *ends]


def plane(view: View, places: tuple[float, float, float], material: Material) -> Shape:
    """Return a large plane that is at these positions at the top left, top right and bottom left.

    The inverse distance of a plane is linear in the image, as positions are.
    """
    a, b, c = (view.point(x, y, p) for (x, y), p in zip(_CORNERS * view.size, places, strict=True))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    across = (b - a) / np.linalg.norm(b - a)
    axes = np.stack([across, np.cross(normal, across), normal], axis=1)
    centre = a + (b - a) / 2 + (c - a) / 2
    half = 1.3 * max(np.linalg.norm(b - a), np.linalg.norm(c - a), np.linalg.norm(c - b) / 1.4)
    return {
        'type': 'rectangle',
        'to_world': frame(axes, np.array([half, half, 1]), centre),
        'bsdf': material,
    }


_CORNERS = np.array([[0, 0], [1, 0], [0, 1]])


def leaf(rng: Rng, centre: Floats, length: float, axes: Floats, material: Any) -> Shape:
    """Return a bent leaf, a mesh of one surface.

    Args:
        rng: chooses outline and bend.
        centre: (3,).
        length: of the leaf.
        axes: (3, 3) rotation: along, across, normal.
        material: a BSDF of Mitsuba.
    """
    mi = mitsuba()
    angle = np.linspace(0, 2 * np.pi, LEAF_POINTS, endpoint=False)
    sharp, lobes, deep = rng.uniform(0.4, 1.2), rng.integers(0, 6), rng.uniform(0, 0.2)
    radius = 1 + deep * np.cos(lobes * angle)
    u = np.cos(angle) * radius
    v = np.sin(angle) * np.abs(np.sin(angle)) ** sharp * radius * rng.uniform(0.25, 0.7)
    rings = np.array([0.0, 0.5, 1.0])
    u, v = (np.concatenate([[0.0], *(r * w for r in rings[1:])]) for w in (u, v))
    bend, fold = rng.normal(0, 0.2), rng.normal(0, 0.3)
    flat = np.stack([u, v, bend * u**2 + fold * np.abs(v)], axis=1) * length / 2
    points = flat @ axes.T + centre
    n = LEAF_POINTS
    inner, outer = 1 + np.arange(n), 1 + n + np.arange(n)
    after = np.roll(inner, -1), np.roll(outer, -1)
    faces = np.concatenate(
        [
            np.stack([np.zeros(n, int), inner, after[0]], 1),
            np.stack([inner, outer, after[1]], 1),
            np.stack([inner, after[1], after[0]], 1),
        ]
    )
    props = mi.Properties()
    props['mesh_bsdf'] = material
    mesh = mi.Mesh('leaf', len(points), len(faces), props, has_vertex_texcoords=True)
    values = mi.traverse(mesh)
    values['vertex_positions'] = points.astype(np.float32).ravel()
    values['faces'] = faces.astype(np.uint32).ravel()
    values['vertex_texcoords'] = (np.stack([u, v], 1) / 2 + 0.5).astype(np.float32).ravel()
    values.update()
    return mesh


def _about_z(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
