"""Motion of scene or camera during a sweep, separated from the effect of focus on the image.

Between two aligned slices a and b, every window of a coarse image is explained by a shift and
by a change of blur, in one least squares fit (Lucas and Kanade, IJCAI 1981, with one unknown
more):

    a - b = u dg/dx + v dg/dy + c Laplacian(g),   g = (a + b) / 2

Blur spreads light as heat spreads, whose change with time is the Laplacian, so c absorbs the
change of defocus. The residual of the fit gives the uncertainty of u and v: only significant
motion counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.alignment.warp import corner_shift_px
from sff_ros.core.homography import product, solve
from sff_ros.core.image import FloatMap, Floats, Image, Mask, Warp, to_grey

LONGER_PX = 200  # longer side of the coarse image, at least; twice this at most
SMOOTHING = 0.5  # of the coarse image, its px
CELL = 4  # side of the cells that shifts are given for, coarse px
WINDOW = 3  # side of a window, cells
ALIKE = 8.0  # coarse px that count as one sample, since smoothing correlates neighbours
UNSURE = 1 / 3  # standard deviation above which a shift is unknown, coarse px
# The next three were set on the following sweeps. Still ones (simulated, rendered reliefs,
# photographs) lose at most 1.5 % of their pixels, at depth steps and spreading highlights; an
# object that moves by 0.3 px a slice loses 82 % of its pixels, by 1 px a slice 99 %.
CHANCE = 6.0  # standard deviations below which a shift is not significant
HARMLESS_PX = 1.0  # shift within a sweep up to which confidence is kept, px of the full image
RUINOUS_PX = 4.0  # shift from which on confidence is 0
ROUNDS = 4  # of the robust fit of the camera's motion
MUCH_MOVING = 0.05  # share of moving pixels above which a sweep deserves a warning
FEWEST_CELLS = 12  # needed to fit the camera's motion


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion during a sweep that the alignment did not remove.

    Attributes:
        trust: (H, W) factor on the confidence, 0..1: 1 where nothing moved.
        moving: share of pixels that moved, 0..1: those of a trust below 0.5.
        camera_px: largest displacement of the corners of the image, px: RMS of the four.
    """

    trust: FloatMap
    moving: float
    camera_px: float


class MotionMeter:
    """Tracks motion through one sweep of aligned slices."""

    def __init__(self) -> None:
        self._last: FloatMap | None = None
        self._shape = (0, 0)
        self._shrink = 1
        self._shift = np.zeros((2, 1, 1))  # of each cell since the first slice, px
        self._variance = np.zeros((1, 1))  # of that, px^2
        self._farthest = np.zeros((1, 1))  # largest significant shift so far, px
        self._camera: Warp = np.eye(3)  # from the first slice to the last
        self._camera_px = 0.0

    def add(self, image: Image, seen: Mask | None = None) -> None:
        """Take the next slice.

        Args:
            image: (H, W) or (H, W, 3), aligned, of the same shape throughout the sweep.
            seen: (H, W), where all slices have an image; None: everywhere.
        """
        self._shape = (image.shape[0], image.shape[1])
        self._shrink = max(1, max(self._shape) // LONGER_PX)
        coarse = _smooth(_shrunk(to_grey(image), self._shrink))
        last, self._last = self._last, coarse
        if last is None:
            return
        weight = np.ones_like(coarse)
        if seen is not None:
            weight = (_shrunk(seen.astype(np.uint8), self._shrink) >= 1).astype(np.float32)
        shift, variance = _shifts(last, coarse, weight)
        sure = variance < UNSURE**2
        self._shift = self._shift + np.where(sure, shift, 0) * self._shrink
        self._variance = self._variance + np.where(sure, variance, 0) * self._shrink**2
        beyond = np.hypot(*self._shift) - CHANCE * np.sqrt(self._variance)
        self._farthest = np.maximum(self._farthest, beyond)
        self._follow_camera(shift * self._shrink, variance * self._shrink**2, sure)

    @property
    def motion(self) -> Motion:
        """Motion up to the last slice."""
        trust = (RUINOUS_PX - self._farthest) / (RUINOUS_PX - HARMLESS_PX)
        full = self._to_full_size(np.clip(trust, 0, 1).astype(np.float32))
        return Motion(full, float((full < 0.5).mean()), self._camera_px)

    def _follow_camera(self, shift: Floats, variance: Floats, sure: Mask) -> None:
        rows, columns = np.nonzero(sure)
        if len(rows) < FEWEST_CELLS:
            return
        side = CELL * self._shrink
        centres = np.stack([columns + 0.5, rows + 0.5]) * side - 0.5
        step = _fit_similarity(centres, shift[:, sure], variance[sure])
        self._camera = product(step, self._camera)
        moved = corner_shift_px(self._camera, self._shape)
        self._camera_px = max(self._camera_px, float(np.sqrt(np.mean(moved**2))))

    def _to_full_size(self, cells: FloatMap) -> FloatMap:
        """Interpolate between the centres of the cells; the outermost are repeated beyond them."""
        height, width = self._shape
        side = CELL * self._shrink
        size = (cells.shape[1] * side, cells.shape[0] * side)
        if min(cells.shape) == 1:  # no two slices, or too small an image
            return np.ones(self._shape, np.float32)
        full = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
        rest = (height - size[1], width - size[0])
        grown = cv2.copyMakeBorder(full, 0, rest[0], 0, rest[1], cv2.BORDER_REPLICATE)
        return cast('FloatMap', grown)


def _shrunk(image: Image, by: int) -> FloatMap:
    """Average over whole blocks."""
    height, width = (side // by for side in image.shape)
    even = image[: height * by, : width * by].astype(np.float32)
    return cast('FloatMap', cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))


def _smooth(image: FloatMap) -> FloatMap:
    """Smooth a little, and divide by the mean for invariance to exposure."""
    smooth = cast('FloatMap', cv2.GaussianBlur(image, (0, 0), SMOOTHING))
    return smooth / np.float32(max(float(smooth.mean()), 1e-6))


def _shifts(first: FloatMap, second: FloatMap, weight: FloatMap) -> tuple[Floats, Floats]:
    """Return the shift of each cell from one image to the next, and its variance.

    Args:
        first, second: (h, w) coarse images.
        weight: (h, w), 0 where there is no image.

    Returns:
        (2, h / 4, w / 4) x and y, coarse px, and (h / 4, w / 4) their variance, infinite where
        unknown.
    """
    moments, count = _moments(first, second, weight)
    normal, right = moments[..., :3, :3], moments[..., :3, 3]
    trace = np.trace(normal, axis1=-2, axis2=-1)
    inverse = _inverses(normal + (1e-6 * trace + 1e-12)[..., None, None] * np.eye(3))
    solution = np.einsum('hwij,hwj->hwi', inverse, right)
    unexplained = moments[..., 3, 3] - np.einsum('hwi,hwi->hw', solution, right)
    free = count / ALIKE - 3
    noise = np.maximum(unexplained, 0) / np.maximum(free, 1)
    variance = (inverse[..., 0, 0] + inverse[..., 1, 1]) * noise
    # At least half a window must be covered, and have texture.
    known = (count > (CELL * WINDOW) ** 2 / 2) & (trace > 0)
    return np.moveaxis(solution[..., :2], -1, 0), np.where(known, variance, np.inf)


def _inverses(matrices: Floats) -> Floats:
    """Return the inverses of (..., 3, 3) matrices, by cofactors."""
    a, b, c = np.moveaxis(matrices, -2, 0)
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)
    determinant = (a * cofactors[..., 0]).sum(axis=-1)
    inverses: Floats = cofactors / determinant[..., None, None]
    return inverses


def _moments(first: FloatMap, second: FloatMap, weight: FloatMap) -> tuple[Floats, Floats]:
    """Return sums over windows around each cell.

    Returns:
        (h / 4, w / 4, 4, 4) products of dg/dx, dg/dy, Laplacian(g) and the change, and
        (h / 4, w / 4) how many px there are.
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
    moments = np.empty((height, width, 4, 4))
    for i, j in pairs:
        product = np.asarray(maps[i] * maps[j], np.float32)
        moments[..., i, j] = moments[..., j, i] = _window_sums(product)
    return moments, _window_sums(np.asarray(inside, np.float32))


def _window_sums(values: FloatMap) -> Floats:
    """Return the sum over the window around each cell."""
    height, width = (side // CELL for side in values.shape)
    even = values[: height * CELL, : width * CELL]
    cells = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64)
    sums = cv2.boxFilter(
        cells, -1, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(sums, np.float64) * CELL**2


def _fit_similarity(centres: Floats, shifts: Floats, variance: Floats) -> Warp:
    """Fit the (3, 3) similarity that most cells follow.

    Args:
        centres, shifts: (2, N) px.
        variance: (N,) px^2.
    """
    centre = centres.mean(axis=1)
    x, y = centres - centre[:, None]
    one, none = np.ones_like(x), np.zeros_like(x)
    # Shift = (tx + s x - r y, ty + s y + r x).
    rows = np.stack([np.stack([one, none, x, -y]), np.stack([none, one, y, x])])  # (2, 4, N)
    weight = 1 / (variance + 1e-4)
    found = np.zeros(4)
    for _ in range(ROUNDS):
        normal = np.einsum('cin,cjn,n->ij', rows, rows, weight)
        normal += 1e-9 * np.trace(normal) * np.eye(4)
        found = solve(normal, np.einsum('cin,cn,n->i', rows, shifts, weight))
        squared = ((shifts - np.einsum('cin,i->cn', rows, found)) ** 2).sum(axis=0)
        spread = np.median(squared) + 1e-4
        weight = 1 / (variance + 1e-4) / (1 + squared / spread) ** 2
    tx, ty, scale, turn = found
    linear = np.array([[1 + scale, -turn], [turn, 1 + scale]])
    offset = np.array([tx, ty]) + centre - (linear * centre).sum(axis=1)
    return np.vstack([np.column_stack([linear, offset]), [0, 0, 1]])
