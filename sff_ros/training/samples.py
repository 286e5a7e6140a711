"""One training sample: a scene seen by an imperfect camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.core.image import FloatMap, Floats, RgbImage
from sff_ros.training.render import render_sweep
from sff_ros.training.scenes import LAST, draw_scene, flatten, visible
from sff_ros.training.textures import Rng, Textures

FLAT = 0.4  # share of the scenes without background behind visible surfaces
PROCESSED = 0.2  # share of the cameras that filter their images, and of those that compress


@dataclass(frozen=True, slots=True)
class CameraRange:
    """The distribution of cameras and sweeps of a recipe, sampled for every scene.

    Attributes:
        blur_px: range of the growth of the blur radius, px per canonical position.
        noise: range of the standard deviation of the sensor noise, grey levels of 255.
        even: share of the sweeps with even steps.
        usual: share of the sweeps with 15 slices.
        slices: range of the number of slices of the other sweeps.
        flicker: maximum standard deviation of the exposure from slice to slice.
        drift_px: maximum misalignment over the sweep, px.
    """

    blur_px: tuple[float, float] = (0.2, 4.0)
    noise: tuple[float, float] = (0.2, 4.0)
    even: float = 0.7
    usual: float = 0.6
    slices: tuple[int, int] = (8, 60)
    flicker: float = 0.02
    drift_px: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A focal stack and its ground truth.

    Attributes:
        stack: (S, size, size, 3) uint8.
        places: (S,) canonical positions of the slices, increasing from 0 to 14.
        ground_truth: (size, size) float32 canonical position of the visible surface.
        blur_px: growth of the blur radius, px per position.
    """

    stack: npt.NDArray[np.uint8]
    places: Floats
    ground_truth: FloatMap
    blur_px: float


def draw_sample(rng: Rng, textures: Textures, cameras: CameraRange, size: int) -> Sample:
    """Draw a scene and render it.

    Args:
        rng: source of all randomness: the same generator gives the same sample.
        textures: of the surfaces.
        cameras: distribution to draw the camera from.
        size: side of the images, px.
    """
    layers = draw_scene(rng, textures, size)
    if rng.random() < FLAT:
        layers = flatten(layers, size)
    _, ground_truth = visible(layers, size)
    places = _draw_places(rng, cameras)
    blur_px = float(np.exp(rng.uniform(*np.log(cameras.blur_px))))
    sweep = render_sweep(layers, places.tolist(), blur_px, size, float(rng.uniform(0.35, 0.8)))
    sweep = _expose(rng, sweep)
    if rng.random() < 0.3:
        sweep = _shake(rng, sweep, rng.uniform(0, cameras.drift_px))
    if rng.random() < 0.5:
        flicker = rng.uniform(0, cameras.flicker)
        sweep *= (1 + flicker * rng.standard_normal((len(sweep), 1, 1, 1))).astype(np.float32)
    return Sample(_digitise(rng, sweep, cameras), places, ground_truth, blur_px)


def _draw_places(rng: Rng, cameras: CameraRange) -> Floats:
    """Return the focus of each slice: even or with steps of up to 3:1, some dropped."""
    count = POSITIONS
    if rng.random() >= cameras.usual:
        # Sweeps of few slices are harder: half of these have less than 14 of 8 to 60.
        few, many = np.log(cameras.slices)
        count = round(float(np.exp(few + (many - few) * rng.random() ** 2)))
    steps = np.ones(count - 1)
    if rng.random() >= cameras.even:
        steps = np.exp(rng.uniform(0, np.log(3), count - 1))
        if rng.random() < 0.5:
            steps.sort()  # like a sweep that is even in metres or lens codes
            steps = steps[:: rng.choice((-1, 1))]
    places = np.concatenate([[0.0], np.cumsum(steps)])
    if count > 10 and rng.random() < 0.15:
        lost = 1 + rng.choice(count - 2, int(rng.integers(1, 3)), replace=False)
        places = np.delete(places, lost)
    return np.asarray(places / places[-1] * LAST, np.float64)


def _expose(rng: Rng, sweep: FloatMap) -> FloatMap:
    """Choose colourfulness, exposure and tone curve."""
    grey = sweep.mean(axis=-1, keepdims=True)
    saturation = 0.0 if rng.random() < 0.1 else rng.uniform(0.2, 1)
    sweep = grey + (sweep - grey) * np.float32(saturation)
    sweep *= np.float32(rng.uniform(0.35, 1.0) / max(float(np.quantile(sweep, 0.98)), 0.05))
    if rng.random() < 0.5:
        sweep = np.clip(sweep, 0, 1) ** np.float32(1 / rng.uniform(1.8, 2.4))
    return np.clip(sweep, 0, 1)


def _shake(rng: Rng, sweep: FloatMap, drift_px: float) -> FloatMap:
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


def _digitise(rng: Rng, sweep: FloatMap, cameras: CameraRange) -> npt.NDArray[np.uint8]:
    """Add read and shot noise; process and round to 8 bits."""
    levels = sweep * np.float32(255)
    read = np.exp(rng.uniform(*np.log(cameras.noise)))
    shot = read * rng.uniform(0, 1)
    sigma = np.sqrt(read**2 + shot**2 * sweep).astype(np.float32)
    levels += sigma * rng.standard_normal(sweep.shape, dtype=np.float32)
    return np.stack(_processed(rng, np.asarray(np.clip(levels, 0, 255), np.float32)))


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
