"""Fit the image scale against the lens position, from a board that holds still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sff_ros.core.calibration.charuco import FEWEST_CORNERS, Corners, Points
from sff_ros.core.image import Floats

DEGREE = 2  # of the scale's logarithm against the position code of the lens
# With a smaller change of scale over the whole sweep, its centre is not observable.
LEAST_FOR_CENTRE = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Breathing:
    """The scale of the image against the position code of the lens; 1 at the reference.

    log scale = sum of terms[n] * t^(n + 1), t = (position code - reference) / span.

    Attributes:
        reference, span: codes.
        terms: (DEGREE,).
        centre_px: the fixed point, x and y; None if the scale changed too little to find it.
    """

    reference: float
    span: float
    terms: Floats
    centre_px: tuple[float, float] | None

    def scale_at(self, position_code: Floats | float) -> Floats:
        """Return the size of the image at position codes over that at the reference."""
        scale: Floats = np.exp(self._powers(np.asarray(position_code, float)) @ self.terms)
        return scale

    def to_reference(
        self, px: Points, position_code: float, middle: tuple[float, float]
    ) -> Points:
        """Return where points of an image are at the reference, (N, 2) px."""
        centre = np.array(self.centre_px or middle)
        moved: Points = centre + (px - centre) / self.scale_at(position_code)
        return moved

    def from_reference(
        self, px: Points, position_code: float, middle: tuple[float, float]
    ) -> Points:
        """Return where points at the reference are in an image, (N, 2) px."""
        centre = np.array(self.centre_px or middle)
        moved: Points = centre + (px - centre) * self.scale_at(position_code)
        return moved

    def _powers(self, position_code: Floats) -> Floats:
        return powers((position_code - self.reference) / self.span)


def powers(t: Floats) -> Floats:
    """Return t, t^2 .. along a new last axis."""
    return np.stack([t ** (n + 1) for n in range(DEGREE)], axis=-1)


def fit_breathing(
    sweeps: Sequence[tuple[Floats, Sequence[Corners | None]]], reference: float, span: float
) -> Breathing:
    """Fit scale and centre to the motion of a board's corners within each sweep.

    Two images of a still board differ by a scaling about one point: corners p of the one are at
    r p + (1 - r) c in the other. The ratios r of all pairs give the scale, by least squares of
    their logarithms; r and the shifts give the centre.

    Args:
        sweeps: position codes of the lens and the corners seen there, of each sweep.
        reference: position code of scale 1.
        span: over which the scale is to be known, codes.
    """
    rows, growths, shifts, weights = [], [], [], []
    for position_codes, views in sweeps:
        seen = [k for k, view in enumerate(views) if view is not None]
        if len(seen) < 2:
            continue
        base = max(seen, key=lambda k: len(views[k].ids))  # type: ignore[union-attr]
        for k in seen:
            growth = _growth(views[base], views[k]) if k != base else None
            if growth is None:
                continue
            t = (position_codes[[k, base]] - reference) / span
            rows.append(powers(t[0]) - powers(t[1]))
            growths.append(growth[0])
            shifts.append(growth[1])
            weights.append(growth[2])
    if len(rows) < DEGREE:
        return Breathing(reference, span, np.zeros(DEGREE), None)
    root = np.sqrt(np.array(weights))
    system = np.array(rows) * root[:, None]
    terms = np.linalg.lstsq(system, np.log(growths) * root, rcond=None)[0]
    return Breathing(reference, span, terms, _centre(growths, shifts, weights))


def _growth(one: Corners | None, other: Corners | None) -> tuple[float, Floats, float] | None:
    """Return growth, shift (2,) px, and spread^2 as a weight, of p -> r p + t."""
    assert one is not None
    assert other is not None
    ids, a, b = np.intersect1d(one.ids, other.ids, return_indices=True)
    if len(ids) < FEWEST_CORNERS:
        return None
    p, q = one.px[a], other.px[b]
    centred = p - p.mean(axis=0)
    spread = float((centred**2).sum())
    growth = float((centred * (q - q.mean(axis=0))).sum() / spread)
    if growth <= 0:
        return None
    return growth, q.mean(axis=0) - growth * p.mean(axis=0), spread


def _centre(
    growths: Sequence[float], shifts: Sequence[Floats], weights: Sequence[float]
) -> tuple[float, float] | None:
    """Return the fixed point: t = (1 - r) c for all pairs."""
    away = 1 - np.array(growths)
    if np.ptp(away) < LEAST_FOR_CENTRE:
        return None
    weighted = away * np.array(weights)
    x, y = (weighted @ np.array(shifts) / (weighted @ away)).tolist()
    return x, y
