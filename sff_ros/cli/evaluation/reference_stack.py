"""The focal stack that `sff doctor` tries backends on: rendered, with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap
from sff_ros.core.sweep.stack import FocalStack, Slice

WIDTH, HEIGHT, SLICES = 640, 480, 15
STEPS = (3.0, 7.2, 11.5)  # slice positions of the three boards in the lower half
SLOPE = (2.0, 12.0)  # of the plane in the upper half, left to right
BLUR_PX = 0.45  # growth of the blur's standard deviation a slice
LEVELS = 29  # blurs that are computed; pixels are interpolated between two of them
NOISE = 1.0  # grey levels
SEED = 7


@dataclass(frozen=True, slots=True, eq=False)
class KnownStack:
    """A stack and the slice position (H, W) at which each pixel is sharp."""

    stack: FocalStack
    ground_truth: FloatMap


def known_stack() -> KnownStack:
    """Render a plane above three boards, all textured; deterministic."""
    rng = np.random.default_rng(SEED)
    ground_truth = _positions()
    sharp = _texture(rng)
    farthest = float(max(ground_truth.max(), SLICES - 1 - ground_truth.min()))
    sigmas = np.linspace(0, farthest * BLUR_PX, LEVELS)
    blurred = np.stack([cv2.GaussianBlur(sharp, (0, 0), s) if s else sharp for s in sigmas])
    slices = []
    for index in range(SLICES):
        level = abs(ground_truth - np.float32(index)) / np.float32(farthest) * (LEVELS - 1)
        noise = NOISE * rng.standard_normal(ground_truth.shape, dtype=np.float32)
        grey = _mixed(np.asarray(blurred, np.float32), np.asarray(level, np.float32)) + noise
        image = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        rgb = np.repeat(image[..., None], 3, axis=2)
        slices.append(Slice(rgb, 1.0 + 0.1 * index, stamp_ns=index, index=index, count=SLICES))
    return KnownStack(FocalStack(tuple(slices)), ground_truth)


def _positions() -> FloatMap:
    """Return (H, W) slice positions of the scene."""
    ground_truth = np.repeat(np.linspace(*SLOPE, WIDTH, dtype=np.float32)[None], HEIGHT, axis=0)
    for index, position in enumerate(STEPS):
        left, right = index * WIDTH // len(STEPS), (index + 1) * WIDTH // len(STEPS)
        ground_truth[HEIGHT // 2 :, left:right] = position
    return ground_truth


def _texture(rng: np.random.Generator) -> FloatMap:
    """Return (H, W) grey levels around 110 with detail of every size."""
    total = np.zeros((HEIGHT, WIDTH), np.float32)
    for octave in range(5):
        size = (WIDTH >> octave, HEIGHT >> octave)
        noise = rng.standard_normal(size[::-1], dtype=np.float32)
        total += cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    texture: FloatMap = 110 + 30 * total / total.std()
    return texture


def _mixed(blurred: FloatMap, level: npt.NDArray[np.float32]) -> FloatMap:
    """Return the image with a blur of its own at each pixel, between two levels."""
    low = np.minimum(level.astype(np.intp), LEVELS - 2)[None]
    share = level - low[0]
    below = np.take_along_axis(blurred, low, axis=0)[0]
    above = np.take_along_axis(blurred, low + 1, axis=0)[0]
    mixed: FloatMap = below + share * (above - below)
    return mixed
