from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import (
    Layer,
    SplitLayer,
    blur_kernel,
    lay_over,
    render,
    split_layer,
)
from sff_ros.core.optics.thin_lens import ThinLens

SIDE = 96
WINDOW = (8, 8, SIDE - 16, SIDE - 16)
LENS = ThinLens(8e-3, 2.8, 6.9e-6)
STEP_DPT = (1 / 0.3 - 1 / 0.8) / 14


def noise(seed: int, shape: tuple[int, ...] = (SIDE, SIDE)) -> FloatMap:
    return np.random.default_rng(seed).random(shape, np.float32)


def layer(grey: npt.ArrayLike, dioptres: npt.ArrayLike, alpha: npt.ArrayLike = 1.0) -> Layer:
    """A layer of SIDE x SIDE from anything that broadcasts to it."""
    shape = (SIDE, SIDE)
    planes = [np.broadcast_to(np.asarray(a, np.float32), shape) for a in (grey, alpha, dioptres)]
    level, cover, inverse = planes
    return Layer(np.dstack([level * cover] * 3 + [cover]), inverse.copy())


def half_plane(dioptres: float) -> Layer:
    """White, opaque in the left half."""
    return layer(1.0, dioptres, (np.arange(SIDE) < SIDE // 2).astype(np.float32))


def split(*layers: Layer) -> list[SplitLayer]:
    return [split_layer(one, 0.15) for one in layers]


def radius_at(focus_dpt: float) -> Callable[[float], float]:
    return lambda dioptres: LENS.blur_diameter_px(dioptres, focus_dpt) / 2


@pytest.mark.parametrize(
    ('lens', 'object_dpt', 'focus_dpt', 'diameter_px'),
    [
        # u = 500 mm, d = 400 mm: v_d = 8 * 400 / 392, v_u = 8 * 500 / 492, D = 8 / 2.8
        (LENS, 2.0, 2.5, 8 / 2.8 * (3200 / 392 - 4000 / 492) / (4000 / 492) / 6.9e-3),
        (LENS, 2.5, 2.0, 8 / 2.8 * (3200 / 392 - 4000 / 492) / (3200 / 392) / 6.9e-3),
        # infinity, d = 500 mm: v_d = 25 * 500 / 475, v_u = 25, D = 25 / 1.4
        (ThinLens(25e-3, 1.4, 5e-6), 0.0, 2.0, 25 / 1.4 * (12500 / 475 - 25) / 25 / 5e-3),
        (LENS, 2.5, 2.5, 0.0),
    ],
)
def test_blur_is_that_of_similar_triangles(
    lens: ThinLens, object_dpt: float, focus_dpt: float, diameter_px: float
) -> None:
    assert lens.blur_diameter_px(object_dpt, focus_dpt) == pytest.approx(diameter_px, abs=1e-9)


def test_one_slice_of_fifteen_is_half_a_pixel_of_blur() -> None:
    assert LENS.blur_diameter_px(2.0, 2.0 + STEP_DPT) == pytest.approx(0.5, abs=0.01)


def test_image_distance_is_the_focal_length_at_infinity_and_twice_it_at_1_to_1() -> None:
    lens = ThinLens(50e-3, 2.0, 5e-6)
    assert lens.image_distance_px(0.0) == pytest.approx(10000)
    assert lens.image_distance_px(1 / 0.1) == pytest.approx(20000)


@pytest.mark.parametrize('radius', [0.0, 0.05, 0.3, 0.7, 1.0, 2.5, 4.0, 9.0])
def test_kernel_is_a_normed_symmetric_disc(radius: float) -> None:
    kernel = blur_kernel(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-7)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-7)
    at = np.arange(len(kernel)) - len(kernel) // 2
    # Variance along an axis: that of the Gaussian, and r^2 / 4 of the disc.
    assert (kernel.sum(axis=0) * at**2).sum() == pytest.approx(0.25 + radius**2 / 4, abs=0.04)


def test_large_kernel_is_flat_inside_and_empty_outside() -> None:
    kernel = blur_kernel(10.0)
    away = np.hypot(*(np.indices(kernel.shape) - len(kernel) // 2))
    np.testing.assert_allclose(kernel[away < 8], 1 / (np.pi * 100), rtol=0.01)
    assert kernel[away > 12].max() == 0


def test_kernel_never_jumps_with_the_radius() -> None:
    size, step = 21, 0.01
    last = None
    for radius in np.arange(0, 5, step).tolist():
        kernel = blur_kernel(radius)
        pad = (size - len(kernel)) // 2
        kernel = np.pad(kernel, pad)
        if last is not None:
            assert np.abs(kernel - last).sum() < 0.02, radius
        last = kernel


def test_bins_add_up_to_the_layer_and_to_its_depth() -> None:
    ramp = np.linspace(1.3, 3.2, SIDE, dtype=np.float32)
    whole = layer(noise(1), ramp, noise(2) > 0.3)
    parts = split_layer(whole, 0.15)
    total, depth = np.zeros_like(whole.rgba), np.zeros((SIDE, SIDE))
    for part, dioptres in parts.bins:
        height, width = part.dioptres.shape
        window = np.s_[part.y : part.y + height, part.x : part.x + width]
        total[window] += part.rgba
        depth[window] += part.rgba[..., 3] * dioptres
    assert len(parts.bins) == 14
    np.testing.assert_allclose(total, whole.rgba, atol=1e-5)
    np.testing.assert_allclose(depth, whole.dioptres * whole.rgba[..., 3], atol=1e-5)


def test_empty_layer_changes_nothing() -> None:
    behind = layer(noise(3), 2.0)
    alone = render(split(behind), WINDOW, radius_at(2.5))
    with_empty = render(split(behind, layer(1.0, 3.0, 0.0)), WINDOW, radius_at(2.5))
    np.testing.assert_array_equal(alone, with_empty)


@pytest.mark.parametrize('focus', [1.2, 2.0, 2.8, 3.4])
def test_light_is_neither_lost_nor_made(focus: float) -> None:
    dot = np.zeros((SIDE, SIDE), np.float32)
    dot[40:44, 50:53] = 1
    image = render(split(layer(dot, 2.0)), (0, 0, SIDE, SIDE), radius_at(focus))
    assert image[..., 0].sum() == pytest.approx(12, rel=1e-4)


@pytest.mark.parametrize('focus', [1.2, 2.0, 2.8, 3.4])
def test_scene_of_one_colour_stays_so_at_every_focus(focus: float) -> None:
    row, column = np.indices((SIDE, SIDE))
    ramp = np.linspace(1.3, 2.6, SIDE)
    ball = np.hypot(row - 48, column - 30) < 20
    bump = 2.3 + 0.3 * np.sqrt(np.clip(1 - ((row - 48) ** 2 + (column - 30) ** 2) / 400, 0, 1))
    pole = np.abs(column - 70) < 2
    scene = split(layer(0.25, ramp), layer(0.25, bump, ball), layer(0.25, 3.2, pole))
    grey = 255 * np.sqrt(render(scene, WINDOW, radius_at(focus)))
    np.testing.assert_allclose(grey, 127.5, atol=0.1)


def test_blurred_near_edge_fades_over_what_is_behind() -> None:
    focus = 1.3
    blur = radius_at(focus)(3.2)
    edge = render(split(layer(0.0, focus), half_plane(3.2)), WINDOW, radius_at(focus))[40, :, 0]
    at = np.arange(len(edge)) + 8 - (SIDE // 2 - 0.5)  # px right of the edge
    # A straight edge through a disc: the share of its area beyond a chord.
    t = np.clip(at / blur, -1, 1)
    area = (np.arccos(t) - t * np.sqrt(1 - t**2)) / np.pi
    assert blur == pytest.approx(3.2, abs=0.1)
    np.testing.assert_allclose(edge, area, atol=0.03)
    assert np.all(np.diff(edge) <= 1e-6)


def test_background_in_focus_is_seen_through_a_blurred_near_edge() -> None:
    stripes = (np.arange(SIDE)[:, None] // 4 % 2).astype(np.float32)
    focus = 1.3
    image = render(split(layer(stripes, focus), half_plane(3.2)), WINDOW, radius_at(focus))
    contrast = np.ptp(image[20:60, :, 0], axis=0)
    edge = SIDE // 2 - 8
    assert contrast[edge - 6] == pytest.approx(0, abs=1e-3)
    # 1 px inside the outline, which an image plus a depth map could not render
    assert 0.2 < contrast[edge - 1] < 0.5 < contrast[edge + 1] < 0.8
    assert contrast[edge + 6] == pytest.approx(np.ptp(image[20:60, -1, 0]), abs=1e-3)


def test_sharp_near_edge_does_not_bleed_into_a_blurred_background() -> None:
    focus = 3.2
    behind = layer(noise(4), 1.3)
    alone = render(split(behind), WINDOW, radius_at(focus))
    covered = render(split(behind, half_plane(focus)), WINDOW, radius_at(focus))
    edge = SIDE // 2 - 8
    np.testing.assert_allclose(covered[:, edge + 3 :], alone[:, edge + 3 :], atol=1e-6)
    np.testing.assert_allclose(covered[:, : edge - 3], 1, atol=1e-6)


@pytest.mark.parametrize('true_dpt', [1.4, 2.29, 3.2])
def test_sharpness_of_a_plane_peaks_at_its_depth_smoothly_and_evenly(true_dpt: float) -> None:
    plane = split(layer(noise(5), true_dpt))
    offsets = np.linspace(-3, 3, 61)
    energy = np.array(
        [
            np.square(
                cv2.Laplacian(
                    render(plane, WINDOW, radius_at(true_dpt + offset * STEP_DPT))[..., 0],
                    cv2.CV_32F,
                )
            ).mean()
            for offset in offsets
        ]
    )
    energy /= energy.max()
    top = int(np.argmax(energy))
    below, _, above = energy[top - 1 : top + 2]
    peak = offsets[top] + 0.05 * (below - above) / (below - 2 + above)
    assert abs(peak) < 0.02
    assert energy[0] < 0.3
    np.testing.assert_allclose(energy, energy[::-1], atol=0.01)
    assert np.all(np.diff(energy) * np.sign(-offsets[:-1] - 1e-9) > 0)
    assert np.abs(np.diff(energy, 3)).max() < 2e-3


def test_sharpness_of_a_slope_peaks_at_its_depth_and_not_at_that_of_a_bin() -> None:
    ramp = np.linspace(1.9, 2.5, SIDE, dtype=np.float32)[:, None]
    slope = split(layer(noise(6), ramp))
    focus = np.linspace(1.6, 2.8, 61)
    energy = np.array(
        [
            np.square(cv2.Laplacian(render(slope, WINDOW, radius_at(at))[..., 0], cv2.CV_32F))
            for at in focus.tolist()
        ]
    ).mean(axis=2)
    top = np.argmax(energy, axis=0)
    below, best, above = (energy[top + i, np.arange(len(top))] for i in (-1, 0, 1))
    found = focus[top] + 0.01 * (below - above) / (below - 2 * best + above)
    np.testing.assert_allclose(found, ramp[8:-8, 0], atol=0.03 * STEP_DPT)


@pytest.mark.parametrize(
    ('x', 'y', 'expected'),
    [
        (0, 0, [[0.6, 0.6, 0.2], [0.6, 0.6, 0.2]]),
        (2, 1, [[0.2, 0.2, 0.2], [0.2, 0.2, 0.6]]),
        (-1, -1, [[0.6, 0.2, 0.2], [0.2, 0.2, 0.2]]),
        (3, 0, [[0.2, 0.2, 0.2], [0.2, 0.2, 0.2]]),
        (0, -2, [[0.2, 0.2, 0.2], [0.2, 0.2, 0.2]]),
    ],
)
def test_lay_over_cuts_off_what_leaves_the_canvas(
    x: int, y: int, expected: list[list[float]]
) -> None:
    canvas = np.full((2, 3, 1), 0.2, np.float32)
    top = np.full((2, 2, 2), 0.5, np.float32)  # 1.0 at an alpha of 0.5
    lay_over(canvas, top, x, y)
    np.testing.assert_allclose(canvas[..., 0], expected, atol=1e-6)
