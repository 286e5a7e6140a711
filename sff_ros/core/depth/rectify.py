"""Correct lens distortion, as for an image_rect topic."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from sff_ros.core.image import FloatMap, Image
from sff_ros.core.optics.intrinsics import Intrinsics


class Rectifier:
    """Maps images and maps of a distorted camera to the pinhole with the same matrix.

    Slices are measured as they come, since resampling blurs; only results are rectified. Pixels
    whose ray leaves the image are unknown. Without distortion, inputs are returned unchanged.
    """

    def __init__(self, intrinsics: Intrinsics) -> None:
        self.intrinsics = intrinsics
        self._maps = _undistortion(intrinsics) if intrinsics.is_distorted else None

    def image(self, image: Image) -> Image:
        """Rectify an image, bilinear; black where it does not reach."""
        if self._maps is None:
            return image
        rectified: Any = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        return rectified  # type: ignore[no-any-return]

    def map(self, values: FloatMap, unknown: float) -> FloatMap:
        """Rectify a map by its nearest value, so that no depth between two surfaces is invented.

        Args:
            values: (H, W) of any meaning.
            unknown: what to write where the image does not reach.
        """
        if self._maps is None:
            return values
        return np.asarray(
            cv2.remap(
                values,
                *self._maps,
                cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(unknown,),
            ),
            np.float32,
        )


def _undistortion(intrinsics: Intrinsics) -> tuple[FloatMap, FloatMap]:
    """Return, for each rectified pixel, the x and y of the distorted image: two (H, W)."""
    size = (intrinsics.width, intrinsics.height)
    k = intrinsics.matrix
    d = np.array(intrinsics.distortion)
    if intrinsics.distortion_model == 'equidistant':
        maps = cv2.fisheye.initUndistortRectifyMap(k, d, np.eye(3), k, size, cv2.CV_32FC1)
    else:
        maps = cv2.initUndistortRectifyMap(k, d, np.eye(3), k, size, cv2.CV_32FC1)
    return np.asarray(maps[0], np.float32), np.asarray(maps[1], np.float32)
