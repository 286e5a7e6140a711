"""The pinhole camera model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sff_ros.errors import CalibrationError, quoted

# Number of coefficients each distortion model of sensor_msgs/CameraInfo may carry.
DISTORTION_MODELS = {'plumb_bob': (4, 5), 'rational_polynomial': (8,), 'equidistant': (4,)}


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera in pixels, at the image size it was calibrated for.

    Attributes:
        width, height: image size, px.
        fx, fy: focal lengths, px; both 0 where the camera is not calibrated (as K[0] == 0 in
            sensor_msgs/CameraInfo).
        cx, cy: principal point, px; the centre of the first pixel is (0, 0).
        distortion: coefficients in OpenCV's order; empty or all zero where there is none.
        distortion_model: 'plumb_bob', 'rational_polynomial' or 'equidistant' (fisheye).
    """

    width: int
    height: int
    fx: float = 0.0
    fy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    distortion: tuple[float, ...] = ()
    distortion_model: str = 'plumb_bob'

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise CalibrationError(f'image size must be positive, not {self.width}x{self.height}')
        values = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(np.isfinite(values)):
            raise CalibrationError(f'intrinsics must be finite, not {values}')
        if self.fx < 0 or self.fy < 0 or (self.fx == 0) != (self.fy == 0):
            raise CalibrationError(
                f'fx and fy must both be positive, or both 0 if the camera is not calibrated, '
                f'not {self.fx} and {self.fy}'
            )
        if self.fx == 0 and any(self.distortion):
            raise CalibrationError('distortion means nothing without fx and fy: both are 0')
        counts = DISTORTION_MODELS.get(self.distortion_model)
        if counts is None:
            raise CalibrationError(
                f'distortion_model {quoted(self.distortion_model)} is unknown; '
                f'one of {", ".join(DISTORTION_MODELS)}'
            )
        if self.distortion and len(self.distortion) not in counts:
            raise CalibrationError(
                f'{self.distortion_model} takes {" or ".join(map(str, counts))} coefficients, '
                f'not {len(self.distortion)}'
            )

    @property
    def is_calibrated(self) -> bool:
        """Whether pixels can be turned into rays."""
        return self.fx > 0

    @property
    def is_distorted(self) -> bool:
        """Whether the image differs from that of a pinhole."""
        return any(self.distortion)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The camera matrix K, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def rectified(self) -> Intrinsics:
        """Return the same camera without distortion: what an image_rect topic shows."""
        return replace(self, distortion=(), distortion_model='plumb_bob')

    def scaled(self, width: int, height: int) -> Intrinsics:
        """Return the camera of the same image resized to width x height pixels."""
        sx, sy = width / self.width, height / self.height
        # The centre of the first pixel is (0, 0), so the image's corner is at -0.5.
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5 if self.is_calibrated else 0.0,
            cy=(self.cy + 0.5) * sy - 0.5 if self.is_calibrated else 0.0,
        )

    def cropped(self, x: int, y: int, width: int, height: int) -> Intrinsics:
        """Return the camera of the window of that size whose first pixel is (x, y).

        Raises:
            CalibrationError: the window leaves the image.
        """
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise CalibrationError(
                f'window {width}x{height} at ({x}, {y}) leaves the {self.width}x{self.height} '
                'image'
            )
        if not self.is_calibrated:
            return replace(self, width=width, height=height)
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)
