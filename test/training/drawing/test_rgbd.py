"""Focal stacks from images and depth, against images whose every layer is known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from rendered import estimate, plane
from stack_files import texture as random_image

from sff_ros.core.image import FloatMap, RgbImage
from sff_ros.core.optics.rendering import blur_kernel
from sff_ros.errors import StackError
from sff_ros.training.drawing.rgbd import HALF_SIZE_PX, render_rgbd, spread_places

FLAT = np.full((96, 128), 5, np.float32)


def texture(seed: int, mean: float = 120, shape: tuple[int, ...] = (96, 128, 3)) -> RgbImage:
    """Return a random image of features about 3 px wide."""
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.float32)
    levels = np.clip(np.rint(mean + 20 * smooth / smooth.std()), 0, 255)
    return np.asarray(levels, np.uint8)


def take(image: RgbImage, places: FloatMap, focus: float, blur_px: float) -> npt.NDArray[Any]:
    return next(render_rgbd(image, places, [focus], blur_px)).astype(np.float64)


def filtered(light: FloatMap, kernel: FloatMap) -> FloatMap:
    return np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def light_of(image: RgbImage) -> FloatMap:
    return np.asarray((image / np.float32(255)) ** 2, np.float32)


def rms(difference: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def test_places_are_linear_and_cover_the_sweep_exactly() -> None:
    disparity = np.tile(np.linspace(7, 12, 101, dtype=np.float32), (3, 1))
    places = spread_places(disparity, 11)
    np.testing.assert_allclose(places, (disparity - 7) * 2, atol=1e-5)


def test_a_mixed_pixel_at_a_depth_edge_moves_to_its_closer_side() -> None:
    row = np.array([0, 0, 0, 3, 10, 10, 10, 7, 0, 0], np.float32)
    places = spread_places(np.tile(row, (4, 1)), 11)
    assert places[1].tolist() == [0, 0, 0, 0, 10, 10, 10, 10, 0, 0]


@pytest.mark.parametrize(
    ('disparity', 'message'),
    [
        (np.ones((4, 4, 3)), r'must be \(H, W\), not \(4, 4, 3\)'),
        (np.array([[1, np.nan], [np.inf, 2]]), 'must be finite; 2 pixels are not'),
        (np.full((4, 4), 3), 'is 3 everywhere'),
    ],
)
def test_what_is_no_inverse_depth_is_refused(disparity: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        spread_places(disparity.astype(np.float32), 15)


@pytest.mark.parametrize(
    ('image', 'blur_px', 'noise', 'message'),
    [
        (random_image(0), 1.0, 0.0, r'image is \(32, 40\), its depth is \(96, 128\)'),
        (texture(0), 0.0, 0.0, 'blur_px must be > 0 px, not 0'),
        (texture(0), np.nan, 0.0, 'blur_px must be > 0 px, not nan'),
        (texture(0), 1.0, -1.0, r'noise must be in \[0, 256\) grey levels, not -1'),
    ],
)
def test_what_cannot_be_rendered_is_named(
    image: RgbImage, blur_px: float, noise: float, message: str
) -> None:
    with pytest.raises(StackError, match=message):
        next(render_rgbd(image, FLAT, [0.0], blur_px, noise))


@pytest.mark.parametrize('radius', [0.0, 0.3, 1.7, 6.0])
def test_a_plane_is_blurred_by_its_distance_in_linear_light(radius: float) -> None:
    image = texture(1)
    expected = 255 * np.sqrt(filtered(light_of(image), blur_kernel(radius)))
    for focus in (5 - radius / 2, 5 + radius / 2):
        found = take(image, FLAT, focus, 2.0)
        inner = np.s_[10:-10, 10:-10]
        assert np.abs(found - expected)[inner].max() <= 0.51  # of rounding


def test_half_the_resolution_is_not_seen() -> None:
    image = texture(2)
    radius = HALF_SIZE_PX + 0.01
    expected = 255 * np.sqrt(filtered(light_of(image), blur_kernel(radius)))
    found = take(image, FLAT, 5 + radius, 1.0)
    assert rms((found - expected)[12:-12, 12:-12]) < 0.5  # of which rounding is 0.29


@pytest.mark.parametrize('blur_px', [0.35, 3.0])
def test_a_scene_of_one_colour_stays_so(blur_px: float) -> None:
    smooth = cv2.GaussianBlur(texture(3)[..., 0], (0, 0), 4)
    places = (np.asarray(smooth) / 10).astype(np.float32)
    places[30:60, 40:80] += 4
    image = np.full((96, 128, 3), (200, 90, 10), np.uint8)
    for slice_ in render_rgbd(image, places, [9.0, 12.0, 16.0], blur_px):
        np.testing.assert_array_equal(slice_, image)


def disc() -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:96, :128]
    return np.asarray((x - 64) ** 2 + (y - 48) ** 2 < 28**2)


@pytest.mark.parametrize(
    ('focus', 'blur_px', 'limit'),
    [(4, 0.35, 3.5), (4, 1.0, 4), (4, 3.0, 5), (7, 1.0, 3), (7, 3.0, 3), (10, 1.0, 5)],
)
def test_depth_edges_are_those_of_a_lens(focus: float, blur_px: float, limit: float) -> None:
    """A disc at 10 before a wall at 4, whose hidden part the renderer must fill in."""
    front, wall, inside = texture(4, 160), texture(5, 90), disc()
    found = take(
        np.where(inside[..., None], front, wall),
        np.where(inside, 10, 4).astype(np.float32),
        focus,
        blur_px,
    )
    sharp, soft = blur_kernel(blur_px * abs(10 - focus)), blur_kernel(blur_px * abs(4 - focus))
    alpha = filtered(inside.astype(np.float32), sharp)[..., None]
    near = filtered(light_of(front) * inside[..., None], sharp)
    expected = 255 * np.sqrt(near + (1 - alpha) * filtered(light_of(wall), soft))
    edge = (alpha[..., 0] > 0.02) & (alpha[..., 0] < 0.98)
    assert edge.sum() > 200
    assert rms((found - expected)[edge]) < limit  # grey levels; the two differ by 70
    if blur_px < 3:
        clear = ~cv2.dilate(edge.astype(np.uint8), np.ones((15, 15))).astype(bool)
        clear[:12] = clear[-12:] = False
        clear[:, :12] = clear[:, -12:] = False
        assert np.abs(found - expected)[clear].max() < 1.5


def test_sharpness_of_a_slope_peaks_at_its_place() -> None:
    places = plane(1.0, 13.0)
    sweep = list(render_rgbd(texture(6), places, range(15), 0.8, noise=1.0))
    error = estimate(sweep).position - places
    assert np.abs(error).mean() < 0.12
    assert abs(error[:, 20:-20].mean()) < 0.04


def test_order_and_spacing_are_free_and_noise_is_seeded() -> None:
    image, places = texture(7), plane(0.0, 9.0)
    focus = [0.0, 1.5, 2.0, 6.0, 9.0]
    there = list(render_rgbd(image, places, focus, 0.6))
    back = list(render_rgbd(image, places, focus[::-1], 0.6))
    np.testing.assert_array_equal(there, back[::-1])
    noisy, again, other = (
        np.stack(list(render_rgbd(image, places, focus, 0.6, 2.0, seed))) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(noisy, again)
    # Two noises of 2 and two roundings of 1 / sqrt(12).
    assert (noisy - other.astype(float)).std() == pytest.approx(
        np.sqrt(2 * (4 + 1 / 12)), rel=0.02
    )
    assert (noisy.astype(float) - there).mean() == pytest.approx(0, abs=0.03)


def test_grey_stays_grey() -> None:
    colour = np.repeat(texture(8)[..., :1], 3, axis=2)
    grey = take(colour[..., 0], plane(0, 9), 3, 1.0)
    assert grey.shape == (96, 128)
    np.testing.assert_array_equal(grey, take(colour, plane(0, 9), 3, 1.0)[..., 1])
