"""Images for display: depth, slice positions, confidence and errors in colour, and slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from sff_ros.cli.report.scale_bar import ColourMap, Scale, add_scale, draw_text, text_size
from sff_ros.core.image import FloatMap, Image, Mask, RgbImage

_INVALID = 150  # grey that no colour map here contains
_PALE = 200
_THUMBNAIL_PX = 320
_DIVERGING = ((33, 60, 130), (90, 150, 210), (250, 250, 250), (230, 120, 90), (130, 20, 30))


def depth_image(depth_m: FloatMap) -> RgbImage:
    """Draw metric depth, near in warm colours, with a scale in metres.

    Colours are linear in dioptres, like the accuracy of the depth, so a near object keeps its
    shape beside a far wall.

    Args:
        depth_m: (H, W) m > 0; NaN, -Inf and +Inf are drawn grey.
    """
    low, high = robust_limits(depth_m)
    low = max(low, 1e-3 * high)  # if no pixel has a depth the limits start at 0
    share = np.linspace(0, 1, 256)
    nearness = low * (1 - share) / (low + share * (high - low))
    colours = _colour_map(cv2.COLORMAP_TURBO)[np.rint(255 * nearness).astype(np.intp)]
    scale = Scale(low, high, 'depth, m', colours)
    return add_scale(_colour(depth_m, scale), scale)


def position_image(position: FloatMap, sure: Mask | None = None) -> RgbImage:
    """Draw slice positions with a scale in slices from 0.

    Args:
        position: (H, W).
        sure: (H, W); other pixels are drawn pale and do not affect the scale.
    """
    counted = position if sure is None or not sure.any() else position[sure]
    scale = Scale(*robust_limits(counted), 'slice', _colour_map(cv2.COLORMAP_TURBO))
    image = _colour(position, scale)
    if sure is not None:
        image[~sure] = (0.3 * image[~sure] + 0.7 * _PALE).astype(np.uint8)
    return add_scale(image, scale)


def coloured_positions(position: FloatMap, last: float) -> RgbImage:
    """Draw slice positions from 0 to `last` without a scale, those beyond black, NaN grey."""
    image = _colour(position, Scale(0.0, last, 'slice', _colour_map(cv2.COLORMAP_TURBO)))
    image[np.isinf(position)] = 0
    return image


def prediction_image(prediction: FloatMap) -> RgbImage:
    """Draw the prediction (H, W) of the paper's network, with a scale in its own units."""
    colours = _colour_map(cv2.COLORMAP_TURBO)
    scale = Scale(*robust_limits(prediction), "the data set's units", colours)
    return add_scale(_colour(prediction, scale), scale)


def confidence_image(confidence: FloatMap) -> RgbImage:
    """Draw a confidence, (H, W) in [0, 1], bright where it is high."""
    scale = Scale(0.0, 1.0, 'confidence', _colour_map(cv2.COLORMAP_VIRIDIS))
    return add_scale(_colour(confidence, scale), scale)


def error_image(error: FloatMap, label: str) -> RgbImage:
    """Draw a signed error: blue below, white right, red above.

    Args:
        error: (H, W); non-finite values are drawn grey.
        label: quantity and unit for the scale.
    """
    low, high = robust_limits(error)
    reach = max(abs(low), abs(high))
    shares, stops = np.linspace(0, 1, 256), np.linspace(0, 1, len(_DIVERGING))
    channels = [np.interp(shares, stops, channel) for channel in zip(*_DIVERGING, strict=True)]
    scale = Scale(-reach, reach, label, np.stack(channels, axis=1).astype(np.uint8))
    return add_scale(_colour(error, scale), scale)


def contact_sheet(images: Sequence[Image], focus_dpt: Sequence[float]) -> RgbImage:
    """Draw all slices of a sweep side by side, each with its number and focus.

    Args:
        images: slices of one shape and type.
        focus_dpt: focus of each, dioptres; NaN where unknown.
    """
    columns = math.ceil(math.sqrt(len(images)))
    white = max(int(image.max()) for image in images) if images[0].dtype == np.uint16 else 255
    tiles = [
        _tile(image, 255 / max(white, 1), _slice_label(i, focus))
        for i, (image, focus) in enumerate(zip(images, focus_dpt, strict=True))
    ]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def robust_limits(values: FloatMap) -> tuple[float, float]:
    """Return the 1st and 99th percentile of the finite values, with a minimum spread."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, (1, 99)))
    spread = max(1e-3 * max(abs(low), abs(high)), 1e-6)
    if high - low < spread:
        return low - spread, high + spread
    return low, high


def _colour(values: FloatMap, scale: Scale) -> RgbImage:
    """Colour a map; non-finite values become grey."""
    valid = np.isfinite(values)
    share = (np.where(valid, values, scale.low) - scale.low) / (scale.high - scale.low)
    image = scale.colours[np.rint(np.clip(share, 0, 1) * 255).astype(np.intp)]
    image[~valid] = _INVALID
    return image


def _colour_map(code: int) -> ColourMap:
    """Return one of OpenCV's colour maps as (256, 3) RGB."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, code)[:, 0, ::-1], np.uint8)


def _slice_label(index: int, focus_dpt: float) -> str:
    if math.isnan(focus_dpt):
        return f'{index}'
    distance = f'{1 / focus_dpt:.3g} m' if focus_dpt > 0 else 'infinity'
    return f'{index}: {focus_dpt:.3g} dpt, {distance}'


def _tile(image: Image, gain: float, label: str) -> RgbImage:
    """Scale one slice to the width of a tile and write its label above it."""
    narrow = cv2.convertScaleAbs(image, alpha=gain)
    size = (_THUMBNAIL_PX, max(1, round(image.shape[0] * _THUMBNAIL_PX / image.shape[1])))
    method = cv2.INTER_AREA if image.shape[1] > _THUMBNAIL_PX else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(narrow, size, interpolation=method), np.uint8)
    colour = small if small.ndim == 3 else np.repeat(small[..., None], 3, axis=2)
    height = text_size('0', 0.5)[1]
    tile = np.full((size[1] + 3 * height, size[0] + height, 3), 255, np.uint8)
    draw_text(tile, label, (height // 2, 2 * height), 0.5)
    tile[3 * height :, height // 2 : height // 2 + size[0]] = colour
    return tile
