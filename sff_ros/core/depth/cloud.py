"""Convert metric depth and a pinhole camera to organised points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Image
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError, StackError

# x, y, z at bytes 0, 4, 8; rgb at 16: the layout that PCL and RViz read fastest.
POINT_STEP = 32
_WORDS = POINT_STEP // 4


def unproject(depth_m: FloatMap, intrinsics: Intrinsics) -> FloatMap:
    """Turn a depth image into points in the optical frame (x right, y down, z forward).

    Args:
        depth_m: (H, W) m along Z; not finite: a point of NaN.
        intrinsics: pinhole camera of that image, without distortion.

    Returns:
        (H, W, 3) float32 m.

    Raises:
        CalibrationError: the camera is not calibrated, distorted, or of another size.
    """
    x_ray, y_ray = rays(depth_m.shape, intrinsics)
    z = np.where(np.isfinite(depth_m), depth_m, np.float32(np.nan))
    return np.stack((z * x_ray, z * y_ray[:, None], z), axis=-1)


def rays(shape: tuple[int, ...], intrinsics: Intrinsics) -> tuple[FloatMap, FloatMap]:
    """Return x / z of each column (W,) and y / z of each row (H,).

    Raises:
        CalibrationError: the camera is not calibrated, distorted, or of another size.
    """
    height, width = shape
    if not intrinsics.is_calibrated:
        raise CalibrationError('no points without intrinsics: the camera matrix is zero')
    if intrinsics.is_distorted:
        raise CalibrationError('points need a rectified image, this one is distorted')
    if (intrinsics.width, intrinsics.height) != (width, height):
        raise CalibrationError(
            f'intrinsics are for {intrinsics.width}x{intrinsics.height}, the depth image is '
            f'{width}x{height}'
        )
    x = (np.arange(width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(height) - intrinsics.cy) / intrinsics.fy
    return x.astype(np.float32), y.astype(np.float32)


class CloudBuilder:
    """Fills the bytes of an organised PointCloud2, with buffers that are allocated once.

    A point is 32 bytes: float32 x, y, z at 0, 4, 8 and rgb at 16, its bytes B, G, R, 0.
    """

    def __init__(self, intrinsics: Intrinsics) -> None:
        self.intrinsics = intrinsics
        shape = (intrinsics.height, intrinsics.width)
        self._x_ray, y_ray = rays(shape, intrinsics)
        self._y_ray = y_ray[:, None]
        self._points = np.zeros((*shape, _WORDS), np.float32)

    def fill(self, depth_m: FloatMap, colour: Image) -> npt.NDArray[np.float32]:
        """Write one image into the buffer.

        Args:
            depth_m: (H, W) m; not finite: NaN in x, y and z.
            colour: (H, W, 3) RGB or (H, W) grey, uint8.

        Returns:
            (H, W, 8) float32 words, valid until the next call.

        Raises:
            StackError: depth or colour are of another size than the camera.
        """
        for name, values in (('depth', depth_m), ('colour', colour)):
            if values.shape[:2] != self._points.shape[:2]:
                raise StackError(f'{name} is {values.shape}, the camera {self._points.shape[:2]}')
        points = self._points
        z = np.where(np.isfinite(depth_m), depth_m, np.float32(np.nan))
        np.multiply(z, self._x_ray, out=points[..., 0])
        np.multiply(z, self._y_ray, out=points[..., 1])
        points[..., 2] = z
        rgb = points.view(np.uint8)[..., 16:19]
        rgb[...] = colour[..., None] if colour.ndim == 2 else colour[..., ::-1]
        return points
