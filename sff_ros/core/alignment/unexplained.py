"""Change between two slices that neither defocus nor a small shift explains.

Defocus averages. So, if only the focus has changed, each pixel of the more blurred image lies
within the range that the sharper one takes there when it is blurred: little, more, or a lot.
Which of the two is the more blurred one may differ from pixel to pixel, as at depth edges: a
pixel is explained if either range holds the other image. What moved is out of both ranges,
however far it went, also where no shift can be measured.

How far the range must reach depends on the blur: a disc that grows takes its light from the whole
disc. So where an image has no fine detail left, its range is that of wider blurs as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from sff_ros.core.alignment.local_shift import CELL, WINDOW, window_sums
from sff_ros.core.image import FloatMap, Floats

BLURS = (3, 7, 15)  # sides of the boxes whose means span the range, px
WIDE = 31  # the same, where the image is blurred
# Share of the contrast of a window that is finer than 3 px. Sharp natural texture has 0.12 in the
# median; blurred by a disc of a radius of 2, 3 and 5 px, 0.018, 0.009 and 0.005.
BLURRED = 0.006
# Share of the variance of the noise of a difference that is noise finer than 3 px of one image.
SINGLE = 0.3
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
        wide: (h, w) the value that a wide blur gives it.
        mean, power: (h / 4, w / 4) mean and variance of each window.
        detail: (h / 4, w / 4) the part of it that is finer than 3 px.
    """

    image: FloatMap
    low: FloatMap
    high: FloatMap
    wide: FloatMap
    mean: Floats
    power: Floats
    detail: Floats

    def beyond(self, low: FloatMap, high: FloatMap, noise: Floats) -> FloatMap:
        """Return (h, w) how far another image is out of the range, <= 0 if it is not.

        Args:
            low, high: (h, w) between which the other image is.
            noise: (h / 4, w / 4) variance of the noise of the difference of both.
        """
        share = (self.detail - SINGLE * noise) / np.maximum(BLURRED * self.power, 1e-12)
        cells = np.clip(2 - share, 0, 1).astype(np.float32)
        height, width = self.image.shape
        blurred = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
        least = self.low + blurred * np.minimum(self.wide - self.low, 0)
        most = self.high + blurred * np.maximum(self.wide - self.high, 0)
        return cast('FloatMap', np.maximum(least - high, low - most))


def blur_range(image: FloatMap, slack_px: float) -> BlurRange:
    """Return an image with the range of its blurs.

    Args:
        image: (h, w) of mean 1, a little smoothed.
        slack_px: shift that is no change, 0..1 px: the range is that of the surroundings.
    """
    mean = _means(image)
    power = np.maximum(_means(image * image) - mean**2, 0)
    blurs = [cast('FloatMap', cv2.blur(image, (side, side))) for side in BLURS]
    fine = image - blurs[0]
    detail = _means(np.asarray(fine * fine, np.float32))
    low = high = image
    for blurred in blurs:
        low, high = np.minimum(low, blurred), np.maximum(high, blurred)
    slack = np.float32(slack_px)
    around = np.ones((3, 3), np.uint8)
    low = low + slack * (cv2.erode(low, around) - low)
    high = high + slack * (cv2.dilate(high, around) - high)
    wide = cast('FloatMap', cv2.blur(image, (WIDE, WIDE)))
    return BlurRange(image, low, high, wide, mean, power, detail)


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
    noise = _noise(change, first.mean)
    height, width = change.shape
    # The difference may have any local mean, so that light that changes is not motion.
    # It need not be changed: beside a strong edge it is that of the edge.
    offset = cv2.blur(change, (LOCAL, LOCAL))
    brighter, darker = np.maximum(offset, 0), np.minimum(offset, 0)
    beyond = np.minimum(
        first.beyond(second.image + darker, second.image + brighter, noise),
        second.beyond(first.image - brighter, first.image - darker, noise),
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
        if len(cells):
            rank = round(QUIET * (len(cells) - 1))
            noise[cells] = np.partition(power.flat[cells], rank)[rank]
    return noise.reshape(power.shape)
