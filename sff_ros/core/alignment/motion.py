"""Motion of scene or camera during a sweep, separated from the effect of focus on the image.

Two tests on every pair of neighbouring slices: how far each part of the image shifted
(core/alignment/local_shift), summed up near its focus (core/alignment/travel), so that slow motion
counts; and which part of the image changed by what neither focus nor a small shift explains
(core/alignment/unexplained), so that a jump counts, however far it goes. Both are done at low
resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.alignment.local_shift import CELL, Shifts, shifts
from sff_ros.core.alignment.travel import Travel
from sff_ros.core.alignment.unexplained import BlurRange, blur_range, unexplained
from sff_ros.core.alignment.warp import corner_shift_px
from sff_ros.core.homography import product, solve
from sff_ros.core.image import FloatMap, Floats, Image, Mask, Warp, to_grey

LONGER_PX = 200  # longer side of the coarse image, at least; twice this at most
SMOOTHING = 0.5  # of the coarse image, its px
HARMLESS_PX = 1.0  # shift within a sweep up to which confidence is kept, px of the full image
RUINOUS_PX = 4.0  # shift from which on confidence is 0
# Share of the contrast that neither focus nor a shift explains. In still sweeps (rendered and
# photographed, with highlights and noise) mostly at most 1 % of the pixels are above, also where
# blur grows by 3 px a slice; of an object that jumped by 8 px or more, 93 %, in the worst scene
# 84 %, at 0.6 px of blur a slice: docs/stacks.md.
HARMLESS_CHANGE = 0.006
RUINOUS_CHANGE = 0.012
GAP = 7  # side, cells, of the gaps to close in what jumped: plain parts between textured ones
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
        self._last: BlurRange | None = None
        self._shape = (0, 0)
        self._shrink = 1
        self._travel: Travel | None = None
        self._change = np.zeros((1, 1))  # largest unexplained share of the contrast so far
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
        ranged = blur_range(coarse, HARMLESS_PX / self._shrink)
        last, self._last = self._last, ranged
        if last is None:
            return
        weight = np.ones_like(coarse)
        if seen is not None:
            weight = (_shrunk(seen.astype(np.uint8), self._shrink) >= 1).astype(np.float32)
        found = shifts(last.image, coarse, weight)
        change = unexplained(last, ranged, weight) * found.left
        self._change = np.maximum(self._change, change)
        found = found.enlarged(self._shrink)
        if self._travel is None:
            self._travel = Travel(change.shape, CELL * self._shrink)
        self._travel.add(found, self._follow_camera(found))

    @property
    def motion(self) -> Motion:
        """Motion up to the last slice."""
        far = np.zeros((1, 1)) if self._travel is None else self._travel.farthest
        trust = (RUINOUS_PX - far) / (RUINOUS_PX - HARMLESS_PX)
        # Padded: at the border, a closing would also fill what lies between a cell and the border.
        padded = np.pad(self._change, GAP)
        gap = np.ones((GAP, GAP), np.uint8)
        change = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, gap)[GAP:-GAP, GAP:-GAP]
        jumped = (RUINOUS_CHANGE - change) / (RUINOUS_CHANGE - HARMLESS_CHANGE)
        trust = np.minimum(trust, jumped)
        full = self._to_full_size(np.clip(trust, 0, 1).astype(np.float32))
        return Motion(full, float((full < 0.5).mean()), self._camera_px)

    def _follow_camera(self, found: Shifts) -> float:
        """Follow the camera; return by how much the image grew, of its size."""
        sure = np.isfinite(found.variance)
        rows, columns = np.nonzero(sure)
        if len(rows) < FEWEST_CELLS:
            return 0.0
        centres = np.stack([columns + 0.5, rows + 0.5]) * CELL * self._shrink - 0.5
        step = _fit_similarity(centres, found.shift[:, sure], found.variance[sure])
        self._camera = product(step, self._camera)
        moved = corner_shift_px(self._camera, self._shape)
        self._camera_px = max(self._camera_px, float(np.sqrt(np.mean(moved**2))))
        return float(step[0, 0]) - 1

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
