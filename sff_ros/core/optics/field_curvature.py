"""Field curvature: the focal surface of a real lens is curved, that of a thin one a plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics


def off_axis(intrinsics: Intrinsics, px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return tan^2 of the angle between pixels' rays and the optical axis, without distortion.

    Args:
        intrinsics: calibrated.
        px: (..., 2) x and y.
    """
    k = intrinsics
    x, y = (px[..., 0] - k.cx) / k.fx, (px[..., 1] - k.cy) / k.fy
    squared: npt.NDArray[np.float64] = x**2 + y**2
    return squared


def field_correction(camera: Intrinsics | None, field_dpt: float) -> FloatMap | None:
    """Return what to add to the dioptres of the sharpest slice, (H, W); None: nothing is known.

    Args:
        camera: of the image; None or uncalibrated: the angles are unknown.
        field_dpt: as for field_map; 0: unknown, or none.
    """
    if field_dpt == 0 or camera is None or not camera.is_calibrated:
        return None
    return field_map(camera, field_dpt)


def field_map(intrinsics: Intrinsics, field_dpt: float) -> FloatMap:
    """Return by how many dioptres each pixel focuses nearer than the principal point.

    Field curvature is of the second order in the angle (Petzval): field_dpt tan^2.

    Args:
        intrinsics: calibrated.
        field_dpt: dioptres at tan = 1, a focal length off the axis.

    Returns:
        (H, W) dioptres, to be added to those of the slice that is sharpest there.
    """
    x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    field: FloatMap = (field_dpt * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
    return field
