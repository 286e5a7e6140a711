"""Small rendered focal stacks of known depth for tests of the classical method."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.image import FloatMap, Floats, Image, RgbImage
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.peak import PeakBackend

HEIGHT, WIDTH, SLICES = 96, 128, 15
LEVELS = 60


def plane(left: float, right: float) -> FloatMap:
    """Return (H, W) slice positions that rise evenly from left to right."""
    return np.repeat(np.linspace(left, right, WIDTH, dtype=np.float32)[None], HEIGHT, axis=0)


def even(first: float, last: float, count: int) -> Floats:
    """Return evenly spaced numbers, both ends included."""
    return np.linspace(first, last, count).astype(np.float64)


def texture(seed: int = 0, contrast: float = 35.0) -> FloatMap:
    """Return a random texture around 110 grey levels."""
    noise = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8), np.float32)
    scaled: FloatMap = 110 + contrast * smooth / smooth.std()
    return scaled


def render(
    position: FloatMap,
    axis: Floats | None = None,
    growth_px: float = 0.6,
    noise: float = 1.0,
    gain: float = 1.0,
    sharp: FloatMap | None = None,
) -> list[RgbImage]:
    """Render a sweep over `axis` (0..14 unless given); blur grows by growth_px a unit of it.

    Each pixel takes the blur of its own depth: right for slopes, without occlusion.
    """
    sharp = texture() if sharp is None else sharp
    axis = np.arange(SLICES, dtype=float) if axis is None else axis
    levels = np.linspace(position.min(), position.max(), LEVELS)
    nearest = np.abs(levels[:, None, None] - position[None]).argmin(axis=0)
    rng = np.random.default_rng(1)
    stack = []
    for focus in axis:
        sigmas = np.maximum(growth_px * np.abs(levels - focus) / 2, 0.01)
        blurred = np.stack([cv2.GaussianBlur(sharp, (0, 0), s) for s in sigmas])
        image = np.take_along_axis(blurred, nearest[None], axis=0)[0]
        image = gain * (image + rng.normal(0, noise, image.shape))
        stack.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return stack


def run(
    backend: DepthBackend, stack: Sequence[Image], axis: Floats | None = None
) -> FocusEstimate:
    """Run a backend on a stack, swept over `axis` (0..S - 1 unless given)."""
    axis = np.arange(len(stack), dtype=float) if axis is None else axis
    responses, context = [], RunningAllInFocus()
    for image in stack:
        responses.append(backend.measure(image))
        context.add(image, responses[-1])
    height, width = stack[0].shape[:2]
    volume = FocusVolume(np.stack(responses), axis, (height, width), backend.spec.pooling)
    return backend.infer(volume, context.image)


def estimate(stack: Sequence[Image], axis: Floats | None = None) -> FocusEstimate:
    """Run the classical backend on a stack."""
    return run(PeakBackend(), stack, axis)
