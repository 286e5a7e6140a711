"""Known warps are found, through blur, exposure and noise."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.alignment.registration import Model, correlation, pyramid, register, share_better
from sff_ros.core.image import Image, Warp

HEIGHT, WIDTH, AROUND = 240, 320, 40
IDENTITY = np.eye(3)
CENTRE = np.array([[1, 0, (WIDTH - 1) / 2], [0, 1, (HEIGHT - 1) / 2], [0, 0, 1.0]])
GreyImage = npt.NDArray[np.uint8]
CORNERS = np.array(
    [[0, 0, 1], [WIDTH - 1, 0, 1], [0, HEIGHT - 1, 1], [WIDTH - 1, HEIGHT - 1, 1.0]]
).T


def scenery() -> npt.NDArray[np.float32]:
    """Return a textured image with AROUND px more on each side, in 20..220."""
    noise = np.random.default_rng(0).standard_normal((HEIGHT + 2 * AROUND, WIDTH + 2 * AROUND))
    smooth = np.asarray(cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 2.0), np.float32)
    scaled: npt.NDArray[np.float32] = 20 + 200 * (smooth - smooth.min()) / np.ptp(smooth)
    return scaled


def similarity(scale: float, angle: float, x: float, y: float) -> Warp:
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    moved: Warp = CENTRE @ np.array([[a, -b, x], [b, a, y], [0, 0, 1]]) @ np.linalg.inv(CENTRE)
    return moved


def pair(warp: Warp, blur: float = 1.0) -> tuple[GreyImage, GreyImage]:
    """Return an image, and the same scenery seen through a warp, blurred, darker, with noise."""
    scene = scenery()
    window = np.array([[1, 0, AROUND], [0, 1, AROUND], [0, 0, 1.0]])
    other = cv2.warpPerspective(scene, warp @ np.linalg.inv(window), (WIDTH, HEIGHT))
    other = 0.6 * np.asarray(cv2.GaussianBlur(other, (0, 0), blur)) + 15
    other += np.random.default_rng(1).normal(0, 1, other.shape)
    first = scene[AROUND:-AROUND, AROUND:-AROUND]
    return first.astype(np.uint8), np.clip(other, 0, 255).astype(np.uint8)


def apart(one: Warp, other: Warp) -> float:
    """Return by how many px two warps differ at the corner where they differ the most."""
    a, b = one @ CORNERS, other @ CORNERS
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).max())


@pytest.mark.parametrize('model', ['similarity', 'homography'])
@pytest.mark.parametrize(
    'warp',
    [
        similarity(1, 0, 0, 0),
        similarity(1.005, 0, 0.3, -0.4),
        similarity(1.02, 0.01, -4, 3),
        similarity(0.96, -0.02, 7, -6),
        similarity(1.05, 0, 0, 0),
    ],
)
def test_a_similarity_is_found(warp: Warp, model: Model) -> None:
    first, second = pair(warp)
    found = register(pyramid(first), pyramid(second), IDENTITY, model)
    assert apart(found, warp) < 0.25
    assert found[2, 2] == 1


def test_a_homography_is_found() -> None:
    warp = similarity(1.01, 0.005, 2, -1)
    warp = warp @ np.array([[1, 0, 0], [0, 1, 0], [4e-5, -3e-5, 1]])
    first, second = pair(warp)
    levels = pyramid(first), pyramid(second)
    assert apart(register(*levels, IDENTITY, 'homography'), warp) < 0.3
    assert apart(register(*levels, IDENTITY, 'similarity'), warp) > 0.5


def test_colour_and_16_bits_are_equally_precise() -> None:
    warp = similarity(1.02, 0, 3, -2)
    first, second = pair(warp)
    deep: list[Image] = [image.astype(np.uint16) * 200 for image in (first, second)]
    colour: list[Image] = [np.repeat(image[..., None], 3, axis=2) for image in (first, second)]
    for one, other in (deep, colour):
        found = register(pyramid(one), pyramid(other), IDENTITY, 'similarity')
        assert apart(found, warp) < 0.25


def test_a_good_start_is_not_lost() -> None:
    warp = similarity(1.1, 0.05, 20, -15)
    first, second = pair(warp)
    found = register(
        pyramid(first), pyramid(second), similarity(1.09, 0.05, 18, -15), 'similarity'
    )
    assert apart(found, warp) < 0.25


@pytest.mark.parametrize('model', ['similarity', 'homography'])
def test_without_texture_the_start_stays(model: Model) -> None:
    plain = np.full((HEIGHT, WIDTH), 90, np.uint8)
    first, _ = pair(IDENTITY)
    start = similarity(1.01, 0, 1, 0)
    for one, other in ((plain, plain), (plain, first)):
        found = register(pyramid(one), pyramid(other), start, model)
        assert apart(found, start) < 1e-9
    assert correlation(pyramid(plain)[-1], pyramid(first)[-1], IDENTITY) == 0


def test_correlation_is_highest_where_the_images_match() -> None:
    warp = similarity(1.02, 0, 3, -2)
    first, second = (pyramid(image)[-1] for image in pair(warp))
    match = correlation(first, second, warp)
    assert 0.95 < match <= 1
    assert correlation(first, second, IDENTITY) < 0.8
    assert correlation(first, first, IDENTITY) == pytest.approx(1)


@pytest.mark.parametrize(('part', 'low', 'high'), [(1.0, 0.95, 1.0), (0.25, 0.15, 0.35)])
def test_a_warp_is_better_only_where_things_moved(part: float, low: float, high: float) -> None:
    warp = similarity(1, 0, 2, -1)
    first, second = pair(warp)
    _, still = pair(IDENTITY)
    second[round(part * HEIGHT) :] = still[round(part * HEIGHT) :]
    one, other = pyramid(first)[-1], pyramid(second)[-1]
    assert low <= share_better(one, other, warp, than=IDENTITY) <= high
    assert 1 - high <= share_better(one, other, IDENTITY, than=warp) <= 1 - low
    plain = pyramid(np.full((HEIGHT, WIDTH), 90, np.uint8))[-1]
    assert share_better(plain, plain, warp, than=IDENTITY) == 0
