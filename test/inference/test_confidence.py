"""What the shipped network knows of its own errors, and of surfaces beyond the sweep.

Plain surfaces are unknown, so what is expected of published pixels is expected of textured ones.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from drawn import EVEN, drawn
from rendered import run

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.image import RgbImage, to_grey
from sff_ros.core.metrics import error_at_coverage

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
from sff_ros.inference.choice import open_backend

Map = npt.NDArray[np.float32]
TEXTURE = 4.0  # grey levels; the noise is 1


@cache
def answers(first: int, count: int) -> tuple[Map, Map, Map, Map]:
    """Return position, confidence, ground truth and contrast of scenes, side by side."""
    backend = open_backend('onnx')
    columns: list[tuple[Map, ...]] = []
    for seed in range(first, first + count):
        stack, ground_truth = drawn(seed)
        estimate = run(backend, stack, EVEN)
        columns.append((estimate.position, estimate.confidence, ground_truth, contrast(stack)))
    position, confidence, ground_truth, texture = (
        np.hstack(column) for column in zip(*columns, strict=True)
    )
    return position, confidence, ground_truth, texture


def contrast(stack: list[RgbImage]) -> Map:
    """Return the highest standard deviation over 9 x 9 px of any slice, grey levels."""
    highest = np.zeros(stack[0].shape[:2], np.float32)
    for image in stack:
        grey = to_grey(image).astype(np.float32)
        variance = cv2.blur(grey * grey, (9, 9)) - cv2.blur(grey, (9, 9)) ** 2
        np.maximum(highest, np.sqrt(np.maximum(variance, 0)), out=highest)
    return highest


def inside(textured: bool) -> tuple[Map, Map]:
    """Return error and confidence of pixels whose surface is inside the sweep."""
    position, confidence, ground_truth, texture = answers(900, 16)
    known = (ground_truth >= 0) & (ground_truth <= 14)
    if textured:
        known &= texture > TEXTURE
    return np.abs(position - ground_truth)[known], confidence[known]


def test_the_surest_pixels_have_less_than_half_of_the_error() -> None:
    error, confidence = inside(textured=True)
    truth = np.zeros_like(error)[None]
    errors = error_at_coverage(error[None], truth, confidence[None], (0.5, 0.7, 1.0))
    assert errors[0.5] <= errors[0.7] <= 0.5 * errors[1.0]


def test_it_is_the_chance_to_be_right_to_within_one() -> None:
    error, confidence = inside(textured=True)
    for low, high in ((0.3, 0.6), (0.6, 0.8), (0.8, 0.95)):
        those = (confidence >= low) & (confidence < high)
        assert those.sum() > 500
        right = float((error[those] < 1).mean())
        assert low - 0.05 < right < high + 0.25, f'{low} to {high}: {right:.2f}'
    assert (error[confidence >= 0.95] < 1).mean() > 0.97


def test_what_is_published_by_default_is_right_five_times_in_six() -> None:
    error, confidence = inside(textured=True)
    published = confidence >= DepthConfig().min_confidence
    assert published[error < 1].mean() > 0.9
    error, confidence = inside(textured=False)
    published = confidence >= DepthConfig().min_confidence
    assert (error[published] < 1).mean() > 5 / 6
    assert error[published].mean() < 0.7 * error.mean()


@pytest.mark.slow
def test_surfaces_beyond_the_sweep_are_not_published_inside_it() -> None:
    position, confidence, ground_truth, _ = answers(900, 48)
    beyond = (ground_truth < -1) | (ground_truth > 15)
    assert beyond.sum() > 5000
    says_beyond = (position == 0) | (position == 14)
    published = confidence >= DepthConfig().min_confidence
    assert says_beyond[beyond].mean() > 0.5
    assert (says_beyond | ~published)[beyond].mean() > 0.8
    well_inside = (ground_truth > 0.5) & (ground_truth < 13.5)
    assert (says_beyond & published)[well_inside].mean() < 0.01
