"""Image scale against focus, as a warp or by two camera matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sff_ros.core.homography import inverse, product
from sff_ros.core.image import Floats, Warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError, quoted

MOST_SCALE = 10.0  # and least its inverse; lenses have 0.8 .. 1.25


def breathing_warp(scale: float, centre_px: tuple[float, float]) -> Warp:
    """Return (3, 3) from px of the reference focus to px of an image scaled about a point."""
    x, y = centre_px
    return np.array([[scale, 0, (1 - scale) * x], [0, scale, (1 - scale) * y], [0, 0, 1.0]])


def scales_of(warps: Sequence[Warp]) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Return the scale of each image of a sweep, and the point about which they scale, px.

    Args:
        warps: (3, 3) each, from px of the reference focus to px of an image.

    Raises:
        CalibrationError: they do more than scale about one point.
    """
    scales = tuple(float(warp[0, 0]) for warp in warps)
    far = max(range(len(warps)), key=lambda k: abs(scales[k] - 1))
    room = 1 - scales[far]
    centre = (
        (float(warps[far][0, 2]) / room, float(warps[far][1, 2]) / room) if room else (0.0, 0.0)
    )
    for warp, scale in zip(warps, scales, strict=True):
        if not np.allclose(warp, breathing_warp(scale, centre), atol=1e-6):
            raise CalibrationError(
                f'breathing must be a scale about one point of all images, not {warp.tolist()}'
            )
    return scales, centre


def middle(intrinsics: Intrinsics) -> tuple[float, float]:
    """Return the point that an image grows about if unspecified: the principal point, px."""
    k = intrinsics
    return (k.cx, k.cy) if k.is_calibrated else ((k.width - 1) / 2, (k.height - 1) / 2)


def breathed_matrix(intrinsics: Intrinsics, warp: Warp | None) -> Warp:
    """Return the (3, 3) camera matrix of an image with breathing.

    Args:
        intrinsics: at the reference focus.
        warp: (3, 3) from px of the reference focus to px of the image; None: the identity.

    Raises:
        CalibrationError: the warp does more than scale and shift, which no camera matrix can do.
    """
    if warp is None:
        return intrinsics.matrix
    plain = np.array([[warp[0, 0], 0, warp[0, 2]], [0, warp[1, 1], warp[1, 2]], [0, 0, 1]])
    if not np.allclose(warp, plain, atol=1e-9) or min(warp[0, 0], warp[1, 1]) <= 0:
        raise CalibrationError(
            f'breathing must be a scale and a shift to fit into a camera matrix, not '
            f'{warp.tolist()}'
        )
    return np.asarray(product(plain, intrinsics.matrix), np.float64)


def reference_of(own: Intrinsics, projection: Floats) -> tuple[Intrinsics, Warp | None]:
    """Return the camera at the reference focus, and the breathing of an image.

    Args:
        own: of the image.
        projection: (3, 4) of the reference focus; all zero if unspecified.

    Returns:
        The reference camera, with the image's distortion, which scales with it; and (3, 3) from
        px of the reference focus to px of the image, None where both are the same.

    Raises:
        CalibrationError: the projection is not that of a lone camera, or scales by more than
            MOST_SCALE.
    """
    if not own.is_calibrated or not projection.any():
        return own, None
    fx, fy, cx, cy = (float(projection[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    plain = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    lone = np.column_stack((plain, np.zeros(3)))
    if not np.isfinite(lone).all() or not np.array_equal(projection, lone) or min(fx, fy) <= 0:
        raise CalibrationError(
            f'P must be [fx 0 cx 0; 0 fy cy 0; 0 0 1 0] with positive fx and fy, or all zero, '
            f'not {quoted(projection.tolist())}'
        )
    if np.array_equal(plain, own.matrix):
        return own, None
    scales = (own.fx / fx, own.fy / fy)
    if not all(1 / MOST_SCALE <= scale <= MOST_SCALE for scale in scales):
        raise CalibrationError(
            f'K and P differ by a factor of {scales[0]:.4g} in x, {scales[1]:.4g} in y: breathing '
            f'is at most {MOST_SCALE:g}'
        )
    warp = np.asarray(product(own.matrix, inverse(plain)), np.float64)
    return replace(own, fx=fx, fy=fy, cx=cx, cy=cy), warp
