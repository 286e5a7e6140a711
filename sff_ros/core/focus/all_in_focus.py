"""The all-in-focus image: a running one during the sweep, and the final one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from sff_ros.core.focus.measure import Responses
from sff_ros.core.image import FloatMap, Image
from sff_ros.errors import StackError

# Side of the window over which the sharpest slice is chosen, pooled pixels: without it, noise
# would decide in textureless areas.
WINDOW = 5


class RunningAllInFocus:
    """Keeps, per block, the sharpest slice so far of one sweep."""

    def __init__(self) -> None:
        self._image: Image | None = None
        self._best: Responses | None = None

    @property
    def image(self) -> Image:
        """The image so far, in the slices' shape and type.

        Raises:
            StackError: no slice was added.
        """
        if self._image is None:
            raise StackError('no all-in-focus image before the first slice')
        return self._image

    def add(self, image: Image, responses: Responses) -> None:
        """Copy the blocks that are sharper in this slice.

        Args:
            image: (H, W) or (H, W, 3), as all of the sweep.
            responses: (C, h, w) focus responses of this slice, one per block of pixels.
        """
        total = responses[0] if len(responses) == 1 else responses.sum(axis=0)
        sharpness = cast('Responses', cv2.blur(total, (WINDOW, WINDOW)))
        if self._image is None or self._best is None:
            self._image, self._best = image.copy(), sharpness
            return
        sharper = (sharpness > self._best).view(np.uint8)
        np.maximum(self._best, sharpness, out=self._best)
        size = (image.shape[1], image.shape[0])
        mask = cv2.resize(sharper, size, interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(image, mask, self._image)


def compose(images: Sequence[Image], position: FloatMap) -> Image:
    """Blend, for each pixel, the two slices next to its slice position.

    Args:
        images: S slices of one shape and type, (H, W) or (H, W, 3); each is asked for once.
        position: (H, W) slice positions in [0, S - 1], finite.

    Returns:
        The all-in-focus image, in the slices' shape and type.

    Raises:
        StackError: the position map does not have the size of the slices, or is not finite.
    """
    image = images[0]
    if position.shape != image.shape[:2]:
        raise StackError(f'positions are {position.shape}, slices are {image.shape[:2]} px')
    if not np.isfinite(position).all():
        raise StackError('positions must be finite')
    position = np.clip(position, 0, len(images) - 1, dtype=np.float32)
    lower = np.minimum(position.astype(np.uint16), max(len(images) - 2, 0))
    before, after = np.empty_like(image), np.empty_like(image)
    for index in range(max(len(images) - 1, 1)):
        mask = (lower == index).view(np.uint8)
        cv2.copyTo(image, mask, before)
        if index + 1 < len(images):
            image = images[index + 1]
        cv2.copyTo(image, mask, after)
    weight = position - lower
    return _blend(before, after, weight)


def _blend(before: Image, after: Image, weight: FloatMap) -> Image:
    """Return before (1 - weight) + after weight."""
    if before.dtype == np.uint8:
        return cast('Image', cv2.blendLinear(before, after, 1 - weight, weight))
    # blendLinear does not support uint16.
    low, high = before.astype(np.float32), after.astype(np.float32)
    mixed = cast('FloatMap', cv2.blendLinear(low, high, 1 - weight, weight))
    return np.rint(mixed).astype(np.uint16)
