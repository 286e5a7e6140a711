"""Fast rendering of focal stacks through a thin lens, for training.

The optics are those of core/optics/rendering.py. Large blur is approximated: depth bins of
similar blur are blurred together, and large discs at half or quarter resolution, without visible
loss at 8 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import (
    PSF_SIGMA_PX,
    Layer,
    SplitLayer,
    blur_kernel,
    lay_over,
    split_layer,
)

FINE_PX, GROWTH = 0.1, 0.08  # steps of the blur radius: px below about 1 px, a share above
HALVE_PX = 5.0  # radius from which half the resolution is used; from twice that, a quarter
BIN_PX, LEAST_STEP = 0.35, 0.12  # blur between two depth bins, px; positions


def render_sweep(
    layers: Sequence[Layer],
    places: Sequence[float],
    blur_px: float,
    size: int,
    sigma_px: float = PSF_SIGMA_PX,
) -> FloatMap:
    """Render the images of a sweep.

    Args:
        layers: far to near; their `dioptres` are canonical positions.
        places: S canonical positions, the focus of each slice.
        blur_px: growth of the blur radius, px per canonical position.
        size: side of the image, px.
        sigma_px: standard deviation of the blur of a point in focus, px.

    Returns:
        (S, size, size, 3) linear light. Where blur reveals areas that no layer covers, the
        surroundings fill in.
    """
    step = max(BIN_PX / blur_px, LEAST_STEP)
    split = [split_layer(layer, step) for layer in layers]
    return np.stack([_slice(split, place, blur_px, size, sigma_px) for place in places])


def _slice(
    layers: Sequence[SplitLayer], place: float, blur_px: float, size: int, sigma_px: float
) -> FloatMap:
    canvas = np.zeros((size, size, 4), np.float32)
    for layer in layers:
        _lay_blurred(canvas, layer, place, blur_px, sigma_px)
    return np.asarray(canvas[..., :3] / np.maximum(canvas[..., 3:], 1e-4), np.float32)


def _lay_blurred(
    canvas: FloatMap, layer: SplitLayer, place: float, blur_px: float, sigma_px: float
) -> None:
    """Blur a layer, bins of similar radius together, and composite it over the canvas."""
    groups: dict[int, list[Layer]] = {}
    for part, where in layer.bins:
        groups.setdefault(_radius_index(blur_px * abs(where - place)), []).append(part)
    if not groups:
        return
    pad = math.ceil(_radius(max(groups)) + 3 * sigma_px) + 8
    total = np.zeros((layer.height + 2 * pad, layer.width + 2 * pad, 4), np.float32)
    for index, parts in groups.items():
        left = min(part.x for part in parts) - layer.x + pad
        top = min(part.y for part in parts) - layer.y + pad
        right = max(part.x + part.rgba.shape[1] for part in parts) - layer.x + pad
        bottom = max(part.y + part.rgba.shape[0] for part in parts) - layer.y + pad
        margin = min(pad, math.ceil(_radius(index) + 3 * sigma_px) + 8)
        left, top, right, bottom = left - margin, top - margin, right + margin, bottom + margin
        sum_ = np.zeros((bottom - top, right - left, 4), np.float32)
        for part in parts:
            x, y = part.x - layer.x + pad - left, part.y - layer.y + pad - top
            sum_[y : y + part.rgba.shape[0], x : x + part.rgba.shape[1]] += part.rgba
        total[top:bottom, left:right] += _blurred(sum_, index, sigma_px)
    total /= np.maximum(total[..., 3:], 1)
    lay_over(canvas, total, layer.x - pad, layer.y - pad)


def _blurred(image: FloatMap, index: int, sigma_px: float) -> FloatMap:
    """Blur an image with a margin by the disc of that radius, at the resolution needed."""
    radius = _radius(index)
    shrink = 1 if radius < HALVE_PX else 2 if radius < 2 * HALVE_PX else 4
    if shrink == 1:
        kernel = _kernel(radius, sigma_px)
        blurred = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, np.float32)
    height, width = image.shape[:2]
    rows, columns = -height % shrink, -width % shrink
    even = cv2.copyMakeBorder(image, 0, rows, 0, columns, cv2.BORDER_CONSTANT)
    size = even.shape[1], even.shape[0]
    small = cv2.resize(even, (size[0] // shrink, size[1] // shrink), interpolation=cv2.INTER_AREA)
    kernel = _kernel(radius / shrink, PSF_SIGMA_PX)
    small = cv2.filter2D(small, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    full = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return full[:height, :width]


def _radius_index(radius_px: float) -> int:
    """Return the index of the nearest radius; steps grow from FINE_PX to a share of GROWTH."""
    return round(math.log1p(radius_px * GROWTH / FINE_PX) / GROWTH)


def _radius(index: int) -> float:
    return math.expm1(index * GROWTH) * FINE_PX / GROWTH


@lru_cache(maxsize=1024)
def _kernel(radius_px: float, sigma_px: float) -> FloatMap:
    return blur_kernel(radius_px, sigma_px)
