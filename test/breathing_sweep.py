"""Sweeps of the simulated camera that breathe, drift, or have something moving in them."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.image import Image
from sff_ros.core.optics.breathing import breathing_warp
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice

COUNT = 15
PERIOD_NS = 33_000_000
Map = npt.NDArray[np.float32]


@functools.lru_cache(maxsize=4)
def camera(breathing: float = 0.0, width: int = 320, height: int = 240) -> SimulatedOptics:
    """Return the simulated optics; the same one each time, since its images take long."""
    return SimulatedOptics(SimulatedConfig(width=width, height=height, breathing=breathing))


def sweep(
    of: SimulatedOptics, number: int = 0, *, calibrated: bool = True, drift_px: float = 0.0
) -> list[Slice]:
    """Return sweep `number` of a triangle, up first, its image drifting to the right.

    Args:
        of: the camera.
        number: of the sweep.
        calibrated: whether its slices know how they breathe.
        drift_px: from slice to slice; none at the middle of sweep 0.
    """
    reach, k = of.reach, of.intrinsics
    focus = np.linspace(reach.far_dpt, reach.near_dpt, COUNT)
    slices = []
    for index, focus_dpt in enumerate((focus if number % 2 == 0 else focus[::-1]).tolist()):
        turn = number * COUNT + index
        warp = breathing_warp(of.scale_at(focus_dpt), (k.cx, k.cy)) if calibrated else None
        image = shifted(of.image(focus_dpt), drift_px * (turn - COUNT // 2))
        stamp = (turn + 1) * PERIOD_NS
        slices.append(Slice(image, LensState(focus_dpt, warp=warp), stamp, index, COUNT, number))
    return slices


def shifted(image: Image, by_px: float) -> Image:
    """Return an image moved to the right."""
    if by_px == 0:
        return image
    warp = np.array([[1, 0, by_px], [0, 1, 0]])
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(image, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def with_mover(
    slices: list[Slice], px_a_slice: float, box: tuple[int, int, int, int], blur: float = 1.5
) -> list[Image]:
    """Return the images with a textured patch that moves to the right.

    Args:
        slices: the scene behind.
        px_a_slice: how fast.
        box: left, top, width and height half way through the sweep, px.
        blur: of the patch, which is the same in all slices.
    """
    left, top, wide, high = box
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.standard_normal((high, wide)).astype(np.float32), (0, 0), blur)
    patch = np.clip(110 + 40 * noise / noise.std(), 0, 255)
    images: list[Image] = []
    for k, slice_ in enumerate(slices):
        height, width = slice_.image.shape[:2]
        warp = np.array([[1, 0, left + px_a_slice * (k - len(slices) // 2)], [0, 1, top]])
        shown = cv2.warpAffine(patch, warp, (width, height), flags=cv2.INTER_CUBIC)
        cover = cv2.warpAffine(np.ones_like(patch), warp, (width, height))[..., None]
        mixed = slice_.image * (1 - cover) + shown[..., None] * cover
        images.append(np.clip(mixed, 0, 255).astype(np.uint8))
    return images
