"""Align depth edges with the object outlines in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.image import FloatMap, Image, Mask, RgbImage
from sff_ros.errors import StackError

# A step is a change within 3 x 3 pixels of at least this many slices and this share of the half
# width of a focus curve; smaller changes are noise or a slope.
LEAST_STEP, STEP_OF_WIDTH = 1.5, 0.6
REACH = 2  # px on either side of a step that are reassigned
RING = 6  # px beyond these that sample the appearance of either surface
WIDEST = 14.0  # px from surface to surface; wider is not a step
STEEPER = 2.5  # times the change that the slopes of both surfaces explain
WINDOW = 7  # radius of the colour statistics windows, px at half resolution
MEDIAN = 5  # px: removes texture from the image, keeps outlines
COLOUR_NOISE = 0.06  # minimum standard deviation of a colour, of the mean brightness
CLEAR = 1.0  # difference in -2 log likelihood, below which colour is not used
DISPUTED = 0.3  # confidence factor where an edge is kept against the image evidence

_LOW, _HIGH, _OTHER = 1, 2, 3  # labels of the watershed


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """The pixels around depth steps, and the two surfaces that meet there.

    Attributes:
        undecided: (H, W) pixels that may belong to either surface.
        high_seeds, low_seeds: (H, W) pixels of the surfaces, beside the undecided ones.
        band: (H, W) the N undecided pixels with both surfaces within reach.
        high, low: (N,) slice position of either surface.
        is_high: (N,) whether the position map assigns the high surface.
    """

    undecided: Mask
    high_seeds: Mask
    low_seeds: Mask
    band: Mask
    high: FloatMap
    low: FloatMap
    is_high: Mask


def sharpen_edges(estimate: FocusEstimate, context: Image, width: float) -> FocusEstimate:
    """Reassign each pixel beside a depth step to one of the two surfaces.

    The focus measure responds to the sharp outline of a near object beyond that outline, so the
    object bleeds into its background, and the map has false depths in between. Three cues vote:
    the position map itself, the outline in the image (a watershed between the surfaces) and the
    colours (_resembles_high). A pixel takes the position of the nearest certain pixel of its
    surface. Where the map is kept against one of the other two, which is wrong about half the
    time, the confidence is lowered. Pixels away from steps do not change. Near and far are
    treated alike: the order of the sweep need not be known.

    Args:
        estimate: of a sweep.
        context: (H, W) or (H, W, 3) all-in-focus image, uint8 or uint16.
        width: half width at half height of the focus curves, slices.

    Raises:
        StackError: the image does not have the size of the map.
    """
    position = estimate.position
    if context.shape[:2] != position.shape:
        raise StackError(f'the context is {context.shape[:2]} px, the map {position.shape}')
    steps = _find_steps(position, max(LEAST_STEP, STEP_OF_WIDTH * width))
    if steps is None:
        return estimate
    image = _eight_bits(context)
    own = steps.is_high
    outline = _inside_outline(image, steps)
    colour = _resembles_high(image, steps)
    high = (own & outline) | (colour & (own | outline))
    disputed = (high == own) & ((outline != own) | (colour != own))
    position, confidence = position.copy(), estimate.confidence.copy()
    position[steps.band] = np.where(high, steps.high, steps.low)
    confidence[steps.band] *= np.where(disputed, np.float32(DISPUTED), np.float32(1))
    return FocusEstimate(position, confidence, estimate.deviation)


def _find_steps(position: FloatMap, step: float) -> _Steps | None:
    """Find the steps of a position map; None if there are none."""
    climb = _highest(position, 1) - _lowest(position, 1)
    undecided = _grow(climb > step, REACH)
    if not undecided.any():
        return None
    reach = REACH + 1
    middle: FloatMap = (_highest(position, reach) + _lowest(position, reach)) / np.float32(2)
    high_seeds, low_seeds = _seeds(position, undecided, middle)
    if not high_seeds.any() or not low_seeds.any():
        return None
    climb = cast('FloatMap', cv2.blur(climb, (3, 3)))
    high, high_climb, high_way = _nearest(high_seeds, undecided, position, climb)
    low, low_climb, low_way = _nearest(low_seeds, undecided, position, climb)
    way = high_way + low_way
    # Each climb is over the two-pixel extent of its 3 x 3 window.
    slopes = (high_climb + low_climb) / 4 * way
    is_step = (high - low > np.maximum(step, STEEPER * slopes)) & (way <= WIDEST)
    band = undecided.copy()
    band[undecided] = is_step
    is_high = (position > middle)[band]
    return _Steps(undecided, high_seeds, low_seeds, band, high[is_step], low[is_step], is_high)


def _seeds(position: FloatMap, undecided: Mask, middle: FloatMap) -> tuple[Mask, Mask]:
    """Return the pixels beside the undecided ones: above the middle of the step, and the rest.

    Args:
        middle: (H, W) half way between the surfaces; read at the undecided pixels.
    """
    distance, labels = _distances(undecided)
    middles = np.zeros(int(labels.max()) + 1, np.float32)
    middles[labels[undecided]] = middle[undecided]
    ring = ~undecided & (distance < RING)
    above = np.zeros_like(ring)
    above[ring] = position[ring] > middles[labels[ring]]
    return above, ring & ~above


def _nearest(
    seeds: Mask, where: Mask, position: FloatMap, climb: FloatMap
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return position, climb and distance of the nearest seed, at (N,) pixels."""
    distance, labels = _distances(seeds)
    sources = np.zeros(int(labels.max()) + 1, np.intp)
    sources[labels[seeds]] = np.flatnonzero(seeds)
    source = sources[labels[where]]
    return position.ravel()[source], climb.ravel()[source], distance[where]


def _distances(mask: Mask) -> tuple[FloatMap, npt.NDArray[np.int32]]:
    """Return (H, W) distance to the nearest pixel of a mask, px, and the label of that pixel."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~mask).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return cast('FloatMap', distance), cast('npt.NDArray[np.int32]', labels)


def _inside_outline(image: RgbImage, steps: _Steps) -> Mask:
    """Return (N,) whether a watershed from both surfaces assigns the high one.

    Watershed of Meyer (1992): the floods meet at the strongest edge between them.
    """
    labels = np.full(steps.band.shape, _OTHER, np.int32)
    labels[steps.undecided] = 0
    labels[steps.high_seeds] = _HIGH
    labels[steps.low_seeds] = _LOW
    found = cv2.watershed(cv2.medianBlur(image, MEDIAN), labels)[steps.band]
    inside: Mask = (found == _HIGH) | ((found != _LOW) & steps.is_high)
    return inside


def _resembles_high(image: RgbImage, steps: _Steps) -> Mask:
    """Return (N,) whether each colour is likelier on the high surface, at half resolution.

    The colours of either surface nearby are modelled as normal, channel by channel. Where the
    two hardly differ, the position map decides.
    """
    height, width = steps.band.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    noise = np.float32((COLOUR_NOISE * small.mean()) ** 2) + np.float32(1e-6)
    low, high = (
        _unlikelihood(small, cv2.resize(seeds.view(np.uint8), size).astype(np.float32), noise)
        for seeds in (steps.low_seeds, steps.high_seeds)
    )
    surplus = cv2.blur(np.clip(low - high, -6, 6), (3, 3))
    y, x = np.nonzero(steps.band)
    here = surplus[y * size[1] // height, x * size[0] // width]
    alike: Mask = (here > CLEAR) | ((np.abs(here) <= CLEAR) & steps.is_high)
    return alike


def _unlikelihood(image: FloatMap, seeds: FloatMap, noise: np.float32) -> FloatMap:
    """Return (h, w) -2 log likelihood of each colour under those of the seeds around it."""
    weight = _box(seeds) + np.float32(1e-6)
    weighted = image * seeds[..., None]
    mean = _box(weighted) / weight[..., None]
    variance = _box(weighted * image) / weight[..., None] - mean * mean
    variance = np.maximum(variance, 0) + noise
    distance: FloatMap = ((image - mean) ** 2 / variance + np.log(variance)).sum(axis=-1)
    return distance


def _eight_bits(image: Image) -> RgbImage:
    """Return (H, W, 3) scaled to a maximum of 255, for any exposure and type."""
    scaled = cv2.convertScaleAbs(image, alpha=255 / max(int(image.max()), 1))
    colour = scaled if scaled.ndim == 3 else cv2.cvtColor(scaled, cv2.COLOR_GRAY2RGB)
    return cast('RgbImage', colour)


def _box(values: npt.NDArray[Any]) -> FloatMap:
    size = (2 * WINDOW + 1, 2 * WINDOW + 1)
    return cast('FloatMap', cv2.blur(values, size, borderType=cv2.BORDER_CONSTANT))


def _square(radius: int) -> npt.NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _highest(values: FloatMap, radius: int) -> FloatMap:
    return cast('FloatMap', cv2.dilate(values, _square(radius)))


def _lowest(values: FloatMap, radius: int) -> FloatMap:
    return cast('FloatMap', cv2.erode(values, _square(radius)))


def _grow(mask: Mask, radius: int) -> Mask:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.view(np.uint8), disc).view(np.bool_)
