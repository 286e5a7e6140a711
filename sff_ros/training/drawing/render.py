"""Fast rendering of focal stacks through a thin lens, for training.

The optics are those of core/optics/rendering.py. Large blur is approximated: depth bins of
similar blur are blurred together, and large discs at half or quarter resolution, without visible
loss at 8 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import (
    PSF_SIGMA_PX,
    Layer,
    SplitLayer,
    blur_kernel,
    kernel_reach,
    lay_over,
    split_layer,
)

FINE_PX, GROWTH = 0.1, 0.08  # steps of the blur radius: px below about 1 px, a share above
HALVE_PX = 5.0  # radius from which half the resolution is used; from twice that, a quarter
BIN_PX, LEAST_STEP = 0.35, 0.12  # blur between two depth bins, px; positions
FINE_GRID = 8  # supersampling of a cat-eye aperture per axis
ROUND_PX = 0.5  # radius up to which the shape of the aperture does not show


@dataclass(frozen=True, slots=True)
class CatEye:
    """An aperture off the optical axis: where two discs of equal radius overlap.

    Attributes:
        apart: distance between their centres, radii, 0 to below 2.
        angle: direction from the lens's disc to that of its barrel, radians.
    """

    apart: float
    angle: float


def render_sweep(
    layers: Sequence[Layer],
    places: Sequence[float],
    blur_px: float,
    size: int,
    sigma_px: float = PSF_SIGMA_PX,
    cat_eye: CatEye | None = None,
    shifts: npt.NDArray[np.intp] | None = None,
) -> FloatMap:
    """Render the images of a sweep.

    Args:
        layers: far to near; their `dioptres` are canonical positions.
        places: S canonical positions, the focus of each slice.
        blur_px: growth of the blur radius, px per canonical position.
        size: side of the image, px.
        sigma_px: standard deviation of the blur of a point in focus, px.
        cat_eye: shape of the aperture; round if None.
        shifts: (S, layers, 2) movement of each layer in each slice, x and y, whole px.

    Returns:
        (S, size, size, 3) linear light. Where blur reveals areas that no layer covers, the
        surroundings fill in.
    """
    step = max(BIN_PX / blur_px, LEAST_STEP)
    split = [split_layer(layer, step) for layer in layers]
    if shifts is None:
        shifts = np.zeros((len(places), len(layers), 2), np.intp)
    images = []
    for place, moves in zip(places, shifts.tolist(), strict=True):
        canvas = np.zeros((size, size, 4), np.float32)
        lens = _Lens(place, blur_px, sigma_px, cat_eye)
        for layer, move in zip(split, moves, strict=True):
            _lay_blurred(canvas, layer, lens, move)
        images.append(_opaque(canvas))
    return np.stack(images)


@dataclass(frozen=True, slots=True)
class _Lens:
    """A lens in one slice: see render_sweep."""

    place: float
    blur_px: float
    sigma_px: float
    cat_eye: CatEye | None

    def kernel_of(self, place: float) -> tuple[int, bool]:
        """Return the radius index at a place, and whether the kernel is turned around."""
        radius = self.blur_px * abs(place - self.place)
        return _radius_index(radius), self.cat_eye is not None and place > self.place


def _opaque(canvas: FloatMap) -> FloatMap:
    return np.asarray(canvas[..., :3] / np.maximum(canvas[..., 3:], 1e-4), np.float32)


def _lay_blurred(canvas: FloatMap, layer: SplitLayer, lens: _Lens, move: tuple[int, int]) -> None:
    """Blur a layer, bins of similar radius together, and composite it over the canvas."""
    groups: dict[tuple[int, bool], list[Layer]] = {}
    for part, where in layer.bins:
        groups.setdefault(lens.kernel_of(where), []).append(part)
    if not groups:
        return
    pad = math.ceil(_radius(max(groups)[0]) + 3 * lens.sigma_px) + 8
    total = np.zeros((layer.height + 2 * pad, layer.width + 2 * pad, 4), np.float32)
    for (index, turned), parts in groups.items():
        left = min(part.x for part in parts) - layer.x + pad
        top = min(part.y for part in parts) - layer.y + pad
        right = max(part.x + part.rgba.shape[1] for part in parts) - layer.x + pad
        bottom = max(part.y + part.rgba.shape[0] for part in parts) - layer.y + pad
        margin = min(pad, math.ceil(_radius(index) + 3 * lens.sigma_px) + 8)
        left, top, right, bottom = left - margin, top - margin, right + margin, bottom + margin
        sum_ = np.zeros((bottom - top, right - left, 4), np.float32)
        for part in parts:
            x, y = part.x - layer.x + pad - left, part.y - layer.y + pad - top
            sum_[y : y + part.rgba.shape[0], x : x + part.rgba.shape[1]] += part.rgba
        total[top:bottom, left:right] += _blurred(sum_, index, turned, lens)
    total /= np.maximum(total[..., 3:], 1)
    lay_over(canvas, total, layer.x - pad + move[0], layer.y - pad + move[1])


def _blurred(image: FloatMap, index: int, turned: bool, lens: _Lens) -> FloatMap:
    """Blur an image with a margin by the disc of that radius, at the resolution needed."""
    radius = _radius(index)
    shrink = 1 if radius < HALVE_PX else 2 if radius < 2 * HALVE_PX else 4
    if shrink == 1:
        kernel = _kernel(radius, lens.sigma_px, lens.cat_eye, turned)
        blurred = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, np.float32)
    height, width = image.shape[:2]
    rows, columns = -height % shrink, -width % shrink
    even = cv2.copyMakeBorder(image, 0, rows, 0, columns, cv2.BORDER_CONSTANT)
    size = even.shape[1], even.shape[0]
    small = cv2.resize(even, (size[0] // shrink, size[1] // shrink), interpolation=cv2.INTER_AREA)
    kernel = _kernel(radius / shrink, PSF_SIGMA_PX, lens.cat_eye, turned)
    small = cv2.filter2D(small, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    full = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return full[:height, :width]


def _radius_index(radius_px: float) -> int:
    """Return the index of the nearest radius; steps grow from FINE_PX to a share of GROWTH."""
    return round(math.log1p(radius_px * GROWTH / FINE_PX) / GROWTH)


def _radius(index: int) -> float:
    return math.expm1(index * GROWTH) * FINE_PX / GROWTH


@lru_cache(maxsize=1024)
def _kernel(radius_px: float, sigma_px: float, cat_eye: CatEye | None, turned: bool) -> FloatMap:
    if cat_eye is None or radius_px < ROUND_PX:
        return blur_kernel(radius_px, sigma_px)
    far = kernel_reach(radius_px, sigma_px)
    fine = (np.arange((2 * far + 1) * FINE_GRID) + 0.5) / FINE_GRID - far - 0.5
    x, y = fine[None], fine[:, None]
    apart = radius_px * cat_eye.apart * (-1 if turned else 1)
    other = (x - apart * math.cos(cat_eye.angle)) ** 2 + (y - apart * math.sin(cat_eye.angle)) ** 2
    both = (x**2 + y**2 < radius_px**2) & (other < radius_px**2)
    side = 2 * far + 1
    kernel = cv2.resize(both.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    blurred = np.asarray(cv2.GaussianBlur(kernel, (0, 0), sigma_px), np.float32)
    return np.asarray(blurred / blurred.sum(), np.float32)
