"""Scenes of the robustness suite in which objects or the camera move during the sweep.

The ground truth is the scene as it was at mid-sweep, which is what a focus map is stamped with.
"""

from __future__ import annotations

import numpy as np

from sff_ros.cli.evaluation.drawn_scene import (
    BLUR_PX,
    EVEN,
    MARGIN_PX,
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
from sff_ros.cli.evaluation.drawn_surfaces import objects, polygon, surface, texture


def jump(frame: Frame) -> DrawnScene:
    """Draw two objects that jump by 12 px between two slices, on a ground that does not."""
    after = [12 * (index > 5) for index in range(SLICES)]
    return _moving(frame, (4.0, 10.5), (after, after))


def steady_motion(frame: Frame) -> DrawnScene:
    """Draw an object that moves 3 px a slice, on a ground that does not."""
    return _moving(frame, (9.0,), ([3 * (index - SLICES // 2) for index in range(SLICES)],))


def knocked_camera(frame: Frame) -> DrawnScene:
    """Draw a camera that is knocked once, by a quarter of the image."""
    rng, by_px = np.random.default_rng(frame.seed), frame.width // 4
    view = frame.view(MARGIN_PX + by_px)
    layers = objects(rng, view)
    path = [by_px * (index < 6) for index in range(SLICES)]  # the frame is that of mid-sweep
    images = exposed(rng, take(layers, view, EVEN, [path] * len(layers)))
    position = position_of(seen(layers, view)[0], EVEN)
    x, _ = view.grid()
    both = x[view.inside] < frame.width - by_px
    return DrawnScene(images, position, view.everywhere(), away(depth_edges(position), 2) & both)


def _moving(frame: Frame, places: tuple[float, ...], paths: tuple[list[int], ...]) -> DrawnScene:
    """Draw square objects that move; judged is where one is in any slice."""
    rng, view = np.random.default_rng(frame.seed), frame.view()
    x, _ = view.grid()
    layers = [surface(texture(rng, view.canvas), 1.0 + 1.5 * x / frame.width)]
    half = 0.19 * frame.height
    for index, place in enumerate(places):
        left = frame.width * (index + 1) / (len(places) + 1) - half - 6
        top = frame.height / 2 - half
        corners = [(left, top), (left + 2 * half, top)]
        corners += [(left + 2 * half, top + 2 * half), (left, top + 2 * half)]
        cover = polygon(view, corners)
        layers.append(surface(texture(rng, view.canvas), place, cover))
    ways = [[0] * SLICES, *paths]
    images = exposed(rng, take(layers, view, EVEN, ways))
    fronts = [
        seen(layers, view, [way[index] for way in ways])[1][1:].any(axis=0)
        for index in range(SLICES)
    ]
    swept = np.any(fronts, axis=0)
    middle = [way[SLICES // 2] for way in ways]
    position = position_of(seen(layers, view, middle)[0], EVEN)
    knowable = away(swept, BLUR_PX * max(places) + REACH_PX)
    return DrawnScene(images, position, swept, knowable)
