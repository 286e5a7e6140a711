from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from stack_files import DOME, texture

from sff_ros.core.focus.reversals import MANY_REVERSALS, block_sharpness, reversals
from sff_ros.core.image import Floats
from sff_ros.files.stack import read_stack

COUNT = 12


@pytest.fixture(scope='module', params=['dome', 'slope'])
def sweep(request: pytest.FixtureRequest) -> Floats:
    """The sharpness of a sweep in order: photographed, and drawn."""
    if request.param == 'dome':
        stack = read_stack(DOME)
        images = [stack.image(i) for i in range(len(stack.paths))]
    else:
        images = [slope(i) for i in range(COUNT)]
    return np.array([block_sharpness(image) for image in images])


def slope(index: int, gain: float = 1.0, noise: float = 0.0) -> npt.NDArray[np.uint8]:
    """A slice of a textured surface, whose column k is in focus in slice k / 20."""
    sharp = texture(0, (160, 240)).astype(np.float32)
    image = np.empty_like(sharp)
    for start in range(0, 240, 20):
        blur = 0.3 + 0.5 * abs(start / 20 - index)
        image[:, start : start + 20] = cv2.GaussianBlur(sharp, (0, 0), blur)[:, start : start + 20]
    rng = np.random.default_rng(index)
    return np.clip(gain * image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


ORDERS = {
    'half reversed': [*range(COUNT // 2)[::-1], *range(COUNT // 2, COUNT)],
    'there and back': [*range(0, COUNT, 2), *range(COUNT - 1, 0, -2)],
    'twice': [*range(0, COUNT, 2), *range(1, COUNT, 2)],
    'random': np.random.default_rng(0).permutation(COUNT).tolist(),
}


def test_a_sweep_in_order_has_no_reversals(sweep: Floats) -> None:
    for slices in (sweep, sweep[::-1], sweep[::2], sweep[::3], sweep[2:7]):
        assert reversals(slices) < MANY_REVERSALS / 4


@pytest.mark.parametrize('name', ORDERS)
def test_a_sweep_out_of_order_has_many(sweep: Floats, name: str) -> None:
    assert reversals(sweep[ORDERS[name]]) > MANY_REVERSALS


@pytest.mark.parametrize(('dimmed', 'noise'), [(0.5, 0.0), (1.0, 5.0), (0.8, 5.0)])
def test_exposure_and_noise_are_no_reversals(dimmed: float, noise: float) -> None:
    slices = [slope(i, dimmed if i % 2 else 1.0, noise) for i in range(COUNT)]
    assert reversals(np.array([block_sharpness(image) for image in slices])) < MANY_REVERSALS / 4


def test_depth_of_the_pixels_makes_no_difference() -> None:
    image = slope(3)
    wide = image.astype(np.uint16) * 16
    colour = np.dstack([image] * 3)
    for other in (wide, colour):
        np.testing.assert_allclose(block_sharpness(other), block_sharpness(image), atol=1e-3)


def test_a_lens_that_stands_still_has_none() -> None:
    rng = np.random.default_rng(0)
    still = [slope(5, noise=0) + rng.integers(0, 4, (160, 240), np.uint8) for _ in range(COUNT)]
    assert reversals(np.array([block_sharpness(image) for image in still])) == 0
    assert reversals(np.zeros((COUNT, 9))) == 0
