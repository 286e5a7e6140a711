"""Render random path-traced scenes to a folder, each once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.training.drawing.ranges import SampleRange
from sff_ros.training.drawing.textures import Textures
from sff_ros.training.traced.files import TracedScene, write_traced
from sff_ros.training.traced.light_field import trace_illumination, trace_sweep
from sff_ros.training.traced.scenes import draw_traced_scene
from sff_ros.training.traced.surfaces import trace_surfaces
from sff_ros.training.traced.view import draw_view

RANGES = SampleRange(blur_px=(0.25, 5.0))
USUAL, SLICES = 0.5, (8, 30)  # share of the sweeps of 15 slices; range of the others
LIGHT_RAYS = 64  # per pixel, for illumination


def render_scene(seed: int, number: int, textures: Textures, size: int, rays: int) -> TracedScene:
    """Draw and render the scene of that number: always the same.

    Args:
        seed: of all scenes.
        number: of the scene.
        textures: of the surfaces.
        size: side of the images, px.
        rays: per pixel, for the whole sweep.
    """
    rng = np.random.default_rng([seed, number])
    slices = POSITIONS if rng.random() < USUAL else int(rng.integers(SLICES[0], SLICES[1] + 1))
    view = draw_view(rng, RANGES, size, slices)
    scene = draw_traced_scene(rng, textures, view)
    start = int(rng.integers(2**20))
    light = trace_illumination(scene, view, LIGHT_RAYS, start)
    sweep, leftover = trace_sweep(scene, view, light, rays, start)
    seen = trace_surfaces(scene, view, light, start)
    return TracedScene(
        sweep, seen.own, seen.reflected, seen.place, seen.lamps, leftover, view.blur_px
    )


def render_missing(
    out: Path, seed: int, number: int, textures: Textures, size: int, rays: int
) -> bool:
    """Render a scene to its file in a folder; return whether it was not there yet."""
    file = out / f'scene_{seed}_{number:06d}.npz'
    if file.exists():
        return False
    write_traced(file, render_scene(seed, number, textures, size, rays))
    return True
