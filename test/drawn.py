"""Small scenes of the training's generator, of seeds that no training sees, as focal stacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sff_ros.core.image import FloatMap, Floats, RgbImage
from sff_ros.training.drawing.ranges import USUAL, Some
from sff_ros.training.drawing.render import render_sweep
from sff_ros.training.drawing.scenes import draw_scene, visible
from sff_ros.training.drawing.textures import Textures

SIZE = 128
BLUR_PX, NOISE = 0.8, 1.0
EVEN = np.linspace(0, 14, 15)
# Surfaces have their full contrast, so that contrast tells which have texture.
RANGES = replace(USUAL, calm=Some(0, 0.1, 0.8))


def drawn(seed: int, places: Floats = EVEN, gain: float = 1.0) -> tuple[list[RgbImage], FloatMap]:
    """Return slices at canonical positions, and (SIZE, SIZE) ground truth in such positions."""
    layers = draw_scene(np.random.default_rng(seed), Textures(), SIZE, RANGES)
    _, ground_truth = visible(layers, SIZE)
    sweep = np.clip(render_sweep(layers, places.tolist(), BLUR_PX, SIZE), 0, 1) * 200 + 10
    noise = np.random.default_rng(1).normal(0, NOISE, sweep.shape)
    return list(np.clip(np.rint(gain * (sweep + noise)), 0, 255).astype(np.uint8)), ground_truth
