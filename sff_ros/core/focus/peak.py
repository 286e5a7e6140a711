"""The classical estimate: slice position of the sharpest focus, and its confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.focus.aggregation import Aggregate, aggregate
from sff_ros.core.focus.curve_fit import CurveFitter
from sff_ros.core.focus.deviation import PEAK, Calibration
from sff_ros.core.focus.edges import sharpen_edges
from sff_ros.core.focus.estimate import FocusEstimate, check_finite
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.image import AnyFloats, FloatMap, Image, Mask

# Standard deviation of the smoothing of responses, pooled pixels: of the first dilation, the
# first two, and all at half resolution.
FINE, MEDIUM, COARSE = 0.57, 0.85, 1.2
FAINT = 6.0  # signal-to-noise ratio below which only the coarse measure is used
CHANCE = 0.2  # share of pure-noise curves that may look like a peak
ENOUGH_HERE, ENOUGH_AROUND = 0.1, 20.0  # information of confidence 0.5, tolerance^-2
LEAST_INFORMATION = 1e-4  # slices^-2, to divide by
COARSE_TRUST = 0.25  # the estimate of a large window is less certain for each of its pixels


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The result of the focus curves of one sweep, before edges are refined.

    Attributes:
        position: (h, w) slice position of each curve's peak, in [-1, S].
        information: (h, w) 1 / variance of each position, slices^-2; 0 where uninformative.
        explained: (h, w) share of each curve that one peak explains, 0..1.
        dense: the map aggregated from all of them.
        width: half width at half height of the focus curves, in mean slice spacings.
    """

    position: FloatMap
    information: FloatMap
    explained: FloatMap
    dense: Aggregate
    width: float


def estimate_peak(
    volume: FocusVolume, context: Image, calibration: Calibration = PEAK
) -> FocusEstimate:
    """Estimate slice positions from a focus volume.

    1. Three measures of different support (_curves): near depth edges a small one sees only one
       surface; weak texture needs a large one.
    2. The subslice peak of each curve on the focus axis (curve_fit).
    3. For each pixel, the measure whose curve looks most like one surface (_choose).
    4. A dense map weighted by certainty: planes, coarse to fine (aggregation).
    5. Its confidence (_confidence) and standard deviation (_deviation).
    6. At full size, depth edges are aligned with image outlines (edges).

    Args:
        volume: C >= 1 maps per slice, of growing support; the first, the first two, and all
            are the three measures.
        context: (H, W) or (H, W, 3) all-in-focus image of the sweep.
        calibration: of _deviation.
    """
    evidence = gather_evidence(volume)
    last = np.float32(len(volume.axis) - 1)
    confidence = _confidence(evidence, last)
    dense = evidence.dense
    smooth = FocusEstimate(
        np.clip(to_full_size(dense.position, volume), 0, last),
        np.clip(to_full_size(confidence, volume), 0, 1),
        to_full_size(_deviation(evidence, last, calibration), volume),
    )
    return sharpen_edges(smooth, context, evidence.width)


def gather_evidence(volume: FocusVolume) -> Evidence:
    """Measure, choose and smooth: steps 1 to 4 of estimate_peak.

    Raises:
        ModelError: a stage returned values that are not finite; names it.
    """
    check_finite('focus measure', volume.responses)
    position, information, explained, width = _choose(volume)
    check_finite('curve fit', position, information, explained)
    information = information * _density(information)
    dense = aggregate(position, information)
    check_finite('aggregation', dense.position, dense.information, dense.misfit)
    return Evidence(position, information, explained, dense, width)


def _choose(volume: FocusVolume) -> tuple[FloatMap, FloatMap, FloatMap, float]:
    """Return (h, w) position, information and explained share of the best measure, and the width.

    Where fine and medium differ by more than a slice, one of them mixes two surfaces: the curve
    with the cleaner peak is used. Where both are noise, the coarse measure is used. So most
    pixels need the medium measure only, and only the others are fitted in the other two.
    """
    channels, h, w = volume.responses.shape[1:]
    medium = CurveFitter(_curves(volume, 2, MEDIUM), volume.axis).fit()
    fitter = CurveFitter(_curves(volume, 1, FINE), volume.axis)
    fine = fitter.fit(fitter.elsewhere(medium.position))
    cleaner = (fine.explained > medium.explained) & (abs(fine.position - medium.position) > 1)

    def pick(a: FloatMap, b: FloatMap) -> FloatMap:
        return np.where(cleaner, b, a).reshape(h, w)

    position = pick(medium.position, fine.position)
    information = pick(medium.information, fine.information)
    explained = pick(medium.explained, fine.explained)
    faint = (information == 0) & (medium.height.reshape(h, w) < FAINT)
    if not faint.any():
        return position, information, explained, medium.width
    blocks = np.pad(faint, ((0, h % 2), (0, w % 2))).reshape((h + 1) // 2, 2, (w + 1) // 2, 2)
    wanted: Mask = np.asarray(blocks.any(axis=(1, 3)))
    curves = _curves(volume, channels, COARSE, halve=True)
    coarse = CurveFitter(curves, volume.axis).fit(wanted.ravel())

    def grow(values: FloatMap) -> FloatMap:
        twice = np.repeat(np.repeat(values.reshape(wanted.shape), 2, axis=0), 2, axis=1)
        return twice[:h, :w]

    return (
        np.where(faint, grow(coarse.position), position),
        np.where(faint, grow(coarse.information) * np.float32(COARSE_TRUST), information),
        np.where(faint, grow(coarse.explained), explained),
        medium.width,
    )


def _curves(volume: FocusVolume, channels: int, smoothing: float, halve: bool = False) -> FloatMap:
    """Return (S, N) curves of the first channels, scaled to a mean of 1, to the power 1.5.

    The power sharpens the peak: a strong edge nearby affects the curve of weak texture less.
    """
    h, w = volume.responses.shape[2:]
    size = ((w + 1) // 2, (h + 1) // 2) if halve else (w, h)
    curves = np.empty((len(volume.axis), size[1], size[0]), np.float32)
    root = np.empty_like(curves[0])
    mean = 0.0
    for curve, responses in zip(curves, volume.responses, strict=True):
        total: AnyFloats = responses[0] if channels == 1 else responses[:channels].sum(axis=0)
        if halve:
            total = cast('AnyFloats', cv2.resize(total, size, interpolation=cv2.INTER_AREA))
        cv2.GaussianBlur(total, (0, 0), smoothing, dst=curve)
        mean += float(curve.mean()) / len(curves)
        curve *= np.sqrt(curve, out=root)
    curves *= np.float32(mean**-1.5 if mean > 0 else 0)
    return curves.reshape(len(curves), -1)


def _density(information: FloatMap) -> FloatMap:
    """Return the density of peaks around each, 0..1: isolated peaks are noise."""
    found = (information > 0).astype(np.float32)
    share = cast('FloatMap', cv2.blur(found, (9, 9)))
    density: FloatMap = np.clip((share - CHANCE) / CHANCE, 0, 1)
    return density


def tolerance_of(evidence: Evidence) -> np.float32:
    """Return the error that a position may have, slices: half the width of a curve, or 0.5."""
    return np.float32(max(0.5, evidence.width / 2))


def _confidence(evidence: Evidence, last: np.float32) -> FloatMap:
    """Return the confidence of each position, 0..1.

    The product of: the share of the curve that a single peak explains (one surface, no noise);
    local and neighbourhood information relative to `tolerance_of` it (enough texture); a
    neighbourhood planar to that tolerance (no depth edge); and whether both flanks of the peak
    lie inside the sweep.
    """
    dense, tolerance = evidence.dense, tolerance_of(evidence)
    here = cv2.blur(evidence.information, (3, 3)) * tolerance**2
    around = dense.information * tolerance**2
    texture = here / (here + ENOUGH_HERE) * around / (around + ENOUGH_AROUND)
    smooth = 1 / (1 + dense.misfit / tolerance**2)
    inside = np.minimum(dense.position, last - dense.position)
    bracketed = np.clip(inside + np.float32(0.5), 0, 1)
    seen = cast('FloatMap', cv2.blur(evidence.explained, (3, 3)))
    confidence: FloatMap = seen * texture * smooth * bracketed
    return confidence


def spread_of(evidence: Evidence) -> FloatMap:
    """Return (h, w) how far positions may be off as far as the curves tell, slices.

    The noise of the curves (1 / information), and what is left of their peaks around a plane
    (misfit).
    """
    dense = evidence.dense
    noise = 1 / np.maximum(dense.information, np.float32(LEAST_INFORMATION))
    spread: FloatMap = np.sqrt(noise + dense.misfit).astype(np.float32)
    return spread


def _deviation(evidence: Evidence, last: np.float32, calibration: Calibration) -> FloatMap:
    """Return (h, w) the standard deviation of each position, slices, at most that of any.

    The narrower the curves, the fewer slices show a peak, and the less certain it is between
    two of them: so the calibration is of spreads in curves of a half width of 1.
    """
    width = np.float32(evidence.width)
    deviation = calibration.apply(spread_of(evidence) * width) / width
    largest = last / np.float32(12**0.5)  # of a uniform distribution over the sweep
    limited: FloatMap = np.minimum(deviation, largest)
    return limited


def to_full_size(pooled: AnyFloats, volume: FocusVolume) -> FloatMap:
    """Upsample a pooled map bilinearly between block centres; crop to the slices' (H, W)."""
    height, width = volume.size
    h, w = pooled.shape
    size = (w * volume.pooling, h * volume.pooling)
    full = cv2.resize(pooled.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return cast('FloatMap', full[:height, :width])
