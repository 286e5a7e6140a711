"""A colour scale with round tick values, drawn beside an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import RgbImage

ColourMap = npt.NDArray[np.uint8]  # (256, 3) RGB, from the lowest value to the highest

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MIN_HEIGHT_PX = 300
_PAPER = 255
_INK = (30, 30, 30)


@dataclass(frozen=True, slots=True)
class Scale:
    """The colour scale of an image.

    Attributes:
        low, high: values of the first and the last colour, low < high.
        label: quantity and unit.
        colours: (256, 3) RGB.
    """

    low: float
    high: float
    label: str
    colours: ColourMap


def round_ticks(low: float, high: float) -> list[str]:
    """Return about six round numbers within [low, high], with the digits needed."""
    decade = 10.0 ** math.floor(math.log10(high - low))
    steps = [decade * m for m in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0)]
    counts = [math.floor(high / s + 1e-6) - math.ceil(low / s - 1e-6) + 1 for s in steps]
    best = min(range(len(steps)), key=lambda i: abs(counts[i] - 5.6))
    step = steps[best]
    digits = next(d for d in range(20) if math.isclose(round(step, d), step, rel_tol=1e-6))
    first = math.ceil(low / step - 1e-6)
    # Adding 0.0 turns -0.0 into 0.0.
    return [f'{round((first + i) * step, digits) + 0.0:.{digits}f}' for i in range(counts[best])]


def add_scale(image: RgbImage, scale: Scale) -> RgbImage:
    """Add a scale to the right of an image; small images are enlarged for legible numbers.

    Args:
        image: (H, W, 3) RGB.
        scale: to draw.

    Returns:
        (h, w, 3) RGB with h a multiple of H.
    """
    times = max(1, math.ceil(_MIN_HEIGHT_PX / image.shape[0]))
    image = image.repeat(times, axis=0).repeat(times, axis=1)
    height, width = image.shape[:2]
    size = height / 480 * 0.55 if height > 480 else 0.5
    text_height = text_size('0', size)[1]
    ticks = round_ticks(scale.low, scale.high)
    pad, bar_width = 2 * text_height, round(1.8 * text_height)
    tick_width = max(text_size(tick, size)[0] for tick in ticks)
    panel_width = max(
        2 * pad + bar_width + text_height + tick_width, text_size(scale.label, size)[0] + 2 * pad
    )
    canvas = np.full((height, width + panel_width, 3), _PAPER, np.uint8)
    canvas[:, :width] = image
    top, bottom = 2 * pad + text_height, height - pad
    left = width + pad
    draw_text(canvas, scale.label, (left, pad + text_height), size)
    rows = np.linspace(255, 0, bottom - top).round().astype(np.intp)
    canvas[top:bottom, left : left + bar_width] = scale.colours[rows][:, None]
    for tick in ticks:
        share = (float(tick) - scale.low) / (scale.high - scale.low)
        y = round(bottom - 1 - min(max(share, 0.0), 1.0) * (bottom - 1 - top))
        canvas[y, left + bar_width : left + bar_width + text_height // 2] = _INK
        draw_text(canvas, tick, (left + bar_width + text_height, y + text_height // 2), size)
    return canvas


def text_size(text: str, size: float) -> tuple[int, int]:
    """Return width and height of a line of text, px."""
    (width, height), _ = cv2.getTextSize(text, _FONT, size, _thickness(size))
    return width, height


def draw_text(
    canvas: RgbImage,
    text: str,
    at: tuple[int, int],
    size: float,
    colour: tuple[int, int, int] = _INK,
) -> None:
    """Write a line of text whose lower left corner is at (x, y), px."""
    cv2.putText(canvas, text, at, _FONT, size, colour, _thickness(size), cv2.LINE_AA)


def _thickness(size: float) -> int:
    return max(1, round(1.6 * size))
