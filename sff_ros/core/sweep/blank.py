"""Frames without an image: black, white or of one colour, beside slices that are not.

A flash or a driver that fails for one exposure delivers such a frame; a JPEG that cannot be
decoded is grey, a YUV image of zeros green. It is a missing slice: its focus responses are 0,
which reads as "not sharp here". No absolute brightness tells it from the slices of a dark scene,
so it is compared with a neighbour of the same sweep. Defocus spreads light and keeps its mean, so
a frame is blank only if its mean changed, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from sff_ros.core.image import Image, to_grey

BLOCK_PX = 8  # side of the blocks whose means are compared: noise of single pixels averages out
MOST_BLOCKS = 64  # along a side; blocks of larger images are larger
PLAIN = 1 / 8  # spread relative to that of the neighbour up to which a frame has no image
AT_THE_END = 1 / 4  # of the way from the darkest (brightest) part of the neighbour to its mean
FIVE_STOPS = 1 / 32  # of the neighbour's light: black, whatever noise leaves
LEAST = 0.5  # grey levels between the means: less is rounding, as in a room without light

NEARLY_BLACK = 1 / 4  # of the neighbour's light
STRUCTURED = 2.0  # grey levels of spread that no defocus turns into exactly one colour

Blank = Literal['black', 'white', 'uniform']


@dataclass(frozen=True, slots=True)
class BlankSlice:
    """A slice that was left out.

    Attributes:
        index: 0-based, among all slices of its sweep.
        colour: what it was.
    """

    index: int
    colour: Blank

    def __str__(self) -> str:
        return f'slice {self.index} is {self.colour}'


@dataclass(frozen=True, slots=True)
class Light:
    """Brightness of the blocks of one frame, grey levels of its type.

    Attributes:
        mean: of all.
        spread: their standard deviation.
        low, high: their 5th and 95th percentiles.
        brightest: the largest value of a pixel.
        uniform: whether all pixels are alike, to a grey level.
    """

    mean: float
    spread: float
    low: float
    high: float
    brightest: int
    uniform: bool

    def blank_beside(self, other: Light) -> Blank | None:
        """Return whether this frame has no image while a neighbour has one; None: it has one."""
        if abs(self.mean - other.mean) < LEAST:
            return None
        if self.mean <= other.mean * FIVE_STOPS:
            return 'black'
        if self.spread >= other.spread * PLAIN:
            return None
        is_dark = self.mean <= other.low + (other.mean - other.low) * AT_THE_END
        is_bright = self.mean >= other.high - (other.high - other.mean) * AT_THE_END
        if self.uniform and (is_dark or is_bright or other.spread >= STRUCTURED):
            return self._colour(other)
        if is_dark or is_bright:
            return 'black' if is_dark else 'white'
        return None

    def _colour(self, other: Light) -> Blank:
        """Name a frame of one colour."""
        if self.mean <= other.mean * NEARLY_BLACK:
            return 'black'
        return 'white' if self.mean >= other.brightest else 'uniform'


def light_of(image: Image) -> Light:
    """Measure the light of one frame.

    Args:
        image: (H, W) or (H, W, 3), uint8 or uint16.
    """
    height, width = (min(side // BLOCK_PX, MOST_BLOCKS) for side in image.shape[:2])
    grey = to_grey(image)
    exact = grey.astype(np.float32)  # else the means would be rounded
    blocks = cv2.resize(exact, (width, height), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(blocks, (5, 95))
    brightest = int(grey.max())
    return Light(
        mean=float(blocks.mean()),
        spread=float(blocks.std()),
        low=float(low),
        high=float(high),
        brightest=brightest,
        uniform=brightest - int(grey.min()) <= 1,
    )
