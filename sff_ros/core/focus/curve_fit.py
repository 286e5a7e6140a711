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
from sff_ros.core.image import FloatMap, Floats, Mask

NARROWEST, GROWTH = 0.6, 1.4  # half widths tried: a geometric series in mean slice spacings
SAMPLE = 2048  # curves that the common width and the noise are found from
CHUNK = 4096  # curves correlated at a time, so that correlations fit the cache
# Standard deviation of responses to pure noise over their minimum: 0.6, 0.26 and 0.07 for the
# three measures of focus/peak over 15 slices (simulated).
FLOOR_NOISE = 0.6
FAINTEST = 5.0  # signal-to-noise ratio up to which a peak is treated as noise
MODEL_ERROR = 0.1  # of the half width: peak shift caused by a curve of another shape
ELSEWHERE = 0.75  # slices; a quick peak is within 0.25 of the full one in all but noise


@dataclass(frozen=True, slots=True, eq=False)
class CurveFit:
    """The peaks of N focus curves; all 0 for those that were not asked for.

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


class CurveFitter:
    """Finds the peak of each curve by correlation with symmetric templates.

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

    def __init__(self, curves: FloatMap, axis: Floats) -> None:
        self._axis = axis
        self._residual = curves - curves.mean(axis=0)
        self._widths = _widths(len(axis))
        # An odd step, so that the sample is not a few columns of the image.
        step = max(1, curves.shape[1] // SAMPLE) | 1
        sample = np.ascontiguousarray(self._residual[:, ::step])
        heights = [total_height(make_bank(axis, [width]), sample) for width in self._widths]
        self._best = int(np.argmax(heights))
        self._bank = make_bank(axis, self._widths[max(0, self._best - 1) : self._best + 2])
        floor = float(np.percentile(curves[:, ::step].min(axis=0), 10))
        energy = np.einsum('sn,sn->n', sample, sample)
        self._tiny = np.float32(1e-12) + np.float32(1e-6) * energy.max()
        _, height, _ = _match(sample, self._bank)
        # The fit residual in the least noisy tenth of the image, limited by the floor of the
        # curves: with few slices, most of the residual is misfit.
        left = np.maximum(energy - height * height, 0)
        noise = float(np.percentile(left, 10)) / max(len(axis) - 4, 1)
        self._noise = max(min(noise, (FLOOR_NOISE * floor) ** 2), float(self._tiny))

    def fit(self, wanted: Mask | None = None) -> CurveFit:
        """Fit the curves.

        Args:
            wanted: (N,) those whose peaks are needed; None: all.
        """
        residual = self._residual
        if wanted is not None:
            residual = np.compress(wanted, residual, axis=1)
        peak, height, half = _match(residual, self._bank)
        position = _in_slices(peak, self._bank, self._axis)
        count = len(self._axis)
        position[height <= 0] = (count - 1) / 2  # constant curve: use the middle
        step = np.abs(np.gradient(self._axis))
        step /= abs(self._axis[-1] - self._axis[0]) / (count - 1)
        nearest = np.clip(np.rint(position), 0, count - 1).astype(np.intp)
        half = half / step[nearest].astype(np.float32)
        found = [position, *self._judge(residual, height, half)]
        if wanted is not None:
            found = [_spread(values, wanted) for values in found]
        position, information, explained, height = found
        return CurveFit(position, information, explained, height, self._widths[self._best])

    def elsewhere(self, position: FloatMap) -> Mask:
        """Return where the curves peak elsewhere than at (N,) slice positions.

        A quick look, by one width and one candidate per slice, to find the few curves that are
        worth a fit.
        """
        bank = make_bank(self._axis, self._widths[self._best : self._best + 1], steps=1)
        peak, _, _ = _match(self._residual, bank)
        differs: Mask = np.abs(_in_slices(peak, bank, self._axis) - position) > ELSEWHERE
        return differs

    def _judge(
        self, residual: FloatMap, height: FloatMap, half: FloatMap
    ) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Return the information of each peak, the share of variance explained, height over noise.

        A template of half width w, at signal-to-noise ratio r, is located to about w / r; a
        curve whose height is below five times the noise, or that the fit does not explain, is
        uninformative.
        """
        energy = np.einsum('sn,sn->n', residual, residual)
        explained = height * height / np.maximum(energy, self._tiny)
        ratio = height * height / np.float32(self._noise)
        sure = np.maximum(1 - FAINTEST**2 / np.maximum(ratio, 1e-9), 0) ** 2
        sure *= np.clip(2 * explained - 1, 0, 1)
        misfit = MODEL_ERROR**2 * (1.001 - explained)
        variance = half * half * (1 / np.maximum(ratio, 1e-9) + misfit)
        information = (sure / variance).astype(np.float32)
        return information, explained.astype(np.float32), np.sqrt(ratio)


def _widths(count: int) -> list[float]:
    """Return the half widths to try for a number of slices."""
    steps = int(np.log(max(count / 2, 1) / NARROWEST) / np.log(GROWTH)) + 1
    return [NARROWEST * GROWTH**k for k in range(max(steps, 2))]


def _match(residual: FloatMap, bank: TemplateBank) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return each curve's peak in bins, its correlation and its half width."""
    total = residual.shape[1]
    peak, height, half = (np.empty(total, np.float32) for _ in range(3))
    widths = np.array(bank.widths, np.float32)
    for start in range(0, total, CHUNK):
        part = slice(start, start + CHUNK)
        peak[part], height[part], which = best_templates(bank, residual[:, part])
        half[part] = widths[which]
    return peak, height, half


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


def _spread(values: FloatMap, wanted: Mask) -> FloatMap:
    """Return (N,) values with those of the wanted curves, 0 elsewhere."""
    full = np.zeros(len(wanted), np.float32)
    full[wanted] = values
    return full
