"""Surface textures: photographs, noise, stripes, print, and nearly plain ones."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, RgbImage
from sff_ros.errors import ConfigError
from sff_ros.files.image import MAX_BYTES
from sff_ros.files.whole_file import read_file

Rng = np.random.Generator

SUFFIXES = ('.png', '.jpg', '.jpeg')
LEAST_SIDE = 96  # px; smaller images are skipped
PHOTOGRAPHS = 0.55  # share of the surfaces that show one, if there are any


class Textures:
    """Draws surfaces.

    Args:
        folders: of images, searched recursively; all folders have equal weight.

    Raises:
        ConfigError: a folder does not exist or holds no image.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._photographs: list[list[RgbImage]] = []
        for folder in folders:
            found = [_read(file) for file in sorted(folder.rglob('*')) if file.suffix in SUFFIXES]
            large = [p for p in found if p is not None and min(p.shape[:2]) >= LEAST_SIDE]
            if not large:
                raise ConfigError(f'textures: {folder} has no image of at least {LEAST_SIDE} px')
            self._photographs.append(large)

    def draw(self, rng: Rng, height: int, width: int) -> FloatMap:
        """Return (height, width, 3) in 0..1, of a random kind."""
        if self._photographs and rng.random() < PHOTOGRAPHS:
            image = self._photograph(rng, height, width)
        else:
            kinds: tuple[Callable[[Rng, int, int], FloatMap], ...] = (
                _noise_texture, _noise_texture, _stripes, _print, _nearly_plain,
            )  # fmt: skip
            image = kinds[rng.integers(len(kinds))](rng, height, width)
        return np.clip(image, 0, 1).astype(np.float32)

    def _photograph(self, rng: Rng, height: int, width: int) -> FloatMap:
        """Return a piece of a photograph: mirrored beyond its border, recoloured, any scale."""
        folder = self._photographs[rng.integers(len(self._photographs))]
        photograph = folder[rng.integers(len(folder))]
        scale = np.exp(rng.uniform(np.log(0.5), np.log(2.0)))
        side = [max(8, round(s / scale)) for s in (height, width)]
        rows, columns = (
            _mirrored(rng.integers(length) + np.arange(n), length)
            for n, length in zip(side, photograph.shape[:2], strict=True)
        )
        piece = photograph[rows[:, None], columns]
        piece = np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA))
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        image = np.roll(piece.astype(np.float32) / 255, rng.integers(3), axis=2)
        mean = image.mean(axis=(0, 1))
        contrast, gain = rng.uniform(0.3, 1.3), rng.uniform(0.5, 1.2, 3)
        return np.asarray((mean + (image - mean) * contrast) * gain, np.float32)


def installed_photographs() -> tuple[Path, ...]:
    """Return the folder of scikit-image's photographs, if it is installed."""
    found = find_spec('skimage')
    if found is None or found.origin is None:
        return ()
    return (Path(found.origin).parent / 'data',)


def fractal_noise(rng: Rng, height: int, width: int, exponent: float) -> FloatMap:
    """Return (height, width) noise of spectrum 1 / f^exponent, scaled to 0..1."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1
    noise = np.fft.irfft2(spectrum / frequency**exponent, s=(height, width))
    noise -= noise.min()
    return np.asarray(noise / max(float(noise.max()), 1e-9), np.float32)


def _noise_texture(rng: Rng, height: int, width: int) -> FloatMap:
    noise = fractal_noise(rng, height, width, rng.uniform(0.3, 1.7))
    if rng.random() < 0.4:
        noise = (noise > np.median(noise)).astype(np.float32)
    return _between(rng, noise)


def _stripes(rng: Rng, height: int, width: int) -> FloatMap:
    """Stripes or checks, soft or hard."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 32)
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    if rng.random() < 0.5:
        wave = wave * np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / period)
    wave = np.clip(wave * np.exp(rng.uniform(0, 3)), -1, 1)
    return _between(rng, (wave + 1) / 2)


def _print(rng: Rng, height: int, width: int) -> FloatMap:
    """Lines of characters on a plain ground."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    inks = rng.integers(0, 256, (3, 3))
    for _ in range(rng.integers(4, 24)):
        text = ''.join(chr(c) for c in rng.integers(33, 123, 8))
        place = int(rng.integers(-20, width)), int(rng.integers(0, height + 10))
        font, size = int(rng.integers(0, 8)), float(rng.uniform(0.3, 1.3))
        ink = inks[rng.integers(3)].tolist()
        cv2.putText(image, text, place, font, size, ink, int(rng.integers(1, 3)), cv2.LINE_AA)
    return image.astype(np.float32) / np.float32(255)


def _nearly_plain(rng: Rng, height: int, width: int) -> FloatMap:
    noise = fractal_noise(rng, height, width, 2.2) * rng.uniform(0.01, 0.2)
    return np.asarray(rng.uniform(0.1, 0.9, 3) + noise[..., None] - 0.1, np.float32)


def _between(rng: Rng, share: FloatMap) -> FloatMap:
    """Return a mix of two colours of random contrast, from faint to full."""
    one, other = rng.random(3), rng.random(3)
    other = one + (other - one) * rng.uniform(0.1, 1)
    return np.asarray(one + (other - one) * share[..., None], np.float32)


def _mirrored(index: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Return indices into 0..length - 1, mirrored at both ends."""
    index = index % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def _read(file: Path) -> RgbImage | None:
    try:
        data = np.frombuffer(read_file(file, MAX_BYTES), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image[..., ::-1], np.uint8)
