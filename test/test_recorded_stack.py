"""The slices of a recorded stack are read one by one, and give what a stack in memory gives."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stack_files import DOME
from walls import COUNT, FOCUS, write_walls

from sff_ros.files import stack as stack_folder
from sff_ros.files.image import read_image
from sff_ros.files.stack import read_stack
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

SCALES = f'scales: {[1 + 0.004 * k for k in range(COUNT)]}\n'


@pytest.mark.parametrize('stored', [False, True])
@pytest.mark.parametrize('align', ['auto', 'similarity'])
def test_the_map_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bool, align: Any
) -> None:
    if stored:
        monkeypatch.setattr(stack_folder, 'KEPT_BYTES', 0)
    stack = read_stack(write_walls(tmp_path / 'in', FOCUS + SCALES))
    setup = SweepSetup(stack.intrinsics, align=align)
    one_by_one = ShapeFromFocus(PeakBackend()).estimate(stack, setup)
    at_once = ShapeFromFocus(PeakBackend()).estimate(stack.focal_stack(), setup)
    assert one_by_one.alignment.is_moved
    np.testing.assert_array_equal(one_by_one.index, at_once.index)
    np.testing.assert_array_equal(one_by_one.estimate.confidence, at_once.estimate.confidence)
    np.testing.assert_array_equal(one_by_one.all_in_focus(), at_once.all_in_focus())
    for one, other in zip(one_by_one.stack.slices, at_once.stack.slices, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert (one.focus_dpt, one.lens.warp) == (other.focus_dpt, None)
        assert (one.stamp_ns, one.index, one.count) == (other.stamp_ns, other.index, other.count)


def test_no_image_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_folder, 'KEPT_BYTES', 0)
    stack = read_stack(DOME)
    names: list[str] = []
    images: list[weakref.ref[Any]] = []
    held: list[int] = []

    def read(path: Path, page: int | None = None) -> Any:
        held.append(sum(image() is not None for image in images))
        image = read_image(path, page)
        names.append(path.name)
        images.append(weakref.ref(image))
        return image

    monkeypatch.setattr(stack_folder, 'read_image', read)
    result = ShapeFromFocus(PeakBackend()).estimate(stack)
    result.all_in_focus()
    expected = [path.name for path in stack.paths]
    assert names == expected + expected  # to measure, and for the all-in-focus image
    assert max(held) <= 2
