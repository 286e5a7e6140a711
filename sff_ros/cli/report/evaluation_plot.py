"""All-in-focus image, ground truth, estimate and error side by side."""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.cli.report.images import error_image, position_image
from sff_ros.cli.report.scale_bar import draw_text, text_size
from sff_ros.core.image import FloatMap, RgbImage

_SIZE = 0.6


def evaluation_plot(sharp: RgbImage, ground_truth: FloatMap, estimate: FloatMap) -> RgbImage:
    """Draw the four, each with its name; ground truth and estimate share one scale.

    Args:
        sharp: (H, W) or (H, W, 3) uint8 all-in-focus image.
        ground_truth, estimate: (H, W) slice positions; NaN is drawn grey.
    """
    maps = position_image(np.hstack([ground_truth, estimate]))
    errors = error_image(estimate - ground_truth, 'error, slices')
    # Small images are returned enlarged.
    times = maps.shape[0] // ground_truth.shape[0]
    colour = sharp if sharp.ndim == 3 else np.repeat(sharp[..., None], 3, axis=2)
    big = colour.repeat(times, axis=0).repeat(times, axis=1)
    width = big.shape[1]
    panels = [
        _named(big, 'all in focus'),
        _named(maps[:, :width], 'ground truth'),
        _named(maps[:, width:], 'estimate'),
        _named(errors, 'estimate - ground truth'),
    ]
    return np.hstack(panels)


def _named(image: RgbImage, name: str) -> RgbImage:
    """Add a title above an image and a margin beside it."""
    height = text_size('0', _SIZE)[1]
    framed = np.asarray(
        cv2.copyMakeBorder(
            image, 2 * height, 0, 0, height // 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)
        ),
        np.uint8,
    )
    draw_text(framed, name, (height // 2, 2 * height - height // 3), _SIZE)
    return framed
