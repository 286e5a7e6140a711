"""Correlate focus curves with templates of one width, at a cost linear in the slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats

STEPS = 2  # candidate peaks per bin, for a fit
# A peak just outside the sweep still shows its flank, so candidates extend one bin beyond.
# Cutting them at the ends would bias noisy estimates there inwards.
BEYOND = 1.0
# Exponent of the templates' decay: above 2, since blur below half a pixel loses no contrast.
FALL = 2.5

# Long sweeps only; below 2 * FEWEST_BINS slices every slice is a bin of its own:
FEWEST_BINS = 40
BIN = 1 / 1.5  # of the template's half width: finer bins add no information about its peak
REACH = 6.0  # half widths from its peak at which a template is truncated; 1 % is left there
BLOCK = 32  # candidate peaks correlated with one run of bins


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neighbouring candidate peaks and the bins that they reach.

    Attributes:
        first: index of the first candidate.
        start, stop: range of bins.
        winners: the candidates that may win here; their neighbours belong to the adjacent blocks
            and are needed for the parabola.
        templates: (K, P, stop - start) float32.
    """

    first: int
    start: int
    stop: int
    winners: slice
    templates: FloatMap


@dataclass(frozen=True, slots=True, eq=False)
class TemplateBank:
    """Templates of K widths for every candidate peak of a sweep.

    Attributes:
        starts: (B,) first slice of each bin.
        sizes: (B,) slices of each bin.
        axis: (B,) position of each bin.
        widths: (K,) half widths, mean slice spacings.
        steps: candidates per bin.
        blocks: all candidates, in order.
    """

    starts: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]
    axis: Floats
    widths: tuple[float, ...]
    steps: int
    blocks: tuple[Block, ...]


def make_bank(axis: Floats, widths: Sequence[float], steps: int = STEPS) -> TemplateBank:
    """Make the templates 1 / (1 + |x / width|^2.5), less their mean, of norm 1.

    Args:
        axis: (S,) strictly monotonic position of each slice.
        widths: (K,) half widths, mean slice spacings.
        steps: candidates per bin; between them the correlations are interpolated by a parabola.
    """
    count = len(axis)
    group = max(1, min(int(min(widths) * BIN), count // FEWEST_BINS))
    starts = np.arange(0, count, group)
    sizes = np.diff(np.append(starts, count))
    centres = axis if group == 1 else np.add.reduceat(axis, starts) / sizes
    spacing = abs(axis[-1] - axis[0]) / (count - 1)
    is_long = count >= 2 * FEWEST_BINS
    places = np.arange(-BEYOND * steps, (len(centres) - 1 + BEYOND) * steps + 1) / steps
    candidates = centres[None] - extend(centres, places)[:, None]
    templates = np.stack([_templates(candidates / (w * spacing), sizes, is_long) for w in widths])
    blocks = _blocks(templates, is_long)
    return TemplateBank(starts, sizes, centres, tuple(widths), steps, blocks)


def best_templates(
    bank: TemplateBank, curves: FloatMap
) -> tuple[FloatMap, FloatMap, npt.NDArray[np.intp]]:
    """Find the best template for each curve.

    Args:
        curves: (S, N), each of mean 0.

    Returns:
        (N,) peak in bins, from -BEYOND to B - 1 + BEYOND, between candidates by a parabola; (N,)
        the best candidate's correlation; (N,) which width is the best.
    """
    curves = _in_bins(bank, curves)
    total = curves.shape[1]
    peak, height = np.zeros(total, np.float32), np.full(total, -np.inf, np.float32)
    width = np.zeros(total, np.intp)
    for block in bank.blocks:
        products = _products(block, curves)
        rows = cv2.transpose(products.reshape(-1, total)).reshape(total, *products.shape[:2])
        which, here, high = _top(np.asarray(rows, np.float32), block.winners)
        better = high > height
        np.copyto(peak, here + np.float32(block.first), where=better)
        np.copyto(height, high, where=better)
        np.copyto(width, which, where=better)
    return peak / np.float32(bank.steps) - np.float32(BEYOND), height, width


def total_height(bank: TemplateBank, curves: FloatMap) -> float:
    """Return the sum of the best correlations of all (S, N) curves of mean 0."""
    curves = _in_bins(bank, curves)
    heights = [_products(block, curves).max(axis=(0, 1)) for block in bank.blocks]
    return float(np.max(heights, axis=0).sum())


def extend(axis: Floats, places: npt.ArrayLike) -> FloatMap:
    """Return the axis at positions along it, extrapolated linearly beyond its ends."""
    at = np.asarray(places)
    inside = np.interp(at, np.arange(len(axis)), axis)
    below = np.minimum(at, 0) * (axis[1] - axis[0])
    above = np.maximum(at - (len(axis) - 1), 0) * (axis[-1] - axis[-2])
    extended: FloatMap = (inside + below + above).astype(np.float32)
    return extended


def _templates(x: Floats, sizes: npt.NDArray[np.intp], is_long: bool) -> Floats:
    """Return (P, B) templates, a row per candidate peak.

    Args:
        x: (P, B) from each candidate to each bin, half widths.
        sizes: (B,) slices of each bin.
        is_long: truncated, so that a template reaches only some of the bins.
    """
    shape: Floats = 1 / (1 + np.abs(x) ** FALL)
    if is_long:
        shape = np.maximum(shape - 1 / (1 + REACH**FALL), 0)
    # A bin of n slices holds their sum over sqrt(n), as noisy as a slice.
    root = np.sqrt(sizes)
    mean = (shape * sizes).sum(axis=1, keepdims=True) / sizes.sum()
    spread: Floats = (shape - mean) * root
    # 0 for a candidate in a gap of an uneven sweep, farther from any bin than REACH.
    norm = np.maximum(np.sqrt((spread * spread).sum(axis=1, keepdims=True)), 1e-12)
    # The curves have mean 0, so the template's mean only affects its norm.
    templates: Floats = (shape * root if is_long else spread) / norm
    return templates


def _blocks(templates: Floats, is_long: bool) -> tuple[Block, ...]:
    """Cut (K, P, B) templates into blocks; in long sweeps each holds only the bins it reaches."""
    _, total, bins = templates.shape
    if not is_long:
        return (Block(0, 0, bins, slice(0, total), templates.astype(np.float32)),)
    blocks = []
    for first in range(0, total, BLOCK):
        low, high = max(0, first - 1), min(total, first + BLOCK + 1)
        reached = np.flatnonzero((templates[:, low:high] > 0).any(axis=(0, 1)))
        start, stop = (int(reached[0]), int(reached[-1]) + 1) if len(reached) else (0, 1)
        part = np.ascontiguousarray(templates[:, low:high, start:stop], np.float32)
        inner = slice(first - low, min(first + BLOCK, total) - low)
        blocks.append(Block(low, start, stop, inner, part))
    return tuple(blocks)


def _in_bins(bank: TemplateBank, curves: FloatMap) -> FloatMap:
    """Return (B, N) curves of bins."""
    if len(bank.starts) == len(curves):
        return curves
    binned = np.add.reduceat(curves, bank.starts, axis=0)
    return np.asarray(binned / np.sqrt(bank.sizes)[:, None], np.float32)


def _products(block: Block, curves: FloatMap) -> FloatMap:
    """Return (K, P, N) correlations of (B, N) curves with the templates of a block."""
    widths, places, bins = block.templates.shape
    flat = block.templates.reshape(-1, bins)
    # einsum runs in NumPy's own loops: see core/homography on BLAS.
    products = np.einsum('ps,sn->pn', flat, curves[block.start : block.stop])
    return np.asarray(products.reshape(widths, places, -1), np.float32)


def _top(correlation: FloatMap, inner: slice) -> tuple[npt.NDArray[np.intp], FloatMap, FloatMap]:
    """Return the index of the highest of K widths in each row of (N, K, P), its peak and height.

    The peak is searched in the inner columns and interpolated by a parabola.
    """
    total, widths, places = correlation.shape
    allowed = correlation[..., inner]
    which, place = np.divmod(allowed.reshape(total, -1).argmax(axis=1), allowed.shape[2])
    place += inner.start
    flat = correlation.ravel()
    row = (np.arange(total) * widths + which) * places
    middle = np.clip(place, 1, places - 2)
    before, here, after = (flat[row + middle + d] for d in (-1, 0, 1))
    bend = np.maximum(2 * here - before - after, np.float32(1e-12))
    shift = np.clip((after - before) / (2 * bend), -0.5, 0.5)
    shift[middle != place] = 0
    return which, (place + shift).astype(np.float32), flat[row + place]
