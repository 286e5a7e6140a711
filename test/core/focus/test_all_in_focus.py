"""The all-in-focus images: blending, types, and the slices they come from."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import plane, render, texture

from sff_ros.core.focus.all_in_focus import RunningAllInFocus, compose
from sff_ros.core.focus.measure import measure_ddl
from sff_ros.core.image import Image
from sff_ros.errors import StackError


@pytest.mark.parametrize('shape', [(16, 20), (16, 20, 3)])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_compose_blends_the_two_neighbours(
    shape: tuple[int, ...], dtype: type[np.uint8] | type[np.uint16]
) -> None:
    images: list[Image] = [np.full(shape, value, dtype) for value in (10, 50, 200)]  # type: ignore[misc]
    for position, value in ((0.0, 10), (0.25, 20), (1.0, 50), (1.5, 125), (2.0, 200)):
        image = compose(images, np.full((16, 20), position, np.float32))
        assert image.dtype == dtype
        assert image.shape == shape
        assert np.unique(image).tolist() == [value]


def test_compose_takes_each_pixel_from_its_own_slice() -> None:
    images = [np.full((16, 30), 10 * s, np.uint8) for s in range(15)]
    position = np.repeat(np.linspace(0, 14, 30, dtype=np.float32)[None], 16, axis=0)
    np.testing.assert_allclose(compose(images, position), 10 * position, atol=0.51)


def test_compose_takes_each_pixel_from_its_own_slice_of_a_long_sweep() -> None:
    images = [np.full((16, 60), 200 * s, np.uint16) for s in range(300)]
    position = np.repeat(np.linspace(0, 299, 60, dtype=np.float32)[None], 16, axis=0)
    np.testing.assert_allclose(compose(images, position), 200 * position, atol=1.0)


def test_compose_refuses_a_map_that_does_not_fit() -> None:
    images = [np.zeros((16, 20), np.uint8)] * 3
    with pytest.raises(StackError, match=r'positions are \(16, 21\)'):
        compose(images, np.zeros((16, 21), np.float32))
    with pytest.raises(StackError, match='finite'):
        compose(images, np.full((16, 20), np.nan, np.float32))


def test_the_running_image_comes_close_to_the_sharp_one() -> None:
    stack = render(plane(1, 13), growth_px=1.0)
    running = RunningAllInFocus()
    for image in stack:
        running.add(image, measure_ddl(image, 2))
    sharp = texture()
    error = np.abs(running.image - sharp).mean()
    assert error < 4
    assert error < 0.4 * min(np.abs(image - sharp).mean() for image in stack)


def test_the_running_image_does_not_hold_on_to_the_slice() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 33, 3), dtype=np.uint8)
    running = RunningAllInFocus()
    running.add(image, measure_ddl(image, 2))
    kept = running.image.copy()
    image[:] = 0
    np.testing.assert_array_equal(running.image, kept)


def test_there_is_no_image_before_the_first_slice() -> None:
    with pytest.raises(StackError, match='before the first slice'):
        _ = RunningAllInFocus().image
