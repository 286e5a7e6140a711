"""Where a focus curve peaks, between slices: matched filters along the focus axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sff_ros.core.calm_product import calm_product

Floats = npt.NDArray[np.float32]

# Candidate peaks a slice; between them a parabola is put through the correlations.
STEPS = 2
# A peak just outside the sweep still shows its flank: candidates go on for one slice. Cutting
# them at the ends would pull every noisy estimate there inwards.
BEYOND = 1.0
NARROWEST, GROWTH = 0.6, 1.4  # half widths tried: a geometric series in mean slice spacings
SAMPLE = 4096  # curves looked at to find the common width
CHUNK = 400_000  # correlations held at a time: as many as stay in the cache
# Exponent of the templates' fall: above 2, since blur of less than half a pixel costs no contrast.
FALL = 2.5
# Standard deviation of responses to noise alone over their smallest: 0.6, 0.26 and 0.07 for the
# three measures of focus_peak over 15 slices (simulated).
FLOOR_NOISE = 0.6
FAINTEST = 5.0  # height over noise up to which a peak is taken for noise
MODEL_ERROR = 0.1  # of the half width: what a curve of another shape may shift the peak


@dataclass(frozen=True, slots=True, eq=False)
class CurveFit:
    """The peaks of N focus curves.

    Attributes:
        position: (N,) slice position of the peak in [-1, S].
        information: (N,) 1 / variance of the position, slices^-2; 0 where the curve is noise or
            has not the shape of a focus curve.
        explained: (N,) share of the curve's variance that the fit explains, 0..1.
        height: (N,) height of the curve over the noise of the whole volume.
        width: half width at half height of the fitted curves, in mean slice spacings.
    """

    position: Floats
    information: Floats
    explained: Floats
    height: Floats
    width: float


def fit_curves(curves: Floats, axis: npt.NDArray[np.float64]) -> CurveFit:
    """Find the peak of each curve by correlation with symmetric templates.

    Contrast falls off with blur, and blur grows with the distance from the surface in dioptres:
    so a curve is symmetric on `axis`, on any spacing. A template is 1 / (1 + |x / width|^2.5),
    less its mean; the position and width of the highest normalised correlation are the least
    squares fit of gain, offset and peak to all S samples at once. That beats three samples at
    the top (Nayar & Nakagawa, Shape from Focus, PAMI 1994) wherever blur grows by less than a
    pixel a slice and the top is flat: there only the flanks tell. Blur grows alike everywhere in
    one picture, so the width is that which explains most of the volume, or a neighbour of it.

    Args:
        curves: (S, N) responses >= 0.
        axis: (S,) strictly monotonic place of each slice.
    """
    count = len(axis)
    spacing = abs(axis[-1] - axis[0]) / (count - 1)
    places = np.arange(-BEYOND * STEPS, (count - 1 + BEYOND) * STEPS + 1) / STEPS
    widths = _widths(count)
    banks = [_templates(axis, extend(axis, places), width * spacing) for width in widths]
    residual = curves - curves.mean(axis=0)
    best = _common_width(residual, banks)
    kept = range(max(0, best - 1), min(len(widths), best + 2))
    peak, height, half = _match(residual, [banks[k] for k in kept], [widths[k] for k in kept])
    position: Floats = peak / np.float32(STEPS) - np.float32(BEYOND)
    position[height <= 0] = (count - 1) / 2  # constant: nowhere is as good as the middle
    step = np.abs(np.gradient(axis)) / spacing
    nearest = np.clip(np.rint(position), 0, count - 1).astype(np.intp)
    half = half / step[nearest].astype(np.float32)
    floor = float(np.percentile(curves.min(axis=0), 10))
    information, explained, height = _judge(residual, FLOOR_NOISE * floor, height, half)
    return CurveFit(position, information, explained, height, widths[best])


def extend(axis: npt.NDArray[np.float64], places: npt.NDArray[np.float64]) -> Floats:
    """Return the axis at slice positions, carried on evenly beyond its ends."""
    inside = np.interp(places, np.arange(len(axis)), axis)
    below = np.minimum(places, 0) * (axis[1] - axis[0])
    above = np.maximum(places - (len(axis) - 1), 0) * (axis[-1] - axis[-2])
    extended: Floats = (inside + below + above).astype(np.float32)
    return extended


def _widths(count: int) -> list[float]:
    """Return the half widths to try with so many slices."""
    steps = int(np.log(max(count / 2, 1) / NARROWEST) / np.log(GROWTH)) + 1
    return [NARROWEST * GROWTH**k for k in range(max(steps, 2))]


def _templates(axis: npt.NDArray[np.float64], peaks: Floats, width: float) -> Floats:
    """Return (P, S) templates of mean 0 and norm 1, one for each peak."""
    x = (axis[None] - peaks[:, None]) / width
    bank = 1 / (1 + np.abs(x) ** FALL)
    bank -= bank.mean(axis=1, keepdims=True)
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    return bank.astype(np.float32)


def _common_width(residual: Floats, banks: list[Floats]) -> int:
    """Return which bank explains most of the volume, from every so many-th curve."""
    sample = np.ascontiguousarray(residual[:, :: max(1, residual.shape[1] // SAMPLE)])
    return int(np.argmax([calm_product(bank, sample).max(axis=0).sum() for bank in banks]))


def _match(
    residual: Floats, banks: list[Floats], widths: list[float]
) -> tuple[Floats, Floats, Floats]:
    """Return each curve's best template place (in steps), its correlation and its width."""
    templates = np.concatenate(banks).T
    total = residual.shape[1]
    peak, height, half = (np.empty(total, np.float32) for _ in range(3))
    chunk = max(64, CHUNK // templates.shape[1])
    for start in range(0, total, chunk):
        part = slice(start, start + chunk)
        correlation = calm_product(residual[:, part].T, templates)
        which, peak[part], height[part] = _top(correlation.reshape(-1, *np.shape(banks)[:2]))
        half[part] = np.array(widths, np.float32)[which]
    return peak, height, half


def _top(correlation: Floats) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    """Return which of K banks is highest in each row of (N, K, P), where, and how high.

    The place within the bank comes from a parabola.
    """
    total, banks, places = correlation.shape
    flat = correlation.reshape(total, banks * places)
    rows = np.arange(total) * (banks * places)
    top = flat.argmax(axis=1)
    which, place = np.divmod(top, places)
    inner = np.clip(place, 1, places - 2)
    at = rows + top + (inner - place)
    before, middle, after = (flat.ravel()[at + d] for d in (-1, 0, 1))
    bend = np.maximum(2 * middle - before - after, np.float32(1e-12))
    shift = np.clip((after - before) / (2 * bend), -0.5, 0.5)
    shift[inner != place] = 0
    return which, (place + shift).astype(np.float32), flat.ravel()[rows + top]


def _judge(
    residual: Floats, most_noise: float, height: Floats, half: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the information in each peak, the share of variance explained, height over noise.

    The noise is what the fit leaves over in the calmest tenth of the picture, but no more than
    the floor that the curves fall to allows: of a few slices, most of the rest is misfit. A
    template of half width w, at a ratio r of height to noise, is known to about w / r; a curve
    whose height is within five times the noise, or that the fit does not explain, tells nothing.
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
