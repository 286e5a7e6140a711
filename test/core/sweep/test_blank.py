from __future__ import annotations

import cv2
import numpy as np
import pytest
from rendered import HEIGHT, WIDTH, texture

from sff_ros.core.image import AnyFloats, FloatMap, Image
from sff_ros.core.sweep.blank import light_of


def frame(values: AnyFloats | float, noise: float = 0.0, high: int = 255, seed: int = 3) -> Image:
    """Return what a sensor delivers of (H, W) grey levels: noisy, rounded and clipped."""
    full = values + np.random.default_rng(seed).normal(0, noise, (HEIGHT, WIDTH))
    clipped = np.clip(np.rint(full), 0, high)
    return clipped.astype(np.uint8) if high < 256 else clipped.astype(np.uint16)


def blurred(values: AnyFloats, sigma_px: float) -> FloatMap:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px), np.float32)


def night() -> FloatMap:
    """Return a scene at 2 grey levels with 12 lights."""
    scene = np.full((HEIGHT, WIDTH), 2, np.float32)
    y, x = np.random.default_rng(0).integers(8, 88, (2, 12))
    scene[y, x] = 255
    return np.maximum(scene, cv2.dilate(scene, np.ones((3, 3), np.uint8)))


def microscope() -> FloatMap:
    """Return a bright field, clipped but for an object."""
    scene = np.full((HEIGHT, WIDTH), 300, np.float32)
    scene[30:60, 40:80] = texture()[30:60, 40:80]
    return scene


DAY = texture()
LOW_CONTRAST = texture(contrast=3)
BLANKS = [
    (frame(0), 'black'),
    (frame(0, noise=3), 'black'),
    (frame(0, noise=6), 'black'),
    (frame(16, noise=1), 'black'),  # the black of video
    (frame(255), 'white'),
    (frame(260, noise=3), 'white'),
]


@pytest.mark.parametrize(('image', 'colour'), BLANKS)
@pytest.mark.parametrize(
    'neighbour', [DAY, DAY / 2, blurred(DAY, 2), microscope()], ids=['day', 'dusk', 'soft', 'cell']
)
def test_a_frame_without_an_image_beside_one_that_has_one(
    image: Image, colour: str, neighbour: AnyFloats
) -> None:
    beside = light_of(frame(neighbour, noise=1, seed=4))
    assert light_of(image).blank_beside(beside) == colour
    assert beside.blank_beside(light_of(image)) is None


@pytest.mark.parametrize('level', [79, 105, 128])
@pytest.mark.parametrize('neighbour', [DAY, blurred(DAY, 2), microscope()])
def test_a_frame_of_one_colour(level: int, neighbour: AnyFloats) -> None:
    beside = light_of(frame(neighbour, noise=1))
    assert light_of(frame(level)).blank_beside(beside) == 'uniform'
    assert light_of(frame(level, noise=1)).blank_beside(beside) != 'uniform'


def test_in_colour_in_16_bits_and_in_the_dark() -> None:
    colour = light_of(np.asarray(cv2.merge([frame(DAY)] * 3), np.uint8))
    assert light_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).blank_beside(colour) == 'black'
    # 12 of 16 bits: white is what the sensor clips at, not the largest number of the type.
    deep = light_of(frame(16 * DAY, noise=16, high=4095))
    assert light_of(frame(5000, noise=16, high=4095)).blank_beside(deep) == 'white'
    assert light_of(frame(64, noise=8, high=4095)).blank_beside(deep) == 'black'
    dark = light_of(frame(DAY / 40, noise=0.5))  # 1 to 5 grey levels
    assert light_of(frame(0)).blank_beside(dark) == 'black'
    green = np.full((HEIGHT, WIDTH, 3), (0, 135, 0), np.uint8)  # YUV of zeros
    assert light_of(green).blank_beside(colour) == 'uniform'
    assert light_of(frame(2)).blank_beside(light_of(frame(night()))) == 'uniform'


PLAIN = np.full((HEIGHT, WIDTH), 120, np.float32)


@pytest.mark.parametrize(
    ('image', 'neighbour'),
    [
        (frame(DAY / 40), frame(DAY / 38)),  # a dark sweep
        (frame(DAY / 5, noise=1), frame(DAY, noise=1)),  # flicker
        (frame(DAY * 2), frame(DAY)),
        (frame(LOW_CONTRAST / 4, noise=1), frame(LOW_CONTRAST, noise=1)),
        (frame(blurred(DAY, 30)), frame(DAY)),  # far out of focus
        (frame(blurred(night(), 12)), frame(night())),
        (frame(night()), frame(blurred(night(), 12))),
        (frame(PLAIN, noise=1), frame(PLAIN, noise=1, seed=5)),  # a wall
        (frame(PLAIN * 0.8, noise=1), frame(PLAIN, noise=1, seed=5)),
        (frame(PLAIN), frame(PLAIN * 0.5)),  # neither has an image
        (frame(PLAIN), frame(LOW_CONTRAST + 10)),  # out of focus, without noise
        (frame(0.0), frame(0.0)),  # no light at all
        (frame(0.0), frame(0.0, noise=0.5)),
        (frame(0.0, noise=2), frame(0.0, noise=2, seed=5)),
        (frame(255), frame(255)),
    ],
)
def test_dim_soft_and_plain_frames_are_slices(image: Image, neighbour: Image) -> None:
    assert light_of(image).blank_beside(light_of(neighbour)) is None


@pytest.mark.parametrize('shape', [(16, 16), (17, 400), (480, 640, 3), (1100, 30)])
def test_of_any_size(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 180, shape).astype(np.uint8)
    assert light_of(np.zeros(shape, np.uint8)).blank_beside(light_of(image)) == 'black'
    assert light_of(image).mean == pytest.approx(120, abs=6)
