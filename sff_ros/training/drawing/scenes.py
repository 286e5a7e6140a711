"""Random scenes of surfaces at known positions along a sweep, for training.

A place is a canonical slice position: the first slice is focused at 0, the last at 14. Larger is
nearer; a stack in the other order is the same scene reversed.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer
from sff_ros.training.drawing.ranges import USUAL, SampleRange, log_uniform
from sff_ros.training.drawing.shapes import SHAPES, Shape, lamp, wire
from sff_ros.training.drawing.textures import Rng, Textures, fractal_noise

LAST = POSITIONS - 1.0
BEYOND = 2.5  # positions by which some surfaces lie outside the sweep
TERRAIN = 0.15  # share of the scenes that are one surface without depth edges
FLAT_STEP = 0.2  # positions between the steps of a flattened scene
FAINT = 0.7  # share of the surfaces of a faint scene that are faint
LIGHT = (2.0, 300.0)  # brightness of lamps, white = 1

Paint = Callable[[int, int], FloatMap]  # height and width of a surface -> its colours


def draw_scene(
    rng: Rng,
    textures: Textures,
    size: int,
    ranges: SampleRange = USUAL,
    ambient: float = 1.0,
) -> list[Layer]:
    """Draw a scene: a ground and, in most, 2 to 14 objects in front of it, far to near.

    Args:
        rng: source of all randomness.
        textures: of the surfaces.
        size: side of the square image, px.
        ranges: shares of plain and faint surfaces, wires, ramps and lamps.
        ambient: brightness of all but the lamps; below 1 it is night and there are lamps.

    Returns:
        Layers whose `dioptres` are canonical positions, outside 0..14 only in some scenes.
    """
    margin = BEYOND if rng.random() < 0.2 else 0.0
    low, high = -margin, LAST + margin
    if rng.random() < 0.2:  # a shallow scene in part of the sweep
        centre, half = rng.uniform(1, LAST - 1), rng.uniform(0.5, 4)
        low, high = max(low, centre - half), min(high, centre + half)
    paint = _painter(rng, textures, ranges, ambient)
    slope = ranges.ramps.draw(rng)
    if slope is None:
        ground = _relief(rng, size, rng.uniform(low, low + 0.8 * (high - low)), low, high)
    else:
        ground = _ramp(rng, size, slope, low, high)
    layers = [_layer(paint(size, size), np.ones((size, size), np.float32), ground)]
    count = 0 if rng.random() < TERRAIN else int(rng.integers(2, 15))
    places = np.sort(rng.uniform(low, high, count))
    shapes: list[Shape | None] = [None] * count  # any of SHAPES
    wires, lights = ranges.wires.draw(rng), ranges.lights.draw(rng)
    if ambient < 1 and lights is None:
        lights = log_uniform(rng, (ranges.lights.low, ranges.lights.high))
    extra = [wire] * round(wires or 0) + [lamp] * round(lights or 0)
    if extra:
        shapes += extra
        places = np.sort(np.append(places, rng.uniform(low, high, len(extra))))
        rng.shuffle(shapes)
    for place, shape in zip(places.tolist(), shapes, strict=True):
        alpha = (shape or SHAPES[rng.integers(len(SHAPES))])(rng, size)
        layer = _object(rng, _glow(rng) if shape is lamp else paint, alpha, place, low, high)
        if layer is not None:
            layers.append(layer)
    return layers


def _painter(rng: Rng, textures: Textures, ranges: SampleRange, ambient: float) -> Paint:
    """Return what draws the surfaces of a scene: textured, calm, plain or faint."""
    calm, plain, faint = (kind.draw(rng) for kind in (ranges.calm, ranges.plain, ranges.faint))

    def paint(height: int, width: int) -> FloatMap:
        image = textures.draw(rng, height, width)
        if calm is not None:
            image = _calm(rng, image, calm)
        if plain is not None and rng.random() < plain:
            image = _plain(rng, height, width)
        elif faint is not None and rng.random() < FAINT:
            mean = image.mean(axis=(0, 1))
            image = mean + (image - mean) * np.float32(faint)
        return np.asarray(image * np.float32(ambient), np.float32)

    return paint


def _calm(rng: Rng, image: FloatMap, contrast: float) -> FloatMap:
    """Return a texture with less contrast around another colour, from grey to vivid."""
    grey, tint = rng.random(), rng.random(3)
    colour = grey + (tint - grey) * rng.random()
    around = colour + (image - image.mean(axis=(0, 1))) * contrast
    return np.asarray(np.clip(around, 0, 1), np.float32)


def _plain(rng: Rng, height: int, width: int) -> FloatMap:
    """Return a surface without texture: black, white, or any colour, slightly shaded."""
    tint = rng.random(3) if rng.random() < 0.3 else np.full(3, rng.random())
    low, high = ((0.0, 0.02), (0.85, 1.0), (0.05, 0.85))[rng.integers(3)]
    y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(max(height, width)) - 0.5
    shade = 1 + rng.uniform(-0.08, 0.08) * x + rng.uniform(-0.08, 0.08) * y
    return np.asarray((low + (high - low) * tint) * shade[..., None], np.float32)


def _glow(rng: Rng) -> Paint:
    """Return what draws a lamp: one bright colour."""
    colour = log_uniform(rng, LIGHT) * rng.uniform(0.4, 1, 3)

    def paint(height: int, width: int) -> FloatMap:
        return np.tile(colour.astype(np.float32), (height, width, 1))

    return paint


def flatten(layers: list[Layer], size: int) -> list[Layer]:
    """Return the visible surface cut into steps of depth, as from an RGB-D camera.

    There is no background behind it, so blur does not reveal hidden surfaces.
    """
    rgba, place = visible(layers, size)
    steps = np.rint(place / FLAT_STEP)
    flat = []
    for step in np.unique(steps).tolist():
        mask = (steps == step).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        window = np.s_[y : y + height, x : x + width]
        alpha = mask[window].astype(np.float32)
        piece = np.dstack([rgba[window][..., :3] * alpha[..., None], alpha])
        flat.append(Layer(piece, np.full(alpha.shape, step * FLAT_STEP, np.float32), x, y))
    return flat


def visible(layers: list[Layer], size: int) -> tuple[FloatMap, FloatMap]:
    """Return (size, size, 4) colour and (size, size) place of the visible surface."""
    colour = np.zeros((size, size, 4), np.float32)
    place = np.zeros((size, size), np.float32)
    for layer in layers:
        height, width = layer.rgba.shape[:2]
        x0, y0 = max(layer.x, 0), max(layer.y, 0)
        x1, y1 = min(layer.x + width, size), min(layer.y + height, size)
        if x0 >= x1 or y0 >= y1:
            continue
        window = np.s_[y0:y1, x0:x1]
        part = np.s_[y0 - layer.y : y1 - layer.y, x0 - layer.x : x1 - layer.x]
        rgba = layer.rgba[part]
        alpha = rgba[..., 3:]
        colour[window] = colour[window] * (1 - alpha) + rgba
        place[window] = np.where(alpha[..., 0] >= 0.5, layer.dioptres[part], place[window])
    return colour, place


def _object(
    rng: Rng, paint: Paint, alpha: FloatMap, place: float, low: float, high: float
) -> Layer | None:
    """Return an object of that outline around a place; None if it is outside the image."""
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    if width < 2 or height < 2:
        return None
    window = np.s_[y : y + height, x : x + width]
    alpha = alpha[window]
    side = max(width, height)
    surface = _relief(rng, side, place, low, high)[:height, :width]
    if rng.random() < 0.3:
        surface = _bulge(rng, height, width, place, low, high)
    return _layer(paint(height, width), alpha, surface, x, y, rng)


def _layer(
    colour: FloatMap,
    alpha: FloatMap,
    place: FloatMap,
    x: int = 0,
    y: int = 0,
    rng: Rng | None = None,
) -> Layer:
    """Assemble a layer; some objects have specular highlights."""
    if rng is not None and rng.random() < 0.15:
        for _ in range(rng.integers(1, 5)):
            centre = int(rng.integers(colour.shape[1])), int(rng.integers(colour.shape[0]))
            light = float(rng.uniform(1, 6))
            cv2.circle(colour, centre, int(rng.integers(0, 3)), (light,) * 3, -1, cv2.LINE_AA)
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    return Layer(rgba, place, x, y)


def _relief(rng: Rng, size: int, place: float, low: float, high: float) -> FloatMap:
    """Return a plane around a place, tilted and, for some, rough."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / np.float32(size) - np.float32(0.5)
    tilt = rng.normal(0, 2.5, 2) if rng.random() < 0.8 else np.zeros(2)
    surface = place + tilt[0] * x + tilt[1] * y
    if rng.random() < 0.4:
        rough = fractal_noise(rng, size, size, rng.uniform(1.6, 2.6)) - 0.5
        surface = surface + rough * rng.uniform(0, 6)
    if rng.random() < 0.3:
        surface = surface + _terraces(rng, size)
    return np.asarray(np.clip(surface, low, high), np.float32)


def _terraces(rng: Rng, size: int) -> FloatMap:
    """Return two levels joined by a steep slope, not an edge: its texture is continuous."""
    if rng.random() < 0.5:
        y, x = np.mgrid[:size, :size].astype(np.float32) - np.float32(size / 2)
        angle, period = rng.uniform(0, np.pi), rng.uniform(0.4, 2) * size
        along = x * np.cos(angle) + y * np.sin(angle) + rng.uniform(-0.5, 0.5) * size
        way = np.sin(2 * np.pi * along / period) * period / (2 * np.pi)  # px, near the slopes
    else:
        noise = fractal_noise(rng, size, size, rng.uniform(2.5, 3.5))
        level = noise - float(np.quantile(noise, rng.uniform(0.3, 0.7)))
        way = level / max(float(np.abs(np.gradient(noise)).mean()), 1e-6)
    width = np.exp(rng.uniform(np.log(2), np.log(25)))
    return np.asarray(rng.uniform(0.5, 5) * np.tanh(way / width), np.float32)


def _ramp(rng: Rng, size: int, slope: float, low: float, high: float) -> FloatMap:
    """Return a surface that rises and falls with one slope, positions per px."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle, depth = rng.uniform(0, 2 * np.pi), high - low
    along = x * np.cos(angle) + y * np.sin(angle) + rng.uniform(0, 2 * depth / slope)
    rise = np.abs(np.mod(along * slope, 2 * depth) - depth)
    return np.asarray(low + rise, np.float32)


def _bulge(rng: Rng, height: int, width: int, place: float, low: float, high: float) -> FloatMap:
    """Return half an ellipsoid or a cylinder that comes towards the camera."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = 2 * x / width - 1, 2 * y / height - 1
    across = u * u if rng.random() < 0.4 else u * u + v * v
    rise = np.sqrt(np.clip(1 - across, 0, 1)) * rng.uniform(0.5, 5)
    return np.asarray(np.clip(place + rise, low, high), np.float32)
