"""Array types of images and maps, and the check that an array is an image."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.errors import StackError

MIN_SIDE_PX = 16

Image = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]  # (H, W) grey or (H, W, 3) RGB
RgbImage = npt.NDArray[np.uint8]  # (H, W, 3), or (H, W) grey; for display
FloatMap = npt.NDArray[np.float32]  # per-pixel values, (H, W) or (H, W, C)
Mask = npt.NDArray[np.bool_]  # (H, W), or (N,) of flat maps
# Quoted: NumPy before 1.22 cannot subscript these at run time.
Floats: TypeAlias = 'npt.NDArray[np.float64]'
AnyFloats: TypeAlias = 'npt.NDArray[np.floating[Any]]'  # of either precision
Warp: TypeAlias = 'npt.NDArray[np.float64]'  # (3, 3) homography, px to px


def check_image(image: npt.NDArray[np.generic]) -> None:
    """Raise unless an array is an image.

    Raises:
        StackError: not the type, shape or minimum size of a slice.
    """
    if image.dtype not in (np.uint8, np.uint16):
        raise StackError(f'a slice must be uint8 or uint16, not {image.dtype}')
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise StackError(f'a slice must be (H, W) or (H, W, 3), not {image.shape}')
    if min(image.shape[:2]) < MIN_SIDE_PX:
        height, width = image.shape[:2]
        raise StackError(f'a slice must be at least {MIN_SIDE_PX} px a side, not {width}x{height}')


def to_grey(image: Image) -> Image:
    """Return an image as (H, W) grey of the same type: 0.299 R + 0.587 G + 0.114 B."""
    # The paper's weights are 0.2989, 0.5870 and 0.1140: equal to within a 40th of a grey level.
    return image if image.ndim == 2 else cast('Image', cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
