"""Render a scene through a thin lens, with blur and true occlusion.

A scene is a list of layers, far to near. Depth varies smoothly within a layer (it is one
surface) and jumps between layers. Each layer continues behind those in front of it, so the
blurred edge of a near object reveals the true background. All colour is linear light.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.homography import product
from sff_ros.core.image import FloatMap

PSF_SIGMA_PX = 0.5  # blur of a point in focus, by pixel area and diffraction
BIN_STEP_PX = 0.25  # largest step of the blur radius between two depth bins of a layer
KERNEL_FLOOR = 1e-5  # of the sum; smaller weights cost time without effect in 8 bits


def blur_kernel(radius_px: float, sigma_px: float = PSF_SIGMA_PX) -> FloatMap:
    """Return a disc smoothed by a Gaussian: the image of a point, sampled at pixel centres.

    The disc is a sum of upright strips at the nodes of Gauss-Chebyshev quadrature (second
    kind), whose weight is the disc's own outline; so the kernel changes smoothly with the
    radius, from the plain Gaussian at 0, without jumps where a pixel enters the disc.

    Args:
        radius_px: radius of the disc, px, >= 0.
        sigma_px: standard deviation of the Gaussian, px, > 0.

    Returns:
        (2 k + 1, 2 k + 1), sum 1, symmetric.
    """
    radius = max(radius_px, 1e-3)  # below, the strips cancel to rounding errors
    far = kernel_reach(radius, sigma_px)
    reach = np.arange(-far, far + 1)
    count = 8 + math.ceil(3 * radius / sigma_px)
    angle = np.arange(1, count + 1) * math.pi / (count + 1)
    across = np.exp(-0.5 * ((reach[:, None] - radius * np.cos(angle)) / sigma_px) ** 2)
    half = radius * np.sin(angle)
    root = math.sqrt(2) * sigma_px
    along = _erf((reach[:, None] + half) / root) - _erf((reach[:, None] - half) / root)
    kernel = product(across * np.sin(angle), along.T)
    kernel += kernel.T.copy()
    kernel[kernel < KERNEL_FLOOR * kernel.sum()] = 0
    normed: FloatMap = (kernel / kernel.sum()).astype(np.float32)
    return normed


def kernel_reach(radius_px: float, sigma_px: float = PSF_SIGMA_PX) -> int:
    """Return the half size of the kernel of that radius, whole px."""
    return math.ceil(radius_px + 3 * sigma_px)


def _erf(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array([math.erf(value) for value in x.ravel().tolist()]).reshape(x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One surface of a scene, textured everywhere inside its outline.

    Attributes:
        rgba: (h, w, 4) float32 linear light, colour multiplied by alpha.
        dioptres: (h, w) float32 inverse depth; read only where alpha is above 0.
        x, y: position of the first pixel in the image, px; may be negative.
    """

    rgba: FloatMap
    dioptres: FloatMap
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SplitLayer:
    """A layer cut into bins of nearly equal blur, whose sum is the layer.

    Attributes:
        bins: (layer, the dioptres it is blurred for) each.
        x, y, width, height: the window of the image that the layer covers, px.
    """

    bins: tuple[tuple[Layer, float], ...]
    x: int
    y: int
    width: int
    height: int

    def moved(self, x_px: int) -> SplitLayer:
        """Return the layer shifted to the right."""
        bins = tuple((replace(part, x=part.x + x_px), dioptres) for part, dioptres in self.bins)
        return replace(self, bins=bins, x=self.x + x_px)


def split_layer(layer: Layer, step_dpt: float) -> SplitLayer:
    """Cut a layer into depth bins; a pixel between two bins is shared linearly.

    Sharing preserves the mean depth, so focus curves peak at the true depth, not at that of a
    bin.

    Args:
        layer: the surface.
        step_dpt: largest spacing of bins, dioptres; BIN_STEP_PX over the blur radius per
            dioptre keeps the bins invisible.
    """
    inside = layer.rgba[..., 3] > 0
    height, width = inside.shape
    if not inside.any():
        return SplitLayer((), layer.x, layer.y, width, height)
    low, high = float(layer.dioptres[inside].min()), float(layer.dioptres[inside].max())
    count = math.ceil((high - low) / step_dpt) + 1
    step = (high - low) / max(count - 1, 1)
    bins = []
    for centre in np.linspace(low, high, count).tolist():
        share = inside.astype(np.float32)
        if step > 0:
            share *= np.clip(1 - np.abs(layer.dioptres - centre) / step, 0, 1)
        x, y, w, h = cv2.boundingRect((share > 0).astype(np.uint8))
        if w == 0:
            continue
        window = np.s_[y : y + h, x : x + w]
        rgba = layer.rgba[window] * share[window][..., None]
        bins.append((Layer(rgba, layer.dioptres[window], layer.x + x, layer.y + y), centre))
    return SplitLayer(tuple(bins), layer.x, layer.y, width, height)


def render(
    layers: Sequence[SplitLayer],
    window: tuple[int, int, int, int],
    radius_px: Callable[[float], float],
    sigma_px: float = PSF_SIGMA_PX,
) -> FloatMap:
    """Render the image of a layered scene.

    Args:
        layers: far to near; the first should cover the image.
        window: x, y, width and height of the view, in the pixels of the layers.
        radius_px: blur radius, px, of a depth bin's dioptres at the current focus.
        sigma_px: standard deviation of the blur of a point in focus, px.

    Returns:
        (H, W, 3) linear light; black where no layer is.
    """
    left, top, width, height = window
    canvas = np.zeros((height, width, 4), np.float32)
    for layer in layers:
        kernels = [blur_kernel(radius_px(dioptres), sigma_px) for _, dioptres in layer.bins]
        rgba, x, y = _blur(layer, kernels)
        lay_over(canvas, rgba, x - left, y - top)
    return np.asarray(canvas[..., :3] / np.maximum(canvas[..., 3:], 1e-6), np.float32)


def _blur(layer: SplitLayer, kernels: Sequence[FloatMap]) -> tuple[FloatMap, int, int]:
    """Blur each bin with its kernel and sum; return it with its position in the image."""
    pad = max((kernel.shape[0] // 2 for kernel in kernels), default=0)
    total = np.zeros((layer.height + 2 * pad, layer.width + 2 * pad, 4), np.float32)
    for (part, _), kernel in zip(layer.bins, kernels, strict=True):
        k = kernel.shape[0] // 2
        wide = cv2.copyMakeBorder(part.rgba, k, k, k, k, cv2.BORDER_CONSTANT)
        wide = cv2.filter2D(wide, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        x, y = part.x - layer.x + pad - k, part.y - layer.y + pad - k
        total[y : y + wide.shape[0], x : x + wide.shape[1]] += np.asarray(wide, np.float32)
    # Where the blur changes along the surface, the bins' alphas sum to slightly more than 1.
    total /= np.maximum(total[..., 3:], 1)
    return total, layer.x - pad, layer.y - pad


def lay_over(canvas: FloatMap, top: FloatMap, x: int, y: int) -> None:
    """Composite `top` over the canvas in place (Porter and Duff 1984).

    Args:
        canvas: (H, W, C) without alpha, or (H, W, C + 1) with alpha last.
        top: (h, w, C + 1), multiplied by alpha, alpha last.
        x, y: position of top's first pixel in the canvas; pixels outside are clipped.
    """
    height, width, channels = canvas.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + top.shape[1], width), min(y + top.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    top = top[y0 - y : y1 - y, x0 - x : x1 - x]
    below = canvas[y0:y1, x0:x1]
    below *= 1 - top[..., -1:]
    below += top[..., :channels]
