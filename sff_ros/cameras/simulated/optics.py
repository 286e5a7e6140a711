"""The optics of the simulated camera: thin-lens images of a scene of known depth."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.cameras.reach import Dioptres
from sff_ros.cameras.simulated.scene import BALL, build_scene
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.field_curvature import off_axis
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.rendering import (
    BIN_STEP_PX,
    Layer,
    kernel_reach,
    lay_over,
    render,
    split_layer,
)
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.errors import ConfigError

FOCUS_MARGIN = 0.1  # reach of the lens beyond the scene, as a share of the scene's dioptres
MAX_BLUR_PX = 200.0  # larger discs would take seconds per slice
CACHED_SLICES = 128
CACHED_BYTES = 256 * 2**20
CACHE_DIGITS = 4  # of a dioptre
LEVELS = 16  # steps per grey level for adding noise
NOISE_SHIFTS_PX = 64

Rgb = npt.NDArray[np.uint8]
NoiseFree = npt.NDArray[np.int16]


class SimulatedOptics:
    """A thin lens in front of a procedural scene.

    Images are encoded with a gamma of 2, which makes shot noise nearly uniform over the grey
    levels (Anscombe): one noise level covers read and shot noise. The image scale is that at
    `reference_dpt` for every focus, apart from the configured breathing.

    Args:
        config: lens, scene and noise.
        layers: the scene, far to near, in the pixels of the image, with `border_px` of it
            outside; None: the table scene.

    Attributes:
        lens: as configured.
        reach: focus range of the lens: a tenth of the scene's range beyond either end.
        reference_dpt: the focus at which `intrinsics` and the ground truth hold: the middle of the
            range.

    Raises:
        ConfigError: the scene is empty or nearer than the lens can focus, or its blur is
            too large.
    """

    def __init__(self, config: SimulatedConfig) -> None:
        self._config = config
        self.lens = ThinLens(config.focal_mm / 1e3, config.fnumber, config.pitch_um / 1e6)
        scene = _scene_range(config)
        self.reach = _reach(scene, config)
        self.reference_dpt = (scene.far_dpt + scene.near_dpt) / 2
        self.border_px = self._outside_px(scene)
        self._rng = np.random.default_rng(config.seed)
        self._noise = self._noise_tile()
        self._cache: OrderedDict[tuple[float, int], NoiseFree] = OrderedDict()
        self.show(
            build_scene(
                config.width,
                config.height,
                self.border_px,
                scene.far_dpt,
                scene.near_dpt,
                config.seed,
            )
        )

    def show(self, layers: list[Layer]) -> None:
        """Put another scene in front of the lens.

        Args:
            layers: far to near, in the pixels of the image and extending `border_px` outside; the
                first ones cover it.
        """
        step_dpt = BIN_STEP_PX / self._radius_px(self.reference_dpt + 1, self.reference_dpt)
        self._layers = layers
        self._split = [split_layer(self._bent(layer), step_dpt) for layer in layers]
        self._cache.clear()

    def _bent(self, layer: Layer) -> Layer:
        """Return a layer with the dioptres at which the centre of the image would be sharp."""
        if self._config.field_dpt == 0:
            return layer
        height, width = layer.dioptres.shape
        y, x = np.indices((height, width)) + np.array((layer.y, layer.x)).reshape(2, 1, 1)
        bend = self._config.field_dpt * off_axis(self.intrinsics, np.stack((x, y), axis=-1))
        return replace(layer, dioptres=(layer.dioptres - bend).astype(np.float32))

    @property
    def intrinsics(self) -> Intrinsics:
        """The pinhole camera at the reference focus, without distortion."""
        width, height = self._config.width, self._config.height
        focal_px = self.lens.image_distance_px(self.reference_dpt)
        return Intrinsics(width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2)

    def scale_at(self, focus_dpt: float) -> float:
        """Return the image scale at a focus relative to that at the reference focus."""
        span = self.reach.near_dpt - self.reach.far_dpt
        return 1 + self._config.breathing * (focus_dpt - self.reference_dpt) / span

    @property
    def true_depth_m(self) -> FloatMap:
        """Depth along Z of the nearest surface that covers half the pixel, (H, W) float32 m."""
        height, width = self._config.height, self._config.width
        dioptres = np.zeros((height, width, 1), np.float32)
        for layer in self._layers:
            cover = np.float32(layer.rgba[..., 3:] >= 0.5)
            solid = np.dstack((layer.dioptres[..., None] * cover, cover))
            lay_over(dioptres, solid, layer.x, layer.y)
        depth_m: FloatMap = np.float32(1) / dioptres[..., 0]
        return depth_m

    @property
    def all_in_focus(self) -> Rgb:
        """The pinhole image at the reference focus, (H, W, 3), without noise."""
        canvas = np.zeros((self._config.height, self._config.width, 3), np.float32)
        for layer in self._layers:
            lay_over(canvas, layer.rgba, layer.x, layer.y)
        return _encode(canvas, 1).astype(np.uint8)

    def image(self, focus_dpt: float, shake_px: float = 0.0, ball_px: int = 0) -> Rgb:
        """Return an image, (H, W, 3), with noise.

        Args:
            focus_dpt: focus of the lens, >= 0.
            shake_px: shift of the image to the right.
            ball_px: shift of the ball on the table, to the right.
        """
        clean = self._noise_free(focus_dpt, ball_px)
        if shake_px:
            clean = _shifted(clean, shake_px)
        return self._add_noise(clean)

    def _radius_px(self, object_dpt: float, focus_dpt: float) -> float:
        return self.lens.blur_diameter_px(object_dpt, focus_dpt) / 2

    def _outside_px(self, scene: Dioptres) -> int:
        """Return the width outside the image that can affect it, px."""
        reach = self.reach
        radius = max(
            self._radius_px(scene.far_dpt, reach.near_dpt),
            self._radius_px(scene.near_dpt, reach.far_dpt),
        )
        largest = min(MAX_BLUR_PX, self._config.height / 2)
        if 2 * radius > largest:
            raise ConfigError(
                f'blur would be {2 * radius:.0f} px wide, more than {largest:.0f}: raise fnumber '
                f'{self._config.fnumber:g} or near_m {self._config.near_m:g}, or lower focal_mm '
                f'{self._config.focal_mm:g}'
            )
        smallest = min(self.scale_at(reach.far_dpt), self.scale_at(reach.near_dpt))
        larger_side = max(self._config.width, self._config.height)
        return kernel_reach(radius) + 2 + math.ceil(larger_side / 2 * (1 / smallest - 1))

    def _noise_free(self, focus_dpt: float, ball_px: int) -> NoiseFree:
        """Return the slice without noise, in LEVELS steps per grey level; cached."""
        key = (round(focus_dpt, CACHE_DIGITS), ball_px)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        image = _encode(self._expose(*key), LEVELS)
        room = min(CACHED_SLICES, max(CACHED_BYTES // image.nbytes, 1))
        while len(self._cache) >= room:
            self._cache.popitem(last=False)
        self._cache[key] = image
        return image

    def _expose(self, focus_dpt: float, ball_px: int = 0) -> FloatMap:
        """Return the image at a focus, (H, W, 3) linear light."""
        layers = list(self._split)
        if ball_px:
            layers[BALL] = layers[BALL].moved(ball_px)
        width, height, border = self._config.width, self._config.height, self.border_px
        image = render(
            layers,
            (-border, -border, width + 2 * border, height + 2 * border),
            lambda dioptres: self._radius_px(dioptres, focus_dpt),
        )
        scale = self.scale_at(focus_dpt)
        if scale == 1:
            return image[border : border + height, border : border + width]
        # Scale about the principal point.
        shift = [border + (side - 1) / 2 * (1 - 1 / scale) for side in (width, height)]
        source = np.array([[1 / scale, 0, shift[0]], [0, 1 / scale, shift[1]]])
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        grown = cv2.warpAffine(image, source, (width, height), flags=flags)
        return np.asarray(grown, np.float32)

    def _noise_tile(self) -> NoiseFree:
        height, width = self._config.height, self._config.width
        shape = (height + NOISE_SHIFTS_PX, width + NOISE_SHIFTS_PX, 3)
        noise = self._rng.standard_normal(shape, np.float32) * (self._config.noise * LEVELS)
        return np.asarray(np.rint(noise), np.int16)

    def _add_noise(self, image: NoiseFree) -> Rgb:
        """Return the image with noise in 8 bits.

        New noise would cost more than the rest of a capture, so one tile is randomly shifted,
        flipped vertically and negated: 16,384 different frames.
        """
        x, y, flip, negate = self._rng.integers((NOISE_SHIFTS_PX, NOISE_SHIFTS_PX, 2, 2)).tolist()
        height, width = image.shape[:2]
        noise = self._noise[y : y + height, x : x + width]
        noise = noise[::-1] if flip else noise
        noisy = image - noise if negate else image + noise
        noisy += LEVELS // 2
        noisy //= LEVELS
        return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def _encode(light: FloatMap, levels: int) -> NoiseFree:
    """Encode linear light as grey levels, in `levels` steps each, with a gamma of 2."""
    grey = np.sqrt(np.clip(light, 0, 1))
    return np.rint(grey * np.float32(255 * levels)).astype(np.int16)


def _shifted(image: NoiseFree, shift_px: float) -> NoiseFree:
    """Shift an image to the right; its border is replicated."""
    move = np.array([[1, 0, shift_px], [0, 1, 0]])
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(
        image, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.int16)


def _scene_range(config: SimulatedConfig) -> Dioptres:
    """Return the range of the scene, dioptres."""
    if not config.near_m < config.far_m:
        raise ConfigError(
            f'near_m must be less than far_m, not {config.near_m:g} and {config.far_m:g}'
        )
    return Dioptres(1 / config.far_m, 1 / config.near_m)


def _reach(scene: Dioptres, config: SimulatedConfig) -> Dioptres:
    """Return the range of the lens, dioptres: a little more than the scene's."""
    margin = FOCUS_MARGIN * (scene.near_dpt - scene.far_dpt)
    near = scene.near_dpt + margin
    if near * config.focal_mm >= 1000:
        raise ConfigError(
            f'near_m {config.near_m:g} is too near for focal_mm {config.focal_mm:g}: the lens '
            f'must reach {1000 / near:.0f} mm, and a lens cannot focus within its focal length'
        )
    return Dioptres(max(scene.far_dpt - margin, 0.0), near)
