"""How far each part of the image moved during a sweep, as far as it matters to its depth.

Shifts between neighbouring slices are summed up, so that slow motion counts. Only those near the
focus of a part do: the outline of something blurred seems to move as its blur grows, by about as
much as the radius grows, since blur adds light and not grey levels, and spreads over what is
behind. A part that moves near its focus moves visibly, since its detail does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.core.alignment.local_shift import CHANCE, Shifts
from sff_ros.core.image import FloatMap, Floats

NEAR_FOCUS = 0.1  # of the detail that a part has where it is sharpest
CAT_EYE = 0.42  # of the radius of its blur: shift of a point whose aperture is cut to a half


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """From one slice to the next: (2, h, w) shift, px; (h, w) variance, px^2, and detail."""

    shift: FloatMap
    variance: FloatMap
    detail: FloatMap
    zoom: float


class Travel:
    """Sums up the shifts of one sweep.

    Args:
        shape: h, w of the cells.
        side_px: of a cell, px of the full image.
    """

    def __init__(self, shape: tuple[int, int], side_px: int) -> None:
        rows, columns = ((np.arange(many) - (many - 1) / 2) * side_px for many in shape)
        self._from_centre: Floats = np.stack(np.meshgrid(columns, rows))  # (2, h, w) px
        self._steps: list[_Step] = []
        self._most_detail = np.zeros(shape)
        self._zoomed = np.zeros((2, *shape))  # since the first slice, px
        self._most_zoom = 0.0
        # Variance of the blur since the first slice, px^2.
        self._blur, self._least, self._most = (np.zeros(shape) for _ in range(3))

    def add(self, found: Shifts, zoom: float) -> None:
        """Take the step to the next slice.

        Args:
            found: shifts, px of the full image.
            zoom: growth of the whole image, of its size.
        """
        sure = np.isfinite(found.variance)
        detail = found.detail.astype(np.float32)
        shift, variance = found.shift.astype(np.float32), found.variance.astype(np.float32)
        self._steps.append(_Step(shift, variance, detail, zoom))
        self._most_detail = np.maximum(self._most_detail, detail)
        self._zoomed = self._zoomed + np.where(sure, zoom * self._from_centre, 0)
        self._most_zoom = max(self._most_zoom, float(np.hypot(*self._zoomed).max()))
        self._blur = self._blur + np.where(sure, found.blur, 0)
        self._least = np.minimum(self._least, self._blur)
        self._most = np.maximum(self._most, self._blur)

    @property
    def farthest(self) -> Floats:
        """(h, w) the largest significant shift of each cell that focus does not cause, px.

        The aperture of a wide lens is cut towards the corners (cat's eyes), so that the centre of
        a blurred point moves by up to 0.42 of the radius of its blur, outwards or inwards: the
        whole image zooms. What is in focus stays in its place, so that is harmless.
        """
        ignored = self._zoom_is_harmless * self._from_centre
        way, variance = np.zeros_like(self._zoomed), np.zeros_like(self._blur)
        farthest = np.zeros_like(self._blur)
        for step in self._steps:
            counts = np.isfinite(step.variance)
            counts &= step.detail >= NEAR_FOCUS * self._most_detail
            way += np.where(counts, step.shift - step.zoom * ignored, 0)
            variance += np.where(counts, step.variance, 0)
            farthest = np.maximum(farthest, np.hypot(*way) - CHANCE * np.sqrt(variance))
        return farthest

    @property
    def _zoom_is_harmless(self) -> bool:
        known = self._most > self._least
        if not known.any():
            return False
        # A disc of radius r has the variance r^2 / 4; twice, since the sweep goes through focus.
        radius = 2 * float(np.sqrt(np.median((self._most - self._least)[known])))
        return self._most_zoom <= 2 * CAT_EYE * radius
