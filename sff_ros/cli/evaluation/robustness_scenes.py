"""The scenes of `sff evaluate --suite robustness`: what goes wrong at a user's.

Each is drawn from a seed, so it needs no data and is the same everywhere. All sweeps have unknown
focus distances, as a folder of images without stack.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from sff_ros.cli.evaluation.drawn_scene import (
    BLUR_PX,
    EVEN,
    LAST,
    REACH_PX,
    SLICES,
    DrawnScene,
    Frame,
    away,
    depth_edges,
    exposed,
    position_of,
    seen,
    take,
)
from sff_ros.cli.evaluation.drawn_surfaces import (
    BEYOND,
    disc,
    line,
    noise_map,
    objects,
    plain,
    polygon,
    surface,
    texture,
    two_objects,
)
from sff_ros.cli.evaluation.moving_scenes import jump, knocked_camera, steady_motion

FAINT = 0.16 / 40  # a grey level, as strong as the noise


def textured(
    frame: Frame, noise: float = 1.0, slices: int = SLICES, steps: float = 1.0
) -> DrawnScene:
    """Draw textured objects before a textured ground.

    Args:
        frame: size and seed.
        noise: of the sensor, grey levels.
        slices: of the sweep; it covers the same range with more or fewer.
        steps: the last over the first; they grow from slice to slice.
    """
    rng, view = np.random.default_rng(frame.seed), frame.view()
    layers = objects(rng, view)
    focus = np.concatenate(([0], np.cumsum(np.geomspace(1, steps, slices - 1))))
    focus *= LAST / focus[-1]
    images = exposed(rng, take(layers, view, focus), noise)
    position = position_of(seen(layers, view)[0], focus)
    return DrawnScene(images, position, view.everywhere(), away(depth_edges(position), 2))


def lens_stands_still(frame: Frame) -> DrawnScene:
    """Draw a lens that ignores its control: all slices alike but for noise."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    sharp = take(objects(rng, view), view, EVEN[:1], blur_px=0.0)
    nothing = np.full((frame.height, frame.width), np.nan, np.float32)
    everywhere = view.everywhere()
    return DrawnScene(exposed(rng, sharp * SLICES, 2.0), nothing, everywhere, ~everywhere)


def plain_background(frame: Frame, tone: float) -> DrawnScene:
    """Draw a textured disc before a background without texture, which the sweep does not reach."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    place, radius = 6.0, 0.26 * frame.height
    cover = disc(view, 0.42 * frame.width, 0.5 * frame.height, radius)
    layers = [
        surface(plain(view.canvas, tone), BEYOND),
        surface(texture(rng, view.canvas), place, cover),
    ]
    images = exposed(rng, take(layers, view, EVEN))
    places, (_, front) = seen(layers, view)
    reach = BLUR_PX * max(place, LAST - place) + REACH_PX
    return DrawnScene(images, position_of(places, EVEN), away(front, reach), away(~front, 2))


def field_stop(frame: Frame) -> DrawnScene:
    """Draw the round field of a microscope, black outside."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    layers = objects(rng, view)
    x, y = frame.width / 2 - 0.5, frame.height / 2 - 0.5
    stop = disc(view, x, y, 0.45 * frame.height)[view.inside]
    images = exposed(rng, [light * stop[..., None] for light in take(layers, view, EVEN)])
    places, _ = seen(layers, view)
    position = position_of(places, EVEN)
    outside = stop < 0.5
    knowable = away(depth_edges(position), 2) & away(outside, REACH_PX)
    position[outside] = np.nan
    return DrawnScene(images, position, away(~outside, 12), knowable)


def faint_wall(frame: Frame) -> DrawnScene:
    """Draw textured objects before a wall and a ledge of it, both almost without contrast."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    x, _ = view.grid()
    w, h = frame.width, frame.height
    wall = texture(rng, view.canvas, contrast=FAINT, brightness=0.6)
    ledge = polygon(
        view, [(0.05 * w, -0.2 * h), (w, -0.2 * h), (w, 0.22 * h), (0.05 * w, 0.22 * h)]
    )
    layers = [
        surface(wall, 1.5 + 4 * x / w),
        surface(wall, 8.0, ledge),
        *two_objects(rng, view, 10.0),
    ]
    images = exposed(rng, take(layers, view, EVEN))
    places, fronts = seen(layers, view)
    front = np.asarray(fronts[2:].any(axis=0), bool)
    judged = away(front, BLUR_PX * 10 + REACH_PX)
    return DrawnScene(images, position_of(places, EVEN), judged, away(~front, 2))


def wires(frame: Frame, width_px: float) -> DrawnScene:
    """Draw thin wires far before a textured ground."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    x, _ = view.grid()
    ground = surface(texture(rng, view.canvas), 1.5 + 2 * x / frame.width)
    layers = [ground]
    count = frame.height // 20
    for index in range(count):
        at, lean = (index + 0.5) / count, rng.uniform(-0.35, 0.35)
        ends = [
            (frame.width * (at - lean), -0.2 * frame.height),
            (frame.width * (at + lean), 1.2 * frame.height),
        ]
        tone = rng.choice([0.08, 0.95])
        light = texture(rng, view.canvas, contrast=0.05, brightness=tone)
        layers.append(surface(light, rng.uniform(9, 12), line(view, ends, width_px)))
    layers[1:] = sorted(layers[1:], key=lambda layer: float(layer.dioptres[0, 0]))
    images = exposed(rng, take(layers, view, EVEN))
    places, (behind, *_) = seen(layers, view)
    return DrawnScene(images, position_of(places, EVEN), ~behind, ~behind)


def night(frame: Frame) -> DrawnScene:
    """Draw 25 lights in the dark: they stay bright when blurred, and clip."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    layers = [surface(plain(view.canvas, 0.03), BEYOND)]
    cells = rng.permutation(25)
    for cell, place in zip(cells.tolist(), np.sort(rng.uniform(1, 13, 25)).tolist(), strict=True):
        at = np.array([cell % 5, cell // 5]) + rng.uniform(0.2, 0.8, 2)
        x, y = at * (frame.width, frame.height) / 5
        colour = np.array([1, rng.uniform(0.6, 1), rng.uniform(0.3, 1)], np.float32)
        light = np.exp(rng.uniform(math.log(5), math.log(200))) * colour
        cover = disc(view, x, y, rng.uniform(0.8, 2))
        layers.append(surface(np.broadcast_to(light, (*view.canvas, 3)), place, cover))
    images = exposed(rng, take(layers, view, EVEN), 2.0)
    places, (dark, *_) = seen(layers, view)
    judged = ~dark | away(~dark, 2)
    return DrawnScene(images, position_of(places, EVEN), judged, ~dark)


def gloss(frame: Frame) -> DrawnScene:
    """Draw a glossy panel: it mirrors things whose image lies behind it."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    x, y = view.grid()
    w, h = frame.width, frame.height
    cover = polygon(
        view, [(0.15 * w, 0.1 * h), (0.9 * w, 0.18 * h), (0.84 * w, 0.9 * h), (0.1 * w, 0.82 * h)]
    )
    own = texture(rng, view.canvas, contrast=0.05, brightness=0.4)
    place = 10 + 2 * x / w - y / h
    ground = surface(texture(rng, view.canvas), 1.0)
    scene = take([ground, surface(own, place, cover)], view, EVEN)
    black = surface(plain(view.canvas, 0.0), 1.0)
    window = take([black, surface(plain(view.canvas, 1.0), place, cover)], view, EVEN)
    spots = np.clip(noise_map(rng, view.canvas, 1.2) - 0.8, 0, None)
    mirrored = surface(np.repeat(np.asarray(0.4 * spots, np.float32)[..., None], 3, axis=2), 4.0)
    lights = [
        direct + opening * image
        for direct, opening, image in zip(scene, window, take([mirrored], view, EVEN), strict=True)
    ]
    places, (_, panel) = seen([ground, surface(own, place, cover)], view)
    judged = away(~panel, REACH_PX)
    return DrawnScene(exposed(rng, lights), position_of(places, EVEN), judged, judged)


def ramps(frame: Frame, slope: float) -> DrawnScene:
    """Draw one folded surface whose place changes by `slope` slices a pixel."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    x, _ = view.grid()
    low, high = 1.0, 13.0
    way = np.mod(x * slope, 2 * (high - low))
    place = low + np.minimum(way, 2 * (high - low) - way)
    layers = [surface(texture(rng, view.canvas), place)]
    images = exposed(rng, take(layers, view, EVEN))
    position = position_of(seen(layers, view)[0], EVEN)
    return DrawnScene(images, position, view.everywhere(), view.everywhere())


def colours_apart(frame: Frame, slices: float) -> DrawnScene:
    """Draw a lens that focuses red and blue `slices` to either side of green."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    layers = objects(rng, view)
    channels = [take(layers, view, EVEN + shift) for shift in (-slices, 0.0, slices)]
    lights = [
        np.stack([light[..., i] for i, light in enumerate(colours)], axis=-1)
        for colours in zip(*channels, strict=True)
    ]
    position = position_of(seen(layers, view)[0], EVEN)
    knowable = away(depth_edges(position), 2)
    return DrawnScene(exposed(rng, lights), position, view.everywhere(), knowable)


# Name of each row, and what draws it.
REFERENCE = 'textured scene'
SCENES: Mapping[str, Callable[[Frame], DrawnScene]] = {
    REFERENCE: textured,
    'lens stands still': lens_stands_still,
    'white background': partial(plain_background, tone=1.0),
    'dark background': partial(plain_background, tone=0.03),
    'outside a field stop': field_stop,
    'faint wall': faint_wall,
    'noise 12': partial(textured, noise=12.0),
    'noise 25': partial(textured, noise=25.0),
    '3 slices': partial(textured, slices=3),
    '4 slices': partial(textured, slices=4),
    'wires of 1 px': partial(wires, width_px=1.0),
    'wires of 2 px': partial(wires, width_px=2.0),
    'lights at night': night,
    'uneven steps 10:1': partial(textured, steps=10.0),
    'gloss': gloss,
    'ramps of 0.4 slices/px': partial(ramps, slope=0.4),
    'ramps of 0.8 slices/px': partial(ramps, slope=0.8),
    'jump of 12 px': jump,
    'motion of 3 px/slice': steady_motion,
    'knocked camera': knocked_camera,
    'colours 1 slice apart': partial(colours_apart, slices=1.0),
    'colours 2 slices apart': partial(colours_apart, slices=2.0),
}
