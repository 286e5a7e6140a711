"""Resample images by a warp; coverage and corner displacement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.homography import product
from sff_ros.core.image import FloatMap, Image, Mask, Warp


def warped(image: Image, warp: Warp) -> Image:
    """Resample an image; where it ends, its border is repeated.

    Args:
        image: (H, W) or (H, W, 3).
        warp: (3, 3) from px of the result to px of the image.
    """
    if is_still(warp):
        return image
    size = (image.shape[1], image.shape[0])
    # Cubic: a linear one blurs, the more the nearer to half a pixel, and blur is what is measured.
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(image, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cast('Image', moved)


def covered(warps: Sequence[Warp], shape: tuple[int, int]) -> Mask:
    """Return (H, W), True where all images have pixels.

    Args:
        warps: from px of the result to px of each image.
        shape: (H, W) of all.
    """
    height, width = shape
    full = np.ones(shape, np.uint8)
    everywhere = np.ones(shape, bool)
    for warp in warps:
        if not is_still(warp):
            flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            seen = cv2.warpPerspective(full, warp, (width, height), flags=flags)
            everywhere &= seen.astype(bool)
    return everywhere


def corner_shift_px(warp: Warp, shape: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return the displacement of each of the four corners of an image (H, W), px."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]]).T
    there = product(warp, corners)
    distance: npt.NDArray[np.float64] = np.hypot(*(there[:2] / there[2] - corners[:2]))
    return distance


def warped_map(values: FloatMap, warp: Warp, beyond: float | None = None) -> FloatMap:
    """Resample a map by its nearest value, so that no depth between two surfaces is invented.

    Args:
        values: (H, W) of any meaning.
        warp: (3, 3) from px of the result to px of the map.
        beyond: what to write where the map does not reach; None: its border, repeated.
    """
    if is_still(warp):
        return values
    size = (values.shape[1], values.shape[0])
    border = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    resampled = cv2.warpPerspective(
        values, warp, size, flags=flags, borderMode=border, borderValue=(beyond or 0.0,)
    )
    return cast('FloatMap', resampled)


def is_still(warp: Warp) -> bool:
    """Return whether a warp is the identity."""
    return bool(np.allclose(warp, np.eye(3), atol=1e-9))


def without_rounding(warp: Warp) -> Warp:
    """Return a warp; the exact identity where it differs from that by rounding only."""
    return np.eye(3) if is_still(warp) else warp
