"""Sweeps that breathe and drift are brought into one frame; those that hold still stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rendered import HEIGHT, WIDTH, plane, render

from sff_ros.core.alignment.aligner import (
    Aligner,
    AlignmentReport,
    Method,
    SlicePose,
    as_alignment,
    method_for,
)
from sff_ros.core.homography import inverse
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
    images: list[Image] = []
    warps: list[Warp] = []
    for k, image in enumerate(stack):
        scale = (1 + growth) ** k
        x, y = (WIDTH - 1) / 2 * (1 - scale) + k * drift_px, (HEIGHT - 1) / 2 * (1 - scale)
        warp = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
        moved = cv2.warpPerspective(
            image, warp, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        images.append(np.asarray(moved, np.uint8))
        warps.append(warp)
    return images, warps


def stack_of(images: Sequence[Image]) -> FocalStack:
    count = len(images)
    return FocalStack(
        tuple(Slice(image, LensState(float(k)), k, k, count) for k, image in enumerate(images))
    )


def apart(one: Warp, other: Warp) -> float:
    a, b = one @ CORNERS, other @ CORNERS
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).max())


@pytest.mark.parametrize(('growth', 'drift'), [(0.01, 0), (-0.01, 0), (0.006, 0.6)])
def test_breathing_is_followed_slice_by_slice(growth: float, drift: float) -> None:
    images, warps = breathing(growth, drift)
    aligner = Aligner('similarity')
    found = [aligner.add(slice_) for slice_ in stack_of(images).slices]
    steps = aligner.report(IDENTITY).steps
    assert len(steps) == 14
    assert not any(step.refused for step in steps)
    assert all(step.after > step.before for step in steps)
    # Small images, whose borders come and go: a large part of each.
    assert max(apart(a, b) for a, b in zip(found, warps, strict=True)) < 1.0
    assert max(apart(a, IDENTITY) for a in warps) > 5


def followed(stack: FocalStack, method: Method, frame: Warp = IDENTITY) -> AlignmentReport:
    """Return how the slices of a stack lie to a frame, given from px of it to the first slice."""
    aligner = Aligner(method)
    for slice_ in stack.slices:
        aligner.add(slice_)
    return aligner.report(frame)


@pytest.mark.parametrize('growth', [0.01, -0.01])
def test_the_report_names_the_frame_and_the_scales_in_it(growth: float) -> None:
    images, warps = breathing(growth)
    aligner = Aligner('similarity')
    for slice_ in stack_of(images).slices:
        aligner.add(slice_)
    report = aligner.report(inverse(aligner.frame_at(7)))
    ends = sorted(((1 + growth) ** -7, (1 + growth) ** 7))
    words = str(report).split()
    assert words[:3] == ['slices', 'of', 'scale']
    assert [float(words[3]), float(words[5])] == pytest.approx(ends, abs=5e-3)
    assert str(report).endswith('of slice 7')
    assert str(aligner.report(inverse(aligner.frame_at(6)))).endswith('of slice 6')
    expected = [warp @ np.linalg.inv(warps[7]) for warp in warps]
    assert max(apart(a, b) for a, b in zip(report.warps, expected, strict=True)) < 1.0


@pytest.mark.parametrize('method', ['similarity', 'homography'])
def test_a_sweep_that_holds_still_is_left_alone(method: Method) -> None:
    report = followed(stack_of(render(TRUTH)), method)
    assert len(report.steps) == 14
    assert all(step.refused for step in report.steps)
    assert not report.is_moved
    assert str(report) == 'none needed, or none found'


def test_images_without_texture_are_left_alone() -> None:
    images: list[Image] = [np.full((HEIGHT, WIDTH), 80, np.uint8)] * 5
    assert str(followed(stack_of(images), 'similarity')) == 'none needed, or none found'


def calibrated(growth: float, drift_px: float = 0.0) -> tuple[FocalStack, list[Warp]]:
    """Return a sweep that knows how it breathes, and not that it drifts; and its warps."""
    images, warps = breathing(growth, drift_px)
    _, known = breathing(growth)
    slices = stack_of(images).slices
    return FocalStack(
        tuple(
            replace(slice_, lens=replace(slice_.lens, warp=warp))
            for slice_, warp in zip(slices, known, strict=True)
        )
    ), warps


def test_none_takes_slices_as_they_are() -> None:
    stack, _ = calibrated(0.01)
    assert not followed(stack, 'none').is_moved


@pytest.mark.parametrize('method', ['breathing', 'similarity'])
def test_what_is_calibrated_needs_no_search(method: Method) -> None:
    stack, warps = calibrated(0.01)
    report = followed(stack, method)
    assert max(apart(a, b) for a, b in zip(report.warps, warps, strict=True)) < 1e-6
    assert all(step.refused for step in report.steps)
    assert len(report.steps) == (14 if method == 'similarity' else 0)
    assert ' of the reference focus' in str(report)


@pytest.mark.parametrize(
    ('focus_dpt', 'warp', 'expected'),
    [
        (np.nan, None, 'similarity'),
        (2.0, None, 'breathing'),
        (np.nan, IDENTITY, 'breathing'),
        (2.0, IDENTITY, 'breathing'),
    ],
)
def test_auto_searches_only_where_nothing_is_calibrated(
    focus_dpt: float, warp: Warp | None, expected: str
) -> None:
    lens = LensState(focus_dpt, warp=warp)
    first = Slice(np.zeros((HEIGHT, WIDTH), np.uint8), lens, 0, 0, 5)
    assert method_for('auto', first) == expected
    for method in ('none', 'breathing', 'similarity', 'homography'):
        assert method_for(as_alignment(method), first) == method


def test_what_is_left_is_found_on_top_of_the_calibration() -> None:
    stack, warps = calibrated(0.006, 0.8)
    aligner, blind = Aligner('similarity'), Aligner('breathing')
    for slice_ in stack.slices:
        aligner.add(slice_)
        blind.add(slice_)
    poses = [pose.warp for pose in aligner.poses]
    assert max(apart(a, b) for a, b in zip(poses, warps, strict=True)) < 1.0
    assert aligner.motion_px((HEIGHT, WIDTH)) == pytest.approx(14 * 0.8, abs=1.0)
    assert blind.motion_px((HEIGHT, WIDTH)) == 0
    assert apart(blind.poses[-1].warp, warps[-1]) == pytest.approx(14 * 0.8)


def test_a_slice_that_is_found_but_not_taken_changes_nothing() -> None:
    stack, _ = calibrated(0.01)
    aligner, other = Aligner('similarity'), Aligner('similarity')
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
        aligner.poses.append(SlicePose(motion, motion, begin + at))
    frame = aligner.frame_at(begin + stamp_ns)
    assert np.abs(frame - np.array([[1, 0, x], [0, 1, 0], [0, 0, 1.0]])).max() < 1e-12


def test_an_unknown_alignment_is_refused() -> None:
    with pytest.raises(ConfigError, match="align is 'magic'; allowed: auto, none, breathing"):
        as_alignment('magic')
    assert as_alignment('breathing') == 'breathing'
