"""Take focal stacks of drawn surfaces, with exact ground truth.

A place is a focus position: places 0 and 14 are those of the first and the last slice of an
ordinary sweep, larger is nearer. Light is linear until the tone curve of the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from sff_ros.core.image import FloatMap, Floats, Mask, RgbImage
from sff_ros.core.optics.rendering import BIN_STEP_PX, Layer, render, split_layer

SLICES = 15
LAST = SLICES - 1.0
BLUR_PX = 0.6  # growth of the blur radius a place
GAMMA = 2.2
NOISE = 1.0  # grey levels
MARGIN_PX = 16  # of the surfaces beyond the image, so that its border shows their blur
REACH_PX = 8  # of the focus measure and its smoothing beyond a blurred outline
TOLERANCE = 1e-3  # positions
EVEN = np.arange(SLICES, dtype=np.float64)  # places of an ordinary sweep

Paths = Sequence[Sequence[int]]  # of each layer, px to the right in each slice


@dataclass(frozen=True, slots=True, eq=False)
class DrawnScene:
    """A focal stack with its ground truth.

    Attributes:
        images: (H, W, 3) uint8, in the order of the sweep.
        position: (H, W) ground truth, slice position at mid-sweep; -Inf and +Inf beyond the
            first and the last slice; NaN where no position is right.
        judged: (H, W), what the scene is about: where published positions are compared.
        knowable: (H, W), surfaces whose position the images determine; empty if there are none.
    """

    images: tuple[RgbImage, ...]
    position: FloatMap
    judged: Mask
    knowable: Mask


@dataclass(frozen=True, slots=True)
class View:
    """The image, inside a canvas with a margin on all sides.

    Attributes:
        width, height: of the image, px.
        margin: of the canvas on each side, px.
    """

    width: int
    height: int
    margin: int = MARGIN_PX

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the canvas, px."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def inside(self) -> tuple[slice, slice]:
        """Where the image is in the canvas."""
        m = self.margin
        return slice(m, m + self.height), slice(m, m + self.width)

    def everywhere(self) -> Mask:
        """Return all pixels of the image."""
        return np.ones((self.height, self.width), bool)

    def grid(self) -> tuple[FloatMap, FloatMap]:
        """Return x and y of each pixel of the canvas, in pixels of the image."""
        rows, columns = self.canvas
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        return x - np.float32(self.margin), y - np.float32(self.margin)


@dataclass(frozen=True, slots=True)
class Frame:
    """Size of the images and the seed of a draw.

    Attributes:
        width, height: px.
        seed: a number of its own for each draw.
    """

    width: int
    height: int
    seed: int

    def view(self, margin: int = MARGIN_PX) -> View:
        """Return the view of that size."""
        return View(self.width, self.height, margin)


def take(
    layers: Sequence[Layer],
    view: View,
    focus: Floats,
    paths: Paths | None = None,
    blur_px: float = BLUR_PX,
) -> list[FloatMap]:
    """Return the linear light of the images of a sweep, (H, W, 3) each.

    Args:
        layers: far to near, on the canvas; `dioptres` are places.
        view: of the image.
        focus: (S,) places of the slices.
        paths: of each layer; None: nothing moves.
        blur_px: growth of the blur radius a place, px; 0 for a pinhole.
    """
    step = BIN_STEP_PX / max(blur_px, 1e-3)
    split = [split_layer(layer, step) for layer in layers]
    window = (view.margin, view.margin, view.width, view.height)
    images = []
    for index, at in enumerate(focus.tolist()):
        now = (
            split
            if paths is None
            else [part.moved(path[index]) for part, path in zip(split, paths, strict=True)]
        )
        images.append(render(now, window, partial(_radius, blur_px, at)))
    return images


def _radius(blur_px: float, focus: float, place: float) -> float:
    return blur_px * abs(place - focus)


def seen(
    layers: Sequence[Layer], view: View, shifts: Sequence[int] | None = None
) -> tuple[FloatMap, Mask]:
    """Return what a pinhole sees.

    Args:
        layers: far to near.
        view: of the image.
        shifts: px to the right of each layer; None: none.

    Returns:
        (H, W) places, NaN where there is no layer, and (L, H, W) where each layer is in front.
    """
    place = np.full(view.canvas, np.nan, np.float32)
    owner = np.full(view.canvas, -1)
    for index, layer in enumerate(layers):
        moved = layer if shifts is None else replace(layer, x=layer.x + shifts[index])
        left, top = max(moved.x, 0), max(moved.y, 0)
        alpha = moved.rgba[top - moved.y :, left - moved.x :, 3]
        alpha = alpha[: view.canvas[0] - top, : view.canvas[1] - left]
        window = np.s_[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        here = alpha >= 0.5
        depth = moved.dioptres[top - moved.y :, left - moved.x :]
        place[window][here] = depth[: alpha.shape[0], : alpha.shape[1]][here]
        owner[window][here] = index
    return place[view.inside], np.stack(
        [owner[view.inside] == index for index in range(len(layers))]
    )


def position_of(place: FloatMap, focus: Floats) -> FloatMap:
    """Return slice positions of places, -Inf and +Inf beyond the ends of the sweep."""
    inside = np.interp(place, focus, np.arange(len(focus)))
    inside[place < focus[0] - TOLERANCE] = -np.inf
    inside[place > focus[-1] + TOLERANCE] = np.inf
    return np.asarray(inside, np.float32)


def exposed(
    rng: np.random.Generator, lights: Sequence[FloatMap], noise: float = NOISE
) -> tuple[RgbImage, ...]:
    """Return the images (H, W, 3) of a camera: clipping, tone curve, noise, 8 bits."""
    images = []
    for light in lights:
        tone = 255 * np.clip(light, 0, 1) ** (1 / GAMMA)
        grey = tone + noise * rng.standard_normal(light.shape, np.float32)
        images.append(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return tuple(images)


def away(mask: Mask, distance_px: float) -> Mask:
    """Return where no pixel of the mask is within a distance, px."""
    if not mask.any():
        return np.ones(mask.shape, bool)
    far: Mask = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) > distance_px
    return far


def depth_edges(position: FloatMap) -> Mask:
    """Return the pixels on either side of a step of more than a slice, (H, W) slice positions."""
    # Any two numbers more than a slice apart from all others serve for what is no position.
    level = np.nan_to_num(position, nan=-300.0, posinf=300.0, neginf=-200.0)
    edge = np.zeros(position.shape, bool)
    across = np.abs(np.diff(level, axis=1)) > 1
    down = np.abs(np.diff(level, axis=0)) > 1
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
