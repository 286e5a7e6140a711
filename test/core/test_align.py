"""Sweeps that breathe and drift are brought into one frame; those that hold still stay."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from rendered import HEIGHT, WIDTH, even, plane, render

from sff_ros.core.align import Aligner, align
from sff_ros.core.registration import Warp
from sff_ros.core.stack import FocalStack, Image, Slice

TRUTH = plane(2.0, 12.0)
IDENTITY = np.eye(3)
CORNERS = np.array([[0, 0, 1], [WIDTH, 0, 1], [0, HEIGHT, 1], [WIDTH, HEIGHT, 1.0]]).T


def breathing(growth: float, drift_px: float = 0.0) -> tuple[list[Image], list[Warp]]:
    """Return 15 slices, each larger than the one before, and warps from the first to each."""
    stack = render(TRUTH)
    pictures: list[Image] = []
    warps: list[Warp] = []
    for k, image in enumerate(stack):
        scale = (1 + growth) ** k
        x, y = (WIDTH - 1) / 2 * (1 - scale) + k * drift_px, (HEIGHT - 1) / 2 * (1 - scale)
        warp = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
        moved = cv2.warpPerspective(
            image, warp, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        pictures.append(np.asarray(moved, np.uint8))
        warps.append(warp)
    return pictures, warps


def stack_of(pictures: Sequence[Image]) -> FocalStack:
    count = len(pictures)
    return FocalStack(
        tuple(Slice(image, float(k), k, k, count) for k, image in enumerate(pictures))
    )


def apart(one: Warp, other: Warp) -> float:
    a, b = one @ CORNERS, other @ CORNERS
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).max())


@pytest.mark.parametrize(('growth', 'drift'), [(0.01, 0), (-0.01, 0), (0.006, 0.6)])
def test_breathing_is_followed_slice_by_slice(growth: float, drift: float) -> None:
    pictures, warps = breathing(growth, drift)
    aligner = Aligner('similarity')
    found = [aligner.add(image) for image in pictures]
    assert not any(step.refused for step in aligner.steps)
    assert all(step.after > step.before for step in aligner.steps)
    # Small pictures, whose borders come and go: a large part of each.
    assert max(apart(a, b) for a, b in zip(found, warps, strict=True)) < 1.0
    assert max(apart(a, IDENTITY) for a in warps) > 5


@pytest.mark.parametrize(('growth', 'reference'), [(0.01, 14), (-0.01, 0)])
def test_the_frame_is_that_of_the_slice_that_sees_the_least(growth: float, reference: int) -> None:
    pictures, _ = breathing(growth)
    aligned = align(stack_of(pictures), 'similarity')
    assert aligned.reference == reference
    assert aligned.covered.mean() > 0.98
    assert aligned.stack.slices[reference].image is pictures[reference]
    first, last = (aligned.stack.slices[k].image.astype(float) for k in (0, 7))
    before = np.abs(pictures[0].astype(float) - pictures[7]).mean()
    assert np.abs(first - last).mean() < 0.8 * before
    assert str(aligned).startswith('slices of scale 0.8')
    assert str(aligned).endswith(f'to 1.000 of slice {reference}')
    np.testing.assert_array_equal(aligned.stack.focus_dpt, even(0, 14, 15))


def test_a_drift_leaves_a_border_uncovered() -> None:
    pictures, _ = breathing(0.0, 1.0)
    covered = align(stack_of(pictures), 'similarity').covered
    assert 0.8 < covered.mean() < 0.95  # 14 of 128 columns
    assert covered[HEIGHT // 2].sum() == pytest.approx(WIDTH - 14, abs=2)


@pytest.mark.parametrize('model', ['similarity', 'homography'])
def test_a_sweep_that_holds_still_is_left_alone(model: str) -> None:
    pictures = list(render(TRUTH))
    aligned = align(stack_of(pictures), 'similarity' if model == 'similarity' else 'homography')
    assert all(step.refused for step in aligned.steps)
    assert all(s.image is p for s, p in zip(aligned.stack.slices, pictures, strict=True))
    assert aligned.covered.all()
    assert str(aligned) == 'none needed, or none found'


def test_pictures_without_texture_are_left_alone() -> None:
    pictures: list[Image] = [np.full((HEIGHT, WIDTH), 80, np.uint8)] * 5
    assert str(align(stack_of(pictures), 'similarity')) == 'none needed, or none found'
