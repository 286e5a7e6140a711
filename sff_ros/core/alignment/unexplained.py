"""Change between two slices that neither defocus nor a small shift explains.

Defocus averages. So, if only the focus has changed, each pixel of the more blurred image lies
within the range that the sharper one takes there when it is blurred: little, more, or a lot.
Which of the two is the more blurred one may differ from pixel to pixel, as at depth edges: a
pixel is explained if either range holds the other image. What moved is out of both ranges,
however far it went, also where no shift can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.alignment.local_shift import CELL, WINDOW, window_sums
from sff_ros.core.image import FloatMap, Floats

BLURS = (3, 7, 15)  # sides of the boxes whose means span the range, px
LOCAL = 25  # side of the window whose mean may change, px: flicker, flare, vignetting
QUIET = 0.1  # share of the image that is taken to have changed by noise alone
NOISE = 2.0  # variances of the difference that contrast must exceed to count as such
FAINTEST = 0.03  # contrast below which there is no texture, of the mean of the image


@dataclass(frozen=True, slots=True, eq=False)
class BlurRange:
    """An image and the range of its blurs.

    Attributes:
        image: (h, w) of mean 1.
        low, high: (h, w) the least and the greatest value that a blur gives it.
        power: (h / 4, w / 4) variance of each window.
    """

    image: FloatMap
    low: FloatMap
    high: FloatMap
    power: Floats


def blur_range(image: FloatMap, slack_px: float) -> BlurRange:
    """Return an image with the range of its blurs.

    Args:
        image: (h, w) of mean 1, a little smoothed.
        slack_px: shift that is no change, 0..1 px: the range is that of the surroundings.
    """
    low = high = image
    for side in BLURS:
        blurred = cast('FloatMap', cv2.blur(image, (side, side)))
        low, high = np.minimum(low, blurred), np.maximum(high, blurred)
    slack = np.float32(slack_px)
    around = np.ones((3, 3), np.uint8)
    low = low + slack * (cv2.erode(low, around) - low)
    high = high + slack * (cv2.dilate(high, around) - high)
    mean = _means(image)
    return BlurRange(image, low, high, np.maximum(_means(image * image) - mean**2, 0))


def unexplained(first: BlurRange, second: BlurRange, weight: FloatMap) -> Floats:
    """Return which share of the contrast defocus does not explain.

    Args:
        first, second: of two slices.
        weight: (h, w), 0 where there is no image.

    Returns:
        (h / 4, w / 4) of the window around each cell, >= 0: near 0 where only the focus changed,
        1 where what is beyond both ranges is as strong as the contrast of the weaker image.
    """
    change = first.image - second.image
    noise = _noise(change, _means(first.image))
    height, width = change.shape
    # The difference may have any local mean, so that light that changes is not motion.
    offset = cv2.blur(change, (LOCAL, LOCAL))
    here, there = first.image - offset, second.image + offset
    beyond = np.minimum(
        np.maximum(np.maximum(first.low - there, there - first.high), 0),
        np.maximum(np.maximum(second.low - here, here - second.high), 0),
    )
    deviation = cv2.resize(
        np.sqrt(noise).astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST
    )
    beyond = np.maximum(beyond - deviation, 0) * weight
    contrast = np.minimum(first.power, second.power)
    share: Floats = _means(beyond * beyond) / (contrast + NOISE * noise + FAINTEST**2)
    return share


def _means(values: FloatMap) -> Floats:
    """Return the mean over the window around each cell."""
    return window_sums(values) / (CELL * WINDOW) ** 2


def _noise(change: FloatMap, brightness: Floats) -> Floats:
    """Return (h / 4, w / 4) the variance of the noise of the difference of two slices.

    Noise depends on brightness: so each quarter of the image has its own, from the darkest to the
    brightest. It is that of its quietest windows, in which nothing but noise can have changed.
    """
    fine = change - cv2.blur(change, (3, 3))
    # A running sum may leave a little less than 0 where the image is black.
    power = np.maximum(2 * _means(np.asarray(fine * fine, np.float32)), 0)
    quarters = np.array_split(np.argsort(brightness, axis=None), 4)
    noise = np.empty(power.size)
    for cells in quarters:
        noise[cells] = (
            np.sort(power.flat[cells])[round(QUIET * (len(cells) - 1))] if len(cells) else 0
        )
    return noise.reshape(power.shape)
