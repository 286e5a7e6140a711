"""Shift of each part of an image between two slices, separated from the change of blur.

Every window is explained by a shift, a change of blur and a change of light, in one least squares
fit (Lucas and Kanade, IJCAI 1981, with two unknowns more):

    a - b = u dg/dx + v dg/dy + c Laplacian(g) + d,   g = (a + b) / 2

Blur spreads light as heat spreads, whose change with time is the Laplacian, so c absorbs the
change of defocus; d absorbs the light of something far more blurred that spreads over the window.
The residual of the fit gives the uncertainty of u and v. The fit is linear in the shift and so
finds one of up to about a pixel: larger ones are found in smaller images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats

CELL = 4  # side of the cells that shifts are given for, px
WINDOW = 3  # side of a window, cells
ALIKE = 8.0  # px that count as one sample, since smoothing correlates neighbours
LEVELS = 2  # images that are searched: the given one, and one of half its size
UNSURE = 1 / 3  # standard deviation above which a shift is unknown, px of its image
CHANCE = 6.0  # standard deviations below which a shift is not significant
FAR = 0.75  # shift, px of its image, that is too far for the next larger image
FARTHEST = 2.0  # shift, px of its image, up to which the fit can be trusted
SMALL = 1.25  # shift, px, up to which a change that it explains is none of its own
SMALLEST = 3 * CELL  # shorter side of an image that is worth a search, px


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """What the fit found in each cell between two slices.

    Attributes:
        shift: (2, h / 4, w / 4) x and y, px.
        variance: (h / 4, w / 4) of the shift, px^2; infinite where unknown.
        left: (h / 4, w / 4) share of the change that the fit leaves, 0..1.
        blur: (h / 4, w / 4) growth of the variance of the blur, px^2.
        detail: (h / 4, w / 4) variance of the Laplacian of both images' mean: most where sharp.
    """

    shift: Floats
    variance: Floats
    left: Floats
    blur: Floats
    detail: Floats

    def enlarged(self, by: int) -> Shifts:
        """Return the same in px of an image that is larger."""
        return replace(
            self, shift=self.shift * by, variance=self.variance * by**2, blur=self.blur * by**2
        )


def shifts(first: FloatMap, second: FloatMap, weight: FloatMap) -> Shifts:
    """Return the shift of each cell from one image to the next, and how well it is known.

    A cell takes the shift of the smallest image that shows a significant one too far for the next
    larger, else that of the given image.

    Args:
        first, second: (h, w) images, a little smoothed.
        weight: (h, w), 0 where there is no image.
    """
    found = _shifts(first, second, weight)
    shift, left = found.shift, found.left
    variance = np.where(found.variance < UNSURE**2, found.variance, np.inf)
    for level in range(1, LEVELS):
        if min(first.shape) < 2 * SMALLEST:
            break
        first, second, weight = (_halved(image) for image in (first, second, weight))
        weight = np.asarray(weight >= 1, np.float32)
        small = _shifts(first, second, weight)
        coarse, spread = small.shift, small.variance
        distance = np.hypot(*coarse)
        far = (spread < UNSURE**2) & (distance > CHANCE * np.sqrt(spread))
        far &= (distance > FAR) & (distance < FARTHEST)
        cells = _repeated(variance.shape, far.shape, 2**level)
        shift = np.where(far[cells], coarse[:, cells[0], cells[1]] * 2**level, shift)
        variance = np.where(far[cells], spread[cells] * 4**level, variance)
        near = distance * 2**level < SMALL
        left = np.minimum(left, np.where(near, small.left, 1)[cells])
    return replace(found, shift=shift, variance=variance, left=left)


def _halved(image: FloatMap) -> FloatMap:
    """Average over whole blocks of 2 x 2."""
    height, width = (side // 2 for side in image.shape)
    even = image[: 2 * height, : 2 * width]
    return cast('FloatMap', cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))


def _repeated(
    shape: tuple[int, ...], small: tuple[int, ...], by: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the row and column, in a map of cells `by` times as large, of each cell."""
    rows, columns = (
        np.minimum(np.arange(many) // by, few - 1) for many, few in zip(shape, small, strict=True)
    )
    return rows[:, None], columns[None]


def _shifts(first: FloatMap, second: FloatMap, weight: FloatMap) -> Shifts:
    """Return the shift of each cell as `shifts` does, from these images alone."""
    moments, count = _moments(first, second, weight)
    normal, right = moments[..., :3, :3], moments[..., :3, 3]
    detail = normal[..., 2, 2] / np.maximum(count, 1)
    diagonal = np.arange(3)
    trace = normal[..., diagonal, diagonal].sum(axis=-1)
    normal[..., diagonal, diagonal] += (1e-6 * trace + 1e-12)[..., None]
    inverse = _inverses(normal)
    solution = np.einsum('hwij,hwj->hwi', inverse, right)
    unexplained = moments[..., 3, 3] - np.einsum('hwi,hwi->hw', solution, right)
    free = count / ALIKE - 4
    noise = np.maximum(unexplained, 0) / np.maximum(free, 1)
    variance = (inverse[..., 0, 0] + inverse[..., 1, 1]) * noise
    # At least half a window must be covered, and have texture.
    known = (count > (CELL * WINDOW) ** 2 / 2) & (trace > 0)
    left = np.clip(unexplained / np.maximum(moments[..., 3, 3], 1e-12), 0, 1)
    left = np.where(np.hypot(solution[..., 0], solution[..., 1]) < SMALL, left, 1)
    shift = np.moveaxis(solution[..., :2], -1, 0)
    # a - b = c Laplacian(g), and blur adds half of its variance times the Laplacian.
    variance = np.where(known, variance, np.inf)
    return Shifts(shift, variance, left, -2 * solution[..., 2], detail)


def _inverses(m: Floats) -> Floats:
    """Return the inverses of (..., 3, 3) symmetric matrices, by cofactors."""
    a, b, c = m[..., 0, 0], m[..., 0, 1], m[..., 0, 2]
    d, e, f = m[..., 1, 1], m[..., 1, 2], m[..., 2, 2]
    found = np.empty_like(m)
    found[..., 0, 0] = d * f - e * e
    found[..., 0, 1] = found[..., 1, 0] = c * e - b * f
    found[..., 0, 2] = found[..., 2, 0] = b * e - c * d
    found[..., 1, 1] = a * f - c * c
    found[..., 1, 2] = found[..., 2, 1] = b * c - a * e
    found[..., 2, 2] = a * d - b * b
    determinant = a * found[..., 0, 0] + b * found[..., 0, 1] + c * found[..., 0, 2]
    found /= determinant[..., None, None]
    return found


def _moments(first: FloatMap, second: FloatMap, weight: FloatMap) -> tuple[Floats, Floats]:
    """Return sums over windows around each cell.

    Returns:
        (h / 4, w / 4, 4, 4) products of dg/dx, dg/dy, Laplacian(g) and the change, each without
        its mean in the window, and (h / 4, w / 4) how many px there are.
    """
    mean = (first + second) * np.float32(0.5)
    inside = cv2.erode(
        weight, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
    )
    # All four are smoothed over 3 x 3 px, as Sobel's gradients are.
    maps = [
        cv2.Sobel(mean, cv2.CV_32F, 1, 0, scale=1 / 8) * inside,
        cv2.Sobel(mean, cv2.CV_32F, 0, 1, scale=1 / 8) * inside,
        cv2.Laplacian(cv2.GaussianBlur(mean, (3, 3), 0), cv2.CV_32F) * inside,
        cv2.GaussianBlur(first - second, (3, 3), 0) * inside,
    ]
    pairs = [(i, j) for i in range(4) for j in range(i, 4)]
    height, width = (side // CELL for side in first.shape)
    count = window_sums(np.asarray(inside, np.float32))
    sums = [window_sums(np.asarray(one, np.float32)) for one in maps]
    means = [total / np.maximum(count, 1) for total in sums]
    moments = np.empty((height, width, 4, 4))
    for i, j in pairs:
        product = window_sums(np.asarray(maps[i] * maps[j], np.float32))
        moments[..., i, j] = moments[..., j, i] = product - means[i] * sums[j]
    return moments, count


def window_sums(values: FloatMap) -> Floats:
    """Return the sum over the window around each cell."""
    height, width = (side // CELL for side in values.shape)
    even = values[: height * CELL, : width * CELL]
    cells = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64)
    sums = cv2.boxFilter(
        cells, -1, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(sums, np.float64) * CELL**2
