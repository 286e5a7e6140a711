"""Random scenes of surfaces at known positions along a sweep, for training.

A place is a canonical slice position: the first slice is focused at 0, the last at 14. Larger is
nearer; a stack in the other order is the same scene reversed.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer
from sff_ros.training.textures import Rng, Textures, fractal_noise

LAST = POSITIONS - 1.0
BEYOND = 2.5  # positions by which some surfaces lie outside the sweep
TERRAIN = 0.15  # share of the scenes that are one surface without depth edges
FLAT_STEP = 0.2  # positions between the steps of a flattened scene
SOFT = 4  # supersampling of outlines per axis

Mask = npt.NDArray[np.uint8]


def draw_scene(rng: Rng, textures: Textures, size: int) -> list[Layer]:
    """Draw a scene: a ground and, in most, 2 to 14 objects in front of it, far to near.

    Args:
        rng: source of all randomness.
        textures: of the surfaces.
        size: side of the square image, px.

    Returns:
        Layers whose `dioptres` are canonical positions, outside 0..14 only in some scenes.
    """
    margin = BEYOND if rng.random() < 0.2 else 0.0
    low, high = -margin, LAST + margin
    if rng.random() < 0.2:  # a shallow scene in part of the sweep
        centre, half = rng.uniform(1, LAST - 1), rng.uniform(0.5, 4)
        low, high = max(low, centre - half), min(high, centre + half)
    ground = _relief(rng, size, rng.uniform(low, low + 0.8 * (high - low)), low, high)
    colour = textures.draw(rng, size, size)
    layers = [_layer(colour, np.ones((size, size), np.float32), ground)]
    count = 0 if rng.random() < TERRAIN else int(rng.integers(2, 15))
    places = np.sort(rng.uniform(low, high, count))
    for place in places.tolist():
        layer = _object(rng, textures, size, place, low, high)
        if layer is not None:
            layers.append(layer)
    return layers


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
        alpha = layer.rgba[..., 3:]
        window = np.s_[layer.y : layer.y + alpha.shape[0], layer.x : layer.x + alpha.shape[1]]
        colour[window] = colour[window] * (1 - alpha) + layer.rgba
        place[window] = np.where(alpha[..., 0] >= 0.5, layer.dioptres, place[window])
    return colour, place


def _object(
    rng: Rng, textures: Textures, size: int, place: float, low: float, high: float
) -> Layer | None:
    """Return an object around a place; None if it is outside the image."""
    alpha = SHAPES[rng.integers(len(SHAPES))](rng, size)
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    if width < 2 or height < 2:
        return None
    window = np.s_[y : y + height, x : x + width]
    alpha = alpha[window]
    side = max(width, height)
    surface = _relief(rng, side, place, low, high)[:height, :width]
    if rng.random() < 0.3:
        surface = _bulge(rng, height, width, place, low, high)
    return _layer(textures.draw(rng, height, width), alpha, surface, x, y, rng)


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


def _bulge(rng: Rng, height: int, width: int, place: float, low: float, high: float) -> FloatMap:
    """Return half an ellipsoid or a cylinder that comes towards the camera."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = 2 * x / width - 1, 2 * y / height - 1
    across = u * u if rng.random() < 0.4 else u * u + v * v
    rise = np.sqrt(np.clip(1 - across, 0, 1)) * rng.uniform(0.5, 5)
    return np.asarray(np.clip(place + rise, low, high), np.float32)


def _ellipse(rng: Rng, size: int) -> FloatMap:
    centre, radius = rng.uniform(0, size, 2), size * rng.uniform(0.04, 0.35)
    axes = (int(SOFT * radius), int(SOFT * radius * rng.uniform(0.3, 1)))
    mask = _blank(size)
    point = (int(SOFT * centre[0]), int(SOFT * centre[1]))
    cv2.ellipse(mask, point, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return _soft(mask, size)


def _polygon(rng: Rng, size: int) -> FloatMap:
    corners = int(rng.integers(3, 10))
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = size * rng.uniform(0.06, 0.4) * rng.uniform(0.4, 1.1, corners)
    points = (
        rng.uniform(0, size, 2) + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    )
    mask = _blank(size)
    cv2.fillPoly(mask, [(SOFT * points).astype(np.int32)], 255)
    if rng.random() < 0.25:  # a frame: the background shows through the hole
        middle = points.mean(axis=0)
        hole = middle + (points - middle) * rng.uniform(0.4, 0.8)
        cv2.fillPoly(mask, [(SOFT * hole).astype(np.int32)], 0)
    return _soft(mask, size)


def _rod(rng: Rng, size: int) -> FloatMap:
    """Wires and poles, straight or bent, one or several."""
    mask = _blank(size)
    thickness = max(1, int(SOFT * np.exp(rng.uniform(np.log(0.8), np.log(12)))))
    for _ in range(rng.integers(1, 5)):
        points = rng.uniform(-0.1 * size, 1.1 * size, (int(rng.integers(2, 4)), 2))
        cv2.polylines(mask, [(SOFT * points).astype(np.int32)], False, 255, thickness)
    return _soft(mask, size)


def _lattice(rng: Rng, size: int) -> FloatMap:
    """A grid of bars, a fence."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 48)
    bar = rng.uniform(0.15, 0.5)
    u = np.mod(x * np.cos(angle) + y * np.sin(angle), period) / period
    v = np.mod(y * np.cos(angle) - x * np.sin(angle), period) / period
    bars = u < bar if rng.random() < 0.5 else (u < bar) | (v < bar)
    return np.asarray(bars.astype(np.float32) * _ellipse(rng, size), np.float32)


def _letters(rng: Rng, size: int) -> FloatMap:
    mask = _blank(size)
    text = ''.join(chr(c) for c in rng.integers(48, 123, int(rng.integers(1, 6))))
    place = int(SOFT * rng.uniform(-0.1, 0.7) * size), int(SOFT * rng.uniform(0.2, 1.1) * size)
    scale = float(SOFT * size / 60 * rng.uniform(0.5, 2))
    thickness = max(1, int(SOFT * rng.uniform(1, 8)))
    cv2.putText(mask, text, place, int(rng.integers(0, 8)), scale, 255, thickness)
    return _soft(mask, size)


def _blob(rng: Rng, size: int) -> FloatMap:
    """A leaf, a stone: a level set of smooth noise."""
    noise = fractal_noise(rng, size, size, rng.uniform(2.3, 3.3))
    level = float(np.quantile(noise, rng.uniform(0.6, 0.93)))
    soft = (noise - level) / max(float(np.abs(np.gradient(noise)[0]).mean()), 1e-6) + 0.5
    return np.asarray(np.clip(soft, 0, 1), np.float32)


SHAPES: tuple[Callable[[Rng, int], FloatMap], ...] = (
    _ellipse, _polygon, _polygon, _rod, _lattice, _letters, _blob, _blob,
)  # fmt: skip


def _blank(size: int) -> Mask:
    return np.zeros((SOFT * size, SOFT * size), np.uint8)


def _soft(mask: Mask, size: int) -> FloatMap:
    """Return the covered share of each pixel."""
    small = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)
