"""What a camera makes of the light of a sweep: exposure, tone, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, RgbImage
from sff_ros.training.drawing.ranges import SampleRange
from sff_ros.training.drawing.textures import Rng

PROCESSED = 0.2  # share of the cameras that filter their images, and of those that compress

Stack = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Exposure:
    """Linear light to image brightness, the same for all slices.

    Attributes:
        saturation: of the colours, 0: grey.
        gain: brightness of white.
        gamma: of the tone curve; 1: linear.
        contrast, veil: what is left of the contrast, and the brightness of the haze.
    """

    saturation: float
    gain: float
    gamma: float
    contrast: float = 1.0
    veil: float = 0.0

    def apply(self, light: FloatMap) -> FloatMap:
        """Return brightness, 0..1, of (..., 3) linear light."""
        grey = light.mean(axis=-1, keepdims=True)
        image = (grey + (light - grey) * np.float32(self.saturation)) * np.float32(self.gain)
        image = np.clip(image, 0, 1)
        if self.gamma != 1:
            image = image ** np.float32(1 / self.gamma)
        if self.contrast < 1:
            image = np.float32(self.veil) + (image - np.float32(self.veil)) * np.float32(
                self.contrast
            )
        return np.asarray(image, np.float32)


def draw_exposure(rng: Rng, ranges: SampleRange, sweep: FloatMap, night: bool) -> Exposure:
    """Choose colourfulness, exposure, tone curve and haze.

    Args:
        rng: source of all randomness.
        ranges: share of low contrast.
        sweep: (S, H, W, 3) linear light; its brightest areas are exposed well.
        night: whether darkness is to stay dark.
    """
    saturation = 0.0 if rng.random() < 0.1 else rng.uniform(0.2, 1)
    bright = 1.0 if night else max(float(np.quantile(sweep, 0.98)), 0.05)
    gain = rng.uniform(0.35, 1.0) / bright
    gamma = rng.uniform(1.8, 2.4) if rng.random() < 0.5 else 1.0
    contrast = ranges.contrast.draw(rng)
    if contrast is None:
        return Exposure(saturation, gain, gamma)
    return Exposure(saturation, gain, gamma, contrast, rng.uniform(0.1, 0.9))


def draw_field_stop(rng: Rng, ranges: SampleRange, size: int) -> FloatMap | None:
    """Return (size, size, 1) transmission of a round field of view; None if there is none."""
    radius = ranges.field_stop.draw(rng)
    if radius is None:
        return None
    y, x = np.mgrid[:size, :size].astype(np.float32)
    centre = size * rng.uniform(0.2, 0.8, 2)
    edge = rng.uniform(0.5, 4)  # px over which it fades
    inside = (radius * size - np.hypot(x - centre[0], y - centre[1])) / edge + 0.5
    return np.asarray(np.clip(inside, 0, 1)[..., None], np.float32)


def shake(rng: Rng, sweep: FloatMap, drift_px: float) -> FloatMap:
    """Add a misalignment that grows over the sweep, and jitter."""
    size = sweep.shape[1]
    direction = rng.normal(0, 1, 2) / 2
    zoom = rng.normal(0, 1) / size
    moved = np.empty_like(sweep)
    for k, image in enumerate(sweep):
        share = k / max(len(sweep) - 1, 1) - 0.5
        shift = drift_px * (share * direction + rng.normal(0, 0.1, 2))
        scale = 1 + drift_px * share * zoom
        offset = shift + size / 2 * (1 - scale)
        matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        moved[k] = cv2.warpAffine(
            image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return np.clip(moved, 0, 1)


def resized(sweep: FloatMap, size: int) -> FloatMap:
    """Return the images of a sweep, or one, at another size."""
    if sweep.ndim == 4:
        return np.stack([resized(image, size) for image in sweep])
    smaller = size < sweep.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(sweep, (size, size), interpolation=method), np.float32)


def digitise(rng: Rng, sweep: FloatMap, noise: float) -> Stack:
    """Add read and shot noise; process and round to 8 bits.

    Args:
        rng: source of all randomness.
        sweep: (S, H, W, 3) brightness, 0..1.
        noise: standard deviation of the read noise, grey levels.
    """
    levels = sweep * np.float32(255)
    shot = noise * rng.uniform(0, 1)
    sigma = np.sqrt(noise**2 + shot**2 * sweep).astype(np.float32)
    levels += sigma * rng.standard_normal(sweep.shape, dtype=np.float32)
    return np.stack(_processed(rng, np.asarray(np.clip(levels, 0, 255), np.float32)))


def enlarged(rng: Rng, stack: Stack, size: int) -> Stack:
    """Return (S, size, size, 3) images: soft, as from a digital zoom."""
    method = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    images = [cv2.resize(image, (size, size), interpolation=method) for image in stack]
    return np.asarray(np.stack(images), np.uint8)


def blank_frames(rng: Rng, ranges: SampleRange, count: int) -> list[int]:
    """Return the slices that are black or white; at least three others remain."""
    wanted = ranges.blank_frames.draw(rng)
    number = min(round(wanted or 0), max(count - 3, 0))
    return sorted(rng.choice(count, number, replace=False).tolist()) if number else []


def _processed(rng: Rng, levels: FloatMap) -> list[RgbImage]:
    """Simulate in-camera processing and round to 8 bits.

    A fifth of the cameras denoise or sharpen, a fifth compress.
    """
    amount, sigma = rng.uniform(-0.7, 1.0), rng.uniform(0.4, 1.0)
    quality = round(rng.uniform(60, 97))
    filters, compresses = (rng.random(2) < PROCESSED).tolist()
    images = []
    for image in levels:
        if filters:
            smooth = cv2.GaussianBlur(image, (0, 0), sigma)
            image = image + np.float32(amount) * (image - smooth)
        rounded = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if compresses:
            _, packed = cv2.imencode('.jpg', rounded, (cv2.IMWRITE_JPEG_QUALITY, quality))
            rounded = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        images.append(rounded)
    return images


def unsteady(rng: Rng, ranges: SampleRange, sweep: FloatMap) -> FloatMap:
    """Misalign the slices of some sweeps, and let the exposure of some flicker."""
    if rng.random() < 0.3:
        sweep = shake(rng, sweep, rng.uniform(0, ranges.drift_px))
    if rng.random() < 0.5:
        flicker = rng.uniform(0, ranges.flicker)
        sweep *= (1 + flicker * rng.standard_normal((len(sweep), 1, 1, 1))).astype(np.float32)
    return sweep
