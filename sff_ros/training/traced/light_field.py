"""Trace the rays through a lens once, and form the image of every slice from them.

A ray that leaves the lens at u with slope t (both in x and y) meets the plane of focus F, in
dioptres, where a pinhole camera would see it with slope t + u F. So the slope under which a ray is
seen is linear in F, and each ray counts in all slices, as in a light field camera: all rays of the
sweep serve each slice, and noise is as low as of S times the rays. This is the thin lens of
Mitsuba; test_light_field.py compares both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sff_ros.core.image import FloatMap, Floats
from sff_ros.training.traced.illumination import DARKEST, Illumination
from sff_ros.training.traced.lobes import (
    Hits,
    arrays,
    colour,
    emitted,
    first_hits,
    limited,
    mirrored,
    ready,
    scattered,
    stratified,
)
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.view import View, margin_px

PASS = 16  # rays per pixel traced at a time, spread evenly over pixel, lens and lights
BRIGHT, MOST_PARTS = 4.0, 64  # times the mean light of rays; parts of those that are brighter
SPREAD = (0.2, 0.08)  # how far at most, of the area of the aperture from its middle; turns
PIXEL_SIGMA = 1 / math.sqrt(12)  # px, of a pixel's own area


def trace_illumination(scene: Any, view: View, rays: int, seed: int) -> Illumination:
    """Measure the illumination of all that the lens sees.

    Args:
        scene: of Mitsuba.
        view: camera.
        rays: per pixel.
        seed: of the random numbers.
    """
    lens, light = wide_lens(view), Illumination(view)
    for k in range(math.ceil(rays / PASS)):
        sampler, through = pixel_rays(lens, seed + k)
        hits = first_hits(scene, through)
        falls, hue, points, normals = arrays(
            scattered(scene, sampler, hits), colour(hits), *places_of(hits)
        )
        lit = hue.mean(axis=1) >= DARKEST
        light.add(points[lit], normals[lit], limited(falls[lit]) / np.maximum(hue[lit], DARKEST))
    return light


def trace_sweep(
    scene: Any, view: View, light: Illumination, rays: int, seed: int
) -> tuple[FloatMap, FloatMap]:
    """Render all slices.

    Args:
        scene: of Mitsuba.
        view: camera.
        light: of the scene.
        rays: per pixel, for the whole sweep.
        seed: of the random numbers.

    Returns:
        (S, size, size, 3) linear light, and (size, size) the standard deviation of the noise of
        its rays, the mean over slices, from the difference between two halves of the rays.
    """
    lens = wide_lens(view)
    total = np.zeros((2, len(view.focus), view.size, view.size, 4))
    for k in range(max(2 * math.ceil(rays / PASS / 2), 2)):
        rng = np.random.default_rng([seed, k])
        sampler, through = pixel_rays(lens, seed + k)
        hits = first_hits(scene, through)
        own, other, points = seen_light(rng, scene, sampler, hits, light)
        total[k % 2] += _images(view, rng, through, own + other, points)
    halves = total[..., :3] / np.maximum(total[..., 3:], 1e-6)
    both = total.sum(axis=0)
    sweep = both[..., :3] / np.maximum(both[..., 3:], 1e-6)
    spread = np.sqrt(((halves[0] - halves[1]).mean(axis=-1) ** 2).mean(axis=0)) / 2
    return np.asarray(sweep, np.float32), np.asarray(spread, np.float32)


def seen_light(
    rng: np.random.Generator, scene: Any, sampler: Any, hits: Hits, light: Illumination
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return (N, 3) light that first surfaces scatter or emit, that they mirror, and points."""
    other, hue, lamps, points, normals = arrays(
        mirrored(scene, sampler, hits), colour(hits), emitted(scene, hits), *places_of(hits)
    )
    own = hue * light.at(rng, points, normals) + limited(lamps)
    return own, limited(other), points


def places_of(hits: Hits) -> tuple[Any, Any]:
    """Return points and normals, towards the camera, of the first surfaces."""
    import drjit

    normal = hits.surface.n
    return hits.surface.p, drjit.select(normal.z > 0, -normal, normal)


def wide_lens(view: View) -> Any:
    """Return a thin lens, focused amid the sweep, whose image has a margin; see margin_px."""
    side = view.size + 2 * margin_px(view)
    return mitsuba().load_dict(lens_of(view, float(view.focus.mean()), side))


def lens_of(view: View, focus: float, side: int) -> dict[str, Any]:
    """Return Mitsuba's thin lens, focused at so many dioptres, with a square image."""
    return {
        'type': 'thinlens',
        'fov': math.degrees(2 * math.atan(side / 2 / view.focal_px)),
        'aperture_radius': view.radius,
        'focus_distance': 1 / focus,
        'near_clip': 1e-3,
        'far_clip': 1e3,
        'film': {
            'type': 'hdrfilm', 'width': side, 'height': side, 'rfilter': {'type': 'box'},
        },
    }  # fmt: skip


def pixel_rays(camera: Any, seed: int) -> tuple[Any, Any]:
    """Return random numbers and PASS rays per pixel."""
    mi = mitsuba()
    side = camera.film().size()[0]
    count = side * side * PASS
    sampler = stratified(PASS, seed, count)
    pixel = mi.UInt32(np.arange(count, dtype=np.uint32) // PASS)
    corner = mi.Point2f(mi.Float(pixel % side), mi.Float(pixel // side))
    rays, _ = camera.sample_ray_differential(
        0, 0.5, (corner + sampler.next_2d()) / side, sampler.next_2d()
    )
    return ready(sampler, rays)


def _images(
    view: View, rng: np.random.Generator, rays: Any, light: FloatMap, points: FloatMap
) -> Floats:
    """Return (S, size, size, 4): the sum of light and the number of rays of each pixel."""
    origin, direction = (np.array(v, np.float32).T for v in (rays.o, rays.d))
    slope = direction[:, :2] / direction[:, 2:]
    lens = origin[:, :2] - slope * origin[:, 2:]
    size, f = view.size, np.float32(view.focal_px)
    sigma = np.float32(math.sqrt(max(view.sigma_px**2 - PIXEL_SIGMA**2, 0)))
    start = size / 2 - f * slope + sigma * rng.standard_normal(slope.shape, np.float32)
    start, lens, light = _spread(view, rng, start, lens, light, points[:, 2:])
    images = np.zeros((len(view.focus), size * size, 4))
    for image, focus in zip(images, view.focus.tolist(), strict=True):
        x, y = np.floor(start - f * np.float32(focus) * lens).astype(np.int32).T
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        index, part = (y * size + x)[inside], light[inside]
        for channel in range(4):
            image[:, channel] = np.bincount(index, part[:, channel], size * size)
    return images.reshape(len(images), size, size, 4)


def _spread(
    view: View,
    rng: np.random.Generator,
    start: FloatMap,
    lens: FloatMap,
    light: FloatMap,
    z: FloatMap,
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Share the light of bright rays among others, from the same point to the lens nearby.

    A highlight out of focus is a disc, but few rays meet it: their pixels would shine alone.

    Args:
        view: camera.
        rng: source of all randomness.
        start: (N, 2) where the image of a ray is at a focus of 0, px.
        lens: (N, 2) where it meets the lens.
        light: (N, 3) of the rays.
        z: (N, 1) of the points that they come from.

    Returns:
        (M, 2) start, (M, 2) lens, and (M, 4) light with the share of a ray, M >= N.
    """
    strength = light.max(axis=1) / max(float(light.mean()), 1e-6)
    parts = np.where(strength > BRIGHT, np.ceil(strength), 1).clip(1, MOST_PARTS).astype(np.intp)
    light = np.concatenate([light, np.ones((len(light), 1), np.float32)], axis=1)
    few = np.flatnonzero(parts > 1)
    many = np.repeat(few, parts[few])
    near = lens[many]
    away = rng.uniform(-1, 1, (len(many), 2)) * SPREAD
    # Uniform over the aperture stays so: reflected at its middle and rim, turned around.
    area = 1 - np.abs(1 - np.abs((near**2).sum(axis=1) / view.radius**2 + away[:, 0]))
    angle = np.arctan2(near[:, 1], near[:, 0]) + 2 * np.pi * away[:, 1]
    r = view.radius * np.sqrt(np.maximum(area, 0))
    moved = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1).astype(np.float32)
    shifted = start[many] + np.float32(view.focal_px) * (moved - near) / np.maximum(z[many], 1e-3)
    alone = parts == 1
    return (
        np.concatenate([start[alone], shifted]),
        np.concatenate([lens[alone], moved]),
        np.concatenate([light[alone], light[many] / parts[many, None].astype(np.float32)]),
    )
