"""The camera of a path-traced scene: where a pixel and a canonical position are in space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sff_ros.core.image import Floats
from sff_ros.training.drawing.ranges import SampleRange, log_uniform
from sff_ros.training.drawing.scenes import LAST
from sff_ros.training.drawing.textures import Rng

FARTHEST = 1.0  # dioptres of the first slice: sets the unit of length, nothing else
NEAREST = (1.25, 3.5)  # of the last slice
FOCAL_PX = (1.0, 2.5)  # sides of the image
WIDEST = 0.1  # aperture radius; a wider lens would look around everything


@dataclass(frozen=True, slots=True)
class View:
    """A camera at the origin that looks along z; x goes left and y up in the image.

    Attributes:
        size: side of the image, px.
        focal_px: focal length, px.
        radius: of the aperture, in units of length.
        focus: (S,) dioptres of the slices, evenly spaced and increasing.
        sigma_px: standard deviation of the blur of a point in focus, px; that of a pixel's own
            area is part of it.
    """

    size: int
    focal_px: float
    radius: float
    focus: Floats
    sigma_px: float

    @property
    def blur_px(self) -> float:
        """Growth of the blur radius, px per position: r = radius * focal_px * |1/z - focus|."""
        return self.radius * self.focal_px * float(self.focus[-1] - self.focus[0]) / LAST

    def distance(self, place: float) -> float:
        """Return the z of a canonical position."""
        first, last = float(self.focus[0]), float(self.focus[-1])
        return 1 / (first + (last - first) * place / LAST)

    def place(self, z: Floats) -> Floats:
        """Return the canonical position of each z."""
        first, last = float(self.focus[0]), float(self.focus[-1])
        return np.asarray((1 / z - first) / (last - first) * LAST)

    def point(self, x_px: float, y_px: float, place: float) -> Floats:
        """Return (3,) the point that is seen at a pixel at a position."""
        z, middle = self.distance(place), self.size / 2
        slopes = (middle - x_px) / self.focal_px, (middle - y_px) / self.focal_px
        return np.array([*slopes, 1.0]) * z

    def length(self, px: float, place: float) -> float:
        """Return the length that spans so many pixels at a position."""
        return px * self.distance(place) / self.focal_px


def draw_view(rng: Rng, ranges: SampleRange, size: int, slices: int) -> View:
    """Choose a lens and the depth that its sweep covers."""
    focal_px = size * rng.uniform(*FOCAL_PX)
    nearest = log_uniform(rng, NEAREST)
    blur_px = log_uniform(rng, ranges.blur_px)
    radius = blur_px * LAST / (focal_px * (nearest - FARTHEST))
    sigma_px = float(rng.uniform(0.35, 0.8))
    if radius > WIDEST:
        nearest = min(FARTHEST + blur_px * LAST / (focal_px * WIDEST), NEAREST[1])
        radius = min(blur_px * LAST / (focal_px * (nearest - FARTHEST)), 1.2 * WIDEST)
    return View(size, focal_px, radius, np.linspace(FARTHEST, nearest, slices), sigma_px)


def margin_px(view: View) -> int:
    """Return how far outside the image there are rays that reach it in some slice."""
    return math.ceil(view.blur_px * LAST / 2 + 3 * view.sigma_px) + 1
