"""The warp between two pictures of one scene that differ in focus, found by correlation.

The enhanced correlation coefficient (Evangelidis and Psarakis, PAMI 2008) compares pictures of
mean 0 and norm 1, so that exposure does not matter; blur is symmetric and does not move it. The
steps are inverse compositional (Baker and Matthews, IJCV 2004), coarse to fine: gradients are
those of the first picture, once a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus_map import FloatMap
from sff_ros.core.stack import Image

Warp: TypeAlias = 'npt.NDArray[np.float64]'
Model = Literal['similarity', 'homography']

FINEST_PX = 400  # longer side of the finest level, up to twice this: enough for 1/20 px
COARSEST_PX = 48
SMOOTHING_PX = 1.0  # of every level: what sharp and blurred pictures have in common
FINE_LEVELS = 2  # on which a homography is looked for
STEPS = 12  # of a level at most
ASTRAY = 0.5  # of half the longer side: a step that moves a corner by more found nothing
STILL_PX = 0.02  # of a level: a step that moves no corner by more is the last
WORST_CONDITION = 1e10  # of the normal equations: beyond, there is no texture
MARGIN_PX = 2  # of a level, along its border: gradients there are of the border


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A picture at one resolution.

    Attributes:
        picture: (h, w) float32 grey, smoothed.
        shrink: px of the full picture that one px here is.
    """

    picture: FloatMap
    shrink: float


def pyramid(image: Image) -> list[Level]:
    """Return a picture at halving resolutions, the coarsest first.

    Args:
        image: (H, W) or (H, W, 3), uint8 or uint16.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    picture, shrink = grey.astype(np.float32), 1
    levels = []
    while True:
        longer = max(picture.shape)
        if longer < 2 * FINEST_PX:
            smooth = cast('FloatMap', cv2.GaussianBlur(picture, (0, 0), SMOOTHING_PX))
            levels.append(Level(smooth, shrink))
        if longer < 2 * COARSEST_PX or min(picture.shape) < 32:
            return levels[::-1]
        height, width = (side // 2 for side in picture.shape)
        # Whole blocks only, so that a px here is the mean of 2 x 2 there.
        even = picture[: 2 * height, : 2 * width]
        picture = cast('FloatMap', cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
        shrink *= 2


def register(first: list[Level], second: list[Level], start: Warp, model: Model) -> Warp:
    """Find where each pixel of the first picture is in the second.

    Args:
        first, second: pyramids of pictures of one size.
        start: (3, 3) first guess.
        model: what kind of warp to look for beside the start.

    Returns:
        (3, 3) homography, from px of the first to px of the second, pixel centres at whole
        numbers; `start` where the first picture has no texture.
    """
    warp = start
    for above, (a, b) in enumerate(zip(first, second, strict=True)):
        to_level = _to_level(a.shrink)
        at_level = to_level @ warp @ np.linalg.inv(to_level)
        # Eight numbers are too many for the few pixels of a coarse level.
        coarse = above < len(first) - FINE_LEVELS
        at_level = _refine(a.picture, b.picture, at_level, 'similarity' if coarse else model)
        warp = np.linalg.inv(to_level) @ at_level @ to_level
    found: Warp = warp / warp[2, 2]
    return found


def correlation(first: Level, second: Level, warp: Warp) -> float:
    """Return how well the second picture, warped, matches the first: -1..1; 0 without texture."""
    to_level = _to_level(first.shrink)
    at_level = to_level @ warp @ np.linalg.inv(to_level)
    seen, inside = _warped(second.picture, at_level)
    here, there = _centred(first.picture, inside), _centred(seen, inside)
    return _inner(here / _norm(here), there / _norm(there))


def _to_level(shrink: float) -> Warp:
    """Return full picture -> level: the first pixel here is centred between its shrink ones."""
    offset = (1 - shrink) / (2 * shrink)
    return np.array([[1 / shrink, 0, offset], [0, 1 / shrink, offset], [0, 0, 1.0]])


def _refine(first: FloatMap, second: FloatMap, warp: Warp, model: Model) -> Warp:
    """Take steps until they are small."""
    height, width = first.shape
    scale = max(height, width) / 2
    centre = np.array([[scale, 0, (width - 1) / 2], [0, scale, (height - 1) / 2], [0, 0, 1.0]])
    gradients = _gradients(first, model)
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1.0]]).T
    start = warp
    # The correlation itself is no guide: OpenCV places samples to 1/32 px, which shakes it.
    for _ in range(STEPS):
        seen, inside = _warped(second, warp)
        here, there = _centred(first, inside), _centred(seen, inside)
        contrast = _norm(here)
        gradient = _centred(gradients, inside) / contrast
        step = _step(gradient, here / contrast, there / _norm(there), model)
        if step is None:
            return start
        moved = step @ corners
        reach = np.abs(moved[:2] / moved[2] - corners[:2]).max()
        if reach > ASTRAY:
            return start
        warp = warp @ centre @ np.linalg.inv(step) @ np.linalg.inv(centre)
        if reach * scale < STILL_PX:
            break
    return warp


def _warped(picture: FloatMap, warp: Warp) -> tuple[FloatMap, FloatMap]:
    """Return the picture in the other's frame, and 1 where both have pixels, else 0."""
    height, width = picture.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(
        picture, warp, (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=-1
    )
    inside = (seen >= 0).astype(np.float32)  # grey levels are not negative
    margin = MARGIN_PX
    inside[:margin] = inside[-margin:] = 0
    inside[:, :margin] = inside[:, -margin:] = 0
    return cast('FloatMap', seen), inside


def _centred(pictures: FloatMap, inside: FloatMap) -> FloatMap:
    """Return (..., h, w) pictures of mean 0 over the pixels inside, 0 elsewhere."""
    count = max(float(inside.sum()), 1.0)
    mean = np.sum(pictures * inside, axis=(-2, -1), keepdims=True) / np.float32(count)
    centred: FloatMap = (pictures - mean) * inside
    return centred


def _norm(centred: FloatMap) -> np.float32:
    return np.float32(max(float(np.sqrt(_inner(centred, centred))), 1e-6))


def _gradients(first: FloatMap, model: Model) -> FloatMap:
    """Return (K, h, w): how the picture changes with each parameter of the warp."""
    height, width = first.shape
    scale = np.float32(max(height, width) / 2)
    x = (np.arange(width, dtype=np.float32)[None] - np.float32((width - 1) / 2)) / scale
    y = (np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)) / scale
    # A unit is half the longer side; Sobel's weights sum up to 8.
    gx = cast('FloatMap', cv2.Sobel(first, cv2.CV_32F, 1, 0, scale=float(scale) / 8))
    gy = cast('FloatMap', cv2.Sobel(first, cv2.CV_32F, 0, 1, scale=float(scale) / 8))
    if model == 'similarity':
        return np.stack([gx, gy, gx * x + gy * y, gy * x - gx * y]).astype(np.float32)
    inward = -(gx * x + gy * y)
    return np.stack([gx, gy, gx * x, gx * y, gy * x, gy * y, inward * x, inward * y]).astype(
        np.float32
    )


def _step(gradients: FloatMap, here: FloatMap, there: FloatMap, model: Model) -> Warp | None:
    """Return the (3, 3) step of the first picture towards the other; None without texture.

    Equations 26 and 27 of Evangelidis and Psarakis, with the pictures' roles exchanged.

    Args:
        gradients: (K, h, w) of `here`.
        here, there: (h, w) mean 0, norm 1.
    """
    flat = gradients.reshape(len(gradients), -1)
    hessian = np.einsum('in,jn->ij', flat, flat).astype(float)
    if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > WORST_CONDITION:
        return None
    a, b = flat @ here.ravel(), flat @ there.ravel()
    toward_a = np.linalg.solve(hessian, a)
    common = max(_inner(here, there) - float(b @ toward_a), 1e-6)
    gain = (1 - float(a @ toward_a)) / common
    return _as_warp(np.linalg.solve(hessian, gain * b - a), model)


def _inner(a: FloatMap, b: FloatMap) -> float:
    return float((a * b).sum())


def _as_warp(p: npt.NDArray[np.float64], model: Model) -> Warp:
    if model == 'similarity':
        return np.array([[1 + p[2], -p[3], p[0]], [p[3], 1 + p[2], p[1]], [0, 0, 1]])
    return np.array([[1 + p[2], p[3], p[0]], [p[4], 1 + p[5], p[1]], [p[6], p[7], 1]])
