"""Outlines of the objects in a random scene."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap
from sff_ros.training.drawing.ranges import log_uniform
from sff_ros.training.drawing.textures import Rng, fractal_noise

SOFT = 4  # supersampling per axis
WIRE_PX = (1.0, 3.0)  # thickness
LAMP_PX = (0.5, 3.0)  # radius

Painted = npt.NDArray[np.uint8]  # (SOFT * size, SOFT * size), 255 inside
Shape = Callable[[Rng, int], FloatMap]  # side of the image, px -> (side, side) covered share


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
    thickness = log_uniform(rng, (0.8, 12))
    return _strokes(rng, size, thickness, int(rng.integers(1, 5)))


def wire(rng: Rng, size: int) -> FloatMap:
    """Return the outline of one wire."""
    return _strokes(rng, size, rng.uniform(*WIRE_PX), 1)


def _strokes(rng: Rng, size: int, thickness_px: float, count: int) -> FloatMap:
    mask = _blank(size)
    thickness = max(1, int(SOFT * thickness_px))
    for _ in range(count):
        points = rng.uniform(-0.1 * size, 1.1 * size, (int(rng.integers(2, 4)), 2))
        cv2.polylines(mask, [(SOFT * points).astype(np.int32)], False, 255, thickness)
    return _soft(mask, size)


def lamp(rng: Rng, size: int) -> FloatMap:
    """Return the outline of a lamp."""
    mask = _blank(size)
    x, y = (SOFT * rng.uniform(0, size, 2)).astype(int).tolist()
    cv2.circle(mask, (x, y), round(SOFT * log_uniform(rng, LAMP_PX)), 255, -1)
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


SHAPES: tuple[Shape, ...] = (
    _ellipse, _polygon, _polygon, _rod, _lattice, _letters, _blob, _blob,
)  # fmt: skip


def _blank(size: int) -> Painted:
    return np.zeros((SOFT * size, SOFT * size), np.uint8)


def _soft(mask: Painted, size: int) -> FloatMap:
    """Return the covered share of each pixel."""
    small = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)
