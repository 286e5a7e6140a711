"""Training samples of path-traced scenes: exposure, tone and noise are drawn anew at each use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.errors import ConfigError
from sff_ros.training.drawing.camera import (
    Exposure,
    digitise,
    draw_exposure,
    draw_field_stop,
    enlarged,
    resized,
    unsteady,
)
from sff_ros.training.drawing.known import MIXED_PX, has_texture, is_outshone
from sff_ros.training.drawing.ranges import SampleRange, log_uniform
from sff_ros.training.drawing.samples import Sample
from sff_ros.training.drawing.scenes import LAST
from sff_ros.training.drawing.textures import Rng
from sff_ros.training.traced.files import TracedScene, read_traced

SLOPE_STEP, SLOPE_PX = 0.01, 17  # of light and px, over which the tone curve is one slope
COVERED = 2.0  # noise of the camera, at least, times that of the rendering
MISLEADS = 10.0  # times that noise of the rendering counts: it is less in focus
NOISIEST = 4.0  # grey levels: where more noise of the rendering is left nothing is known


@dataclass(frozen=True, slots=True)
class TracedFolder:
    """Path-traced scenes in a folder.

    Attributes:
        files: in the order of their names.
        share: of the samples that are to be of them.
    """

    files: tuple[Path, ...]
    share: float

    def draw(self, rng: Rng, ranges: SampleRange, size: int) -> Sample:
        """Return a sample of one of the scenes.

        Raises:
            ConfigError: a file is broken or of another size.
        """
        return traced_sample(rng, ranges, _read(self.files[rng.integers(len(self.files))], size))


def open_traced(folder: Path, share: float, size: int) -> TracedFolder:
    """Find the scenes of a folder.

    Args:
        folder: of the files.
        share: of the samples that are to be of them.
        size: side of the images of the training, px.

    Raises:
        ConfigError: it has none, or the first is broken or of another size.
    """
    files = tuple(sorted(folder.glob('scene_*.npz')))
    if not files:
        raise ConfigError(
            f'{folder} has no scene_*.npz: python -m sff_ros.training.traced --out {folder}'
        )
    _read(files[0], size)
    return TracedFolder(files, share)


def _read(file: Path, size: int) -> TracedScene:
    scene = read_traced(file)
    if scene.place.shape != (size, size):
        raise ConfigError(f'{file} is {scene.place.shape}, the training {(size, size)} px')
    return scene


def traced_sample(rng: Rng, ranges: SampleRange, scene: TracedScene) -> Sample:
    """Take images of a path-traced sweep with an imperfect camera.

    The position is known where has_texture says so of the light that surfaces scatter, but not
    where what they mirror or let through has more texture than they have themselves: its image
    lies elsewhere. Nor is it where noise of the rendering is left.

    Args:
        rng: source of all randomness.
        ranges: of noise, contrast, field stop, softness, flicker and misalignment; what belongs to
            scene and lens was decided when the scene was rendered.
        scene: of a file.
    """
    size = scene.place.shape[0]
    exposure = draw_exposure(rng, ranges, scene.sweep, night=False)
    sweep = exposure.apply(scene.sweep)
    slope = _slope(exposure, scene.own + scene.reflected)
    own, reflected = 255 * slope * scene.own, 255 * slope * scene.reflected
    leftover = 255 * slope.mean(axis=2) * scene.leftover
    known = np.isfinite(scene.place) & (leftover < NOISIEST)
    stop = draw_field_stop(rng, ranges, size)
    if stop is not None:
        sweep *= stop
        known &= stop[..., 0] > 0.5
    sweep = unsteady(rng, ranges, sweep)
    noise, scale = log_uniform(rng, ranges.noise), ranges.soft.draw(rng)
    # Noise of the rendering is less where a surface is in focus: it must not show.
    noise = max(noise, COVERED * float(np.median(leftover)))
    if scale is None:
        stack = digitise(rng, sweep, noise)
    else:
        inner = round(size / scale)
        stack = enlarged(rng, digitise(rng, resized(sweep, inner), noise), size)
        own = resized(resized(own, inner), size)
        reflected = resized(resized(reflected, inner), size)
    total = float(np.hypot(noise, MISLEADS * np.median(leftover)))
    place = np.nan_to_num(scene.place, nan=-LAST)
    known &= has_texture(
        own, place, place, scene.lamps, total, reflected, MIXED_PX + round(scale or 0)
    )
    known &= ~is_outshone(own, reflected, place, total)
    places = np.linspace(0, LAST, len(stack))
    return Sample(stack, places, place, known, scene.blur_px)


def _slope(exposure: Exposure, light: FloatMap) -> FloatMap:
    """Return (H, W, 3) by how much brightness grows with light, near a pixel.

    0 in clipped areas. It is smoothed, so that it has no texture of its own.
    """
    less, more = (exposure.apply(np.maximum(light + way, 0)) for way in (-SLOPE_STEP, SLOPE_STEP))
    slope = (more - less) / (2 * SLOPE_STEP)
    return np.asarray(cv2.blur(slope, (SLOPE_PX, SLOPE_PX)), np.float32)
