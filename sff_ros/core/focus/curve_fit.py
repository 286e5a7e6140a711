"""Subslice peaks of focus curves, by matched filters along the focus axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.core.focus.template_bank import (
    TemplateBank,
    best_templates,
    extend,
    make_bank,
    total_height,
)
from sff_ros.core.image import FloatMap, Floats

NARROWEST, GROWTH = 0.6, 1.4  # half widths tried: a geometric series in mean slice spacings
SAMPLE = 4096  # curves sampled to find the common width
CHUNK = 4096  # curves correlated at a time, so that correlations fit the cache
# Standard deviation of responses to pure noise over their minimum: 0.6, 0.26 and 0.07 for the
# three measures of focus/peak over 15 slices (simulated).
FLOOR_NOISE = 0.6
FAINTEST = 5.0  # signal-to-noise ratio up to which a peak is treated as noise
MODEL_ERROR = 0.1  # of the half width: peak shift caused by a curve of another shape


@dataclass(frozen=True, slots=True, eq=False)
class CurveFit:
    """The peaks of N focus curves.

    Attributes:
        position: (N,) slice position of the peak in [-1, S].
        information: (N,) 1 / variance of the position, slices^-2; 0 where the curve is noise or
            does not have the shape of a focus curve.
        explained: (N,) share of the curve's variance that the fit explains, 0..1.
        height: (N,) height of the curve over the noise of the whole volume.
        width: half width at half height of the fitted curves, in mean slice spacings.
    """

    position: FloatMap
    information: FloatMap
    explained: FloatMap
    height: FloatMap
    width: float


def fit_curves(curves: FloatMap, axis: Floats) -> CurveFit:
    """Find the peak of each curve by correlation with symmetric templates.

    Contrast falls off with blur, and blur grows with the distance from the surface in dioptres:
    so a curve is symmetric on `axis`, at any spacing. A template is 1 / (1 + |x / width|^2.5),
    less its mean; the position and width of the highest normalised correlation are the least
    squares fit of gain, offset and peak to all S samples at once. That beats three samples at
    the top (Nayar & Nakagawa, Shape from Focus, PAMI 1994) wherever blur grows by less than a
    pixel per slice: the top is flat, and only the flanks are informative. Blur grows equally
    across an image, so the width is the one that explains most of the volume, or a neighbour.

    Args:
        curves: (S, N) responses >= 0.
        axis: (S,) strictly monotonic position of each slice.
    """
    count = len(axis)
    widths = _widths(count)
    residual = curves - curves.mean(axis=0)
    best = _common_width(residual, axis, widths)
    position, height, half = _match(residual, axis, widths[max(0, best - 1) : best + 2])
    position[height <= 0] = (count - 1) / 2  # constant curve: use the middle
    step = np.abs(np.gradient(axis)) / (abs(axis[-1] - axis[0]) / (count - 1))
    nearest = np.clip(np.rint(position), 0, count - 1).astype(np.intp)
    half = half / step[nearest].astype(np.float32)
    floor = float(np.percentile(curves.min(axis=0), 10))
    information, explained, height = _judge(residual, FLOOR_NOISE * floor, height, half)
    return CurveFit(position, information, explained, height, widths[best])


def _widths(count: int) -> list[float]:
    """Return the half widths to try for a number of slices."""
    steps = int(np.log(max(count / 2, 1) / NARROWEST) / np.log(GROWTH)) + 1
    return [NARROWEST * GROWTH**k for k in range(max(steps, 2))]


def _common_width(residual: FloatMap, axis: Floats, widths: list[float]) -> int:
    """Return which width explains most of the volume, from a sample of its curves."""
    sample = np.ascontiguousarray(residual[:, :: max(1, residual.shape[1] // SAMPLE)])
    return int(np.argmax([total_height(make_bank(axis, [width]), sample) for width in widths]))


def _match(
    residual: FloatMap, axis: Floats, widths: list[float]
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return each curve's peak (slice position in [-1, S]), its correlation and its width."""
    bank = make_bank(axis, widths)
    total = residual.shape[1]
    peak, height, half = (np.empty(total, np.float32) for _ in range(3))
    for start in range(0, total, CHUNK):
        part = slice(start, start + CHUNK)
        peak[part], height[part], which = best_templates(bank, residual[:, part])
        half[part] = np.array(widths, np.float32)[which]
    return _in_slices(peak, bank, axis), height, half


def _in_slices(peak: FloatMap, bank: TemplateBank, axis: Floats) -> FloatMap:
    """Return slice positions in [-1, S] for positions in bins."""
    count = len(axis)
    if len(bank.axis) == count:
        return peak
    slices = np.arange(-1.0, count + 1)
    known = extend(axis, slices)
    there = extend(bank.axis, peak)
    sign = np.sign(axis[-1] - axis[0])
    position: FloatMap = np.interp(sign * there, sign * known, slices).astype(np.float32)
    return position


def _judge(
    residual: FloatMap, most_noise: float, height: FloatMap, half: FloatMap
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return the information of each peak, the share of variance explained, height over noise.

    The noise is the fit residual in the least noisy tenth of the image, limited by the floor of
    the curves: with few slices, most of the residual is misfit. A template of half width w, at
    signal-to-noise ratio r, is located to about w / r; a curve whose height is below five times
    the noise, or that the fit does not explain, is uninformative.
    """
    energy = np.einsum('sn,sn->n', residual, residual)
    tiny = np.float32(1e-12) + np.float32(1e-6) * energy.max()
    left = np.maximum(energy - height * height, 0)
    explained = height * height / np.maximum(energy, tiny)
    noise = float(np.percentile(left, 10)) / max(len(residual) - 4, 1)
    noise = max(min(noise, most_noise**2), float(tiny))
    ratio = height * height / np.float32(noise)
    sure = np.maximum(1 - FAINTEST**2 / np.maximum(ratio, 1e-9), 0) ** 2
    sure *= np.clip(2 * explained - 1, 0, 1)
    misfit = MODEL_ERROR**2 * (1.001 - explained)
    variance = half * half * (1 / np.maximum(ratio, 1e-9) + misfit)
    information = (sure / variance).astype(np.float32)
    return information, explained.astype(np.float32), np.sqrt(ratio)
