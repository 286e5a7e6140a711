"""Sweeps that breathe and drift are brought into one frame; those that hold still stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rendered import HEIGHT, WIDTH, even, plane, render

from sff_ros.core.alignment.aligner import Aligner, Alignment, Place, align, as_alignment
from sff_ros.core.image import Image, Warp
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import ConfigError

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
        tuple(Slice(image, LensState(float(k)), k, k, count) for k, image in enumerate(pictures))
    )


def apart(one: Warp, other: Warp) -> float:
    a, b = one @ CORNERS, other @ CORNERS
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).max())


@pytest.mark.parametrize(('growth', 'drift'), [(0.01, 0), (-0.01, 0), (0.006, 0.6)])
def test_breathing_is_followed_slice_by_slice(growth: float, drift: float) -> None:
    pictures, warps = breathing(growth, drift)
    aligner = Aligner('similarity')
    found = [aligner.add(slice_) for slice_ in stack_of(pictures).slices]
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


def calibrated(growth: float, drift_px: float = 0.0) -> tuple[FocalStack, list[Warp]]:
    """Return a sweep that knows how it breathes, and not that it drifts; and its warps."""
    pictures, warps = breathing(growth, drift_px)
    _, known = breathing(growth)
    slices = stack_of(pictures).slices
    return FocalStack(
        tuple(
            replace(slice_, lens=replace(slice_.lens, warp=warp))
            for slice_, warp in zip(slices, known, strict=True)
        )
    ), warps


def test_none_takes_slices_as_they_are() -> None:
    stack, _ = calibrated(0.01)
    aligned = align(stack, 'none')
    assert not aligned.is_moved
    assert all(s.image is p.image for s, p in zip(aligned.stack.slices, stack.slices, strict=True))


@pytest.mark.parametrize('how', ['breathing', 'auto'])
def test_what_is_calibrated_needs_no_search(how: Alignment) -> None:
    stack, warps = calibrated(0.01)
    aligned = align(stack, how)
    assert max(apart(a, b) for a, b in zip(aligned.warps, warps, strict=True)) < 1e-6
    assert all(step.refused for step in aligned.steps)
    assert len(aligned.steps) == (14 if how == 'auto' else 0)
    assert all(slice_.lens.warp is None for slice_ in aligned.stack.slices)


def test_what_is_left_is_found_on_top_of_the_calibration() -> None:
    stack, warps = calibrated(0.006, 0.8)
    aligner, blind = Aligner('auto'), Aligner('breathing')
    for slice_ in stack.slices:
        aligner.add(slice_)
        blind.add(slice_)
    places = [place.warp for place in aligner.places]
    assert max(apart(a, b) for a, b in zip(places, warps, strict=True)) < 1.0
    assert aligner.motion_px((HEIGHT, WIDTH)) == pytest.approx(14 * 0.8, abs=1.0)
    assert blind.motion_px((HEIGHT, WIDTH)) == 0
    assert apart(blind.places[-1].warp, warps[-1]) == pytest.approx(14 * 0.8)


def test_a_slice_that_is_found_but_not_taken_changes_nothing() -> None:
    stack, _ = calibrated(0.01)
    aligner, other = Aligner('auto'), Aligner('auto')
    for slice_ in stack.slices:
        aligner.find(replace(slice_, image=slice_.image[::-1].copy()))
        np.testing.assert_array_equal(aligner.add(slice_), other.add(slice_))


@pytest.mark.parametrize(
    ('stamp_ns', 'x'), [(0, 0.0), (5, 0.5), (10, 1.0), (15, 2.0), (20, 3.0), (99, 3.0), (-9, 0.0)]
)
def test_the_frame_at_a_time_lies_between_slices(stamp_ns: int, x: float) -> None:
    aligner = Aligner('none')
    begin = 10**18  # a float would round it
    for at, moved in ((0, 0.0), (10, 1.0), (20, 3.0)):
        motion = np.array([[1, 0, moved], [0, 1, 0], [0, 0, 1]])
        aligner.places.append(Place(motion, motion, begin + at))
    frame = aligner.frame_at(begin + stamp_ns)
    assert np.abs(frame - np.array([[1, 0, x], [0, 1, 0], [0, 0, 1.0]])).max() < 1e-12


def test_an_unknown_alignment_is_refused() -> None:
    with pytest.raises(ConfigError, match="align is 'magic'; allowed: auto, none, breathing"):
        as_alignment('magic')
    assert as_alignment('breathing') == 'breathing'
