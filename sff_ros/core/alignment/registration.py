"""Register two images of one scene that differ in focus, by correlation.

The enhanced correlation coefficient (Evangelidis and Psarakis, PAMI 2008) compares images of
mean 0 and norm 1, so it is invariant to exposure; blur is symmetric and does not bias it. The
steps are inverse compositional (Baker and Matthews, IJCV 2004), coarse to fine: gradients are
those of the first image, once a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.homography import condition, inverse, product, solve
from sff_ros.core.image import FloatMap, Image, Warp

Moments = npt.NDArray[np.float64]
Model = Literal['similarity', 'homography']

FINEST_PX = 400  # longer side of the finest level, up to twice this: sufficient for 1/20 px
COARSEST_PX = 48
SMOOTHING_PX = 1.0  # of every level: makes sharp and blurred images comparable
FINE_LEVELS = 2  # levels on which a homography is estimated
STEPS = 12  # most iterations on a level
ASTRAY = 0.5  # of half the longer side: a step that moves a corner by more has diverged
STILL_PX = 0.02  # of a level: a step that moves no corner by more has converged
WORST_CONDITION = 1e10  # of the normal equations: above, there is no texture
BLOCKS = (8, 8)  # across and down, in which two warps are compared
QUIET = 0.1  # of the mean difference: blocks that differ by less in both are ignored
MARGIN_PX = 2  # of a level, along its border, where gradients are invalid


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """An image at one resolution.

    Attributes:
        image: (h, w) float32 grey, smoothed.
        shrink: px of the full image per px of this level.
    """

    image: FloatMap
    shrink: float


Levels = tuple[Level, ...]


def pyramid(image: Image) -> Levels:
    """Return an image at halving resolutions, the coarsest first.

    Args:
        image: (H, W) or (H, W, 3), uint8 or uint16.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reduced, shrink = grey.astype(np.float32), 1
    levels = []
    while True:
        longer = max(reduced.shape)
        if longer < 2 * FINEST_PX:
            smooth = cast('FloatMap', cv2.GaussianBlur(reduced, (0, 0), SMOOTHING_PX))
            levels.append(Level(smooth, shrink))
        if longer < 2 * COARSEST_PX or min(reduced.shape) < 32:
            return tuple(levels[::-1])
        height, width = (side // 2 for side in reduced.shape)
        # Whole blocks only, so that a px here is the mean of 2 x 2 there.
        even = reduced[: 2 * height, : 2 * width]
        reduced = cast('FloatMap', cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
        shrink *= 2


def register(first: Levels, second: Levels, start: Warp, model: Model) -> Warp:
    """Estimate the warp from the first image to the second.

    Args:
        first, second: pyramids of images of one size.
        start: (3, 3) first guess.
        model: kind of warp to estimate, relative to the start.

    Returns:
        (3, 3) homography, from px of the first to px of the second, pixel centres at whole
        numbers; `start` where the first image has no texture.
    """
    warp = start
    for above, (a, b) in enumerate(zip(first, second, strict=True)):
        to_level = _to_level(a.shrink)
        at_level = product(to_level, warp, inverse(to_level))
        # A coarse level has too few pixels for eight parameters.
        coarse = above < len(first) - FINE_LEVELS
        at_level = _refine(a.image, b.image, at_level, 'similarity' if coarse else model)
        warp = product(inverse(to_level), at_level, to_level)
    found: Warp = warp / warp[2, 2]
    return found


def correlation(first: Level, second: Level, warp: Warp) -> float:
    """Return how well the second image, warped, matches the first: -1..1; 0 without texture."""
    to_level = _to_level(first.shrink)
    at_level = product(to_level, warp, inverse(to_level))
    common = _covariance(_rows(first.image), second.image, at_level)
    return float(common[0, 1] / (_norm(common[0, 0]) * _norm(common[1, 1])))


def share_better(first: Level, second: Level, warp: Warp, than: Warp) -> float:
    """Return in which share of the image one warp matches better than another, 0..1.

    A moving object may win the correlation, but only where it is.

    Args:
        first, second: of one size.
        warp, than: (3, 3) from px of the first to px of the second, full size.
    """
    here, there = (_standard(level.image) for level in (first, second))
    height, width = here.shape
    to_level = _to_level(first.shrink)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    differences = []
    for one in (warp, than):
        at_level = product(to_level, one, inverse(to_level))
        seen = cv2.warpPerspective(
            there, at_level, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        differences.append(cv2.resize((here - seen) ** 2, BLOCKS, interpolation=cv2.INTER_AREA))
    either = np.maximum(*differences)
    differ = either > QUIET * float(either.mean())
    return float((differences[0] < differences[1])[differ].mean()) if differ.any() else 0.0


def _standard(image: FloatMap) -> FloatMap:
    """Return an image of mean 0 and deviation 1."""
    mean, deviation = cv2.meanStdDev(image)
    return (image - np.float32(mean[0, 0])) / np.float32(max(deviation[0, 0], 1e-6))


def _to_level(shrink: float) -> Warp:
    """Return full image -> level: a pixel here is centred on the block that it averages."""
    offset = (1 - shrink) / (2 * shrink)
    return np.array([[1 / shrink, 0, offset], [0, 1 / shrink, offset], [0, 0, 1.0]])


def _refine(first: FloatMap, second: FloatMap, warp: Warp, model: Model) -> Warp:
    """Iterate to convergence; return the given warp if it diverges."""
    height, width = first.shape
    scale = max(height, width) / 2
    centre = np.array([[scale, 0, (width - 1) / 2], [0, scale, (height - 1) / 2], [0, 0, 1.0]])
    rows = _rows(first, _gradients(first, model))
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1.0]]).T
    start = warp
    # The correlation itself is too noisy to stop by: OpenCV rounds samples to 1/32 px.
    for _ in range(STEPS):
        step = _step(_covariance(rows, second, warp), model)
        if step is None:
            return start
        moved = product(step, corners)
        reach = np.abs(moved[:2] / moved[2] - corners[:2]).max()
        if reach > ASTRAY:
            return start
        warp = product(warp, centre, inverse(step), inverse(centre))
        if reach * scale < STILL_PX:
            break
    return warp


def _rows(first: FloatMap, gradients: FloatMap | None = None) -> FloatMap:
    """Return (3 + K, h, w): the first image, room for the second, K gradients, and ones."""
    count = 0 if gradients is None else len(gradients)
    rows = np.empty((3 + count, *first.shape), np.float32)
    # The mean is subtracted so that sums of products keep their precision.
    np.subtract(first, np.float32(first.mean(dtype=np.float64)), out=rows[0])
    rows[2:-1] = gradients if gradients is not None else 0
    rows[-1] = 1
    return rows


def _covariance(rows: FloatMap, second: FloatMap, warp: Warp) -> Moments:
    """Return sums of products, minus their means, over the pixels that both images cover.

    Args:
        rows: of the first image; rows[1] is overwritten.
        second: (h, w) the other image.
        warp: from px of the first to px of the second.

    Returns:
        (2 + K, 2 + K): the first image, the second, and the gradients.
    """
    height, width = second.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    less = second - np.float32(second.mean(dtype=np.float64))
    rows[1] = cv2.warpPerspective(less, warp, (width, height), flags=flags)
    common = rows[(slice(None), *_common(second.shape, warp))].transpose(1, 0, 2)
    sums = np.empty((len(rows), len(rows)))
    for k in range(len(rows)):
        # Lines in float32, their sum in float64; in NumPy's own loops (core/homography).
        lines = np.einsum('rw,rlw->rl', common[:, k], common[:, k:])
        sums[k, k:] = sums[k:, k] = lines.sum(axis=0, dtype=np.float64)
    mean = sums[-1:] / max(sums[-1, -1], 1.0)
    covariance: Moments = (sums - mean.T * sums[-1:])[:-1, :-1]
    return covariance


def _common(shape: tuple[int, ...], warp: Warp) -> tuple[slice, slice]:
    """Return the window of the first image, lines and columns, that the second covers.

    The largest axis-aligned one within the second's outline, for rotations of a few degrees.
    """
    height, width = shape
    right, bottom = width - 1, height - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1.0]]).T
    there = product(inverse(warp), corners)
    x, y = there[:2] / there[2]
    left, top = max(0.0, x[0], x[2]), max(0.0, y[0], y[1])
    right, bottom = min(right, x[1], x[3]), min(bottom, y[2], y[3])
    margin = MARGIN_PX
    lines = slice(int(np.ceil(top)) + margin, max(int(np.floor(bottom)) + 1 - margin, 0))
    columns = slice(int(np.ceil(left)) + margin, max(int(np.floor(right)) + 1 - margin, 0))
    return lines, columns


def _norm(variance: float) -> float:
    return max(float(np.sqrt(max(variance, 0.0))), 1e-6)


def _gradients(first: FloatMap, model: Model) -> FloatMap:
    """Return (K, h, w): how the image changes with each parameter of the warp."""
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


def _step(covariance: Moments, model: Model) -> Warp | None:
    """Return the (3, 3) step of the first image towards the other; None without texture.

    Equations 26 and 27 of Evangelidis and Psarakis, with the images' roles exchanged.

    Args:
        covariance: (2 + K, 2 + K) of the first image, the other, and the first's gradients.
        model: whose K parameters the gradients are for.
    """
    contrast, other = _norm(covariance[0, 0]), _norm(covariance[1, 1])
    hessian = covariance[2:, 2:] / contrast**2
    if not np.isfinite(hessian).all() or condition(hessian) > WORST_CONDITION:
        return None
    a, b = covariance[2:, 0] / contrast**2, covariance[2:, 1] / (contrast * other)
    toward_a = solve(hessian, a)
    common = max(float(covariance[0, 1] / (contrast * other) - (b * toward_a).sum()), 1e-6)
    gain = (1 - float((a * toward_a).sum())) / common
    return _as_warp(solve(hessian, gain * b - a), model)


def _as_warp(p: npt.NDArray[np.float64], model: Model) -> Warp:
    if model == 'similarity':
        return np.array([[1 + p[2], -p[3], p[0]], [p[3], 1 + p[2], p[1]], [0, 0, 1]])
    return np.array([[1 + p[2], p[3], p[0]], [p[4], 1 + p[5], p[1]], [p[6], p[7], 1]])
