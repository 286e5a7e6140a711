from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from stack_files import texture

from sff_ros.cli.report.images import (
    confidence_image,
    contact_sheet,
    depth_image,
    error_image,
    position_image,
    robust_limits,
)
from sff_ros.cli.report.scale_bar import Scale, add_scale, round_ticks

GREY = [150, 150, 150]
RAMP = np.linspace(1, 2, 400, dtype=np.float32)[None].repeat(320, axis=0)


@pytest.mark.parametrize(
    ('low', 'high', 'ticks'),
    [
        (0.0, 1.0, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']),
        (0.32, 0.78, ['0.4', '0.5', '0.6', '0.7']),
        (0.0, 11.0, ['0', '2', '4', '6', '8', '10']),
        (-0.25, 0.25, ['-0.2', '-0.1', '0.0', '0.1', '0.2']),
        (1.002, 1.01, ['1.002', '1.004', '1.006', '1.008', '1.010']),
        (300.0, 2400.0, ['500', '1000', '1500', '2000']),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[str]) -> None:
    assert round_ticks(low, high) == ticks


def test_ticks_are_few_evenly_spaced_and_inside_on_any_scale() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        low = float(rng.normal() * 10 ** rng.uniform(-3, 3))
        high = low + float(10 ** rng.uniform(-2, 3)) * max(abs(low), 1e-3)
        numbers = [float(tick) for tick in round_ticks(low, high)]
        assert 4 <= len(numbers) <= 8
        slack = 1e-6 * (high - low)
        assert low - slack <= numbers[0] < numbers[-1] <= high + slack
        steps = np.diff(numbers)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


@pytest.mark.parametrize(
    ('values', 'limits'),
    [
        ([np.nan, np.inf, -np.inf], (0.0, 1.0)),
        ([3.0, np.nan, 3.0], (2.997, 3.003)),
        ([0.0, 0.0], (-1e-6, 1e-6)),
        (list(np.linspace(0, 100, 101)), (1.0, 99.0)),
    ],
)
def test_limits_leave_out_what_is_rare_or_invalid(
    values: list[float], limits: tuple[float, float]
) -> None:
    assert robust_limits(np.array([values], np.float32)) == pytest.approx(limits, rel=1e-6)


def test_near_is_warm_and_invalid_is_grey() -> None:
    depth_m = RAMP.copy()
    depth_m[100:110, 50:60] = np.nan
    depth_m[200:210, 50:60] = np.inf
    depth_m[220:230, 50:60] = -np.inf
    image = depth_image(depth_m)
    assert image.dtype == np.uint8
    for y in (105, 205, 225):
        assert image[y, 55].tolist() == GREY
    red, _, blue = image[160, 60].astype(int)
    assert red > 2 * blue
    red, _, blue = image[160, 340].astype(int)
    assert blue > 2 * red
    assert (image[:, :400] == GREY).all(axis=-1).sum() == 300


def test_later_slices_are_warm_and_every_position_has_a_colour() -> None:
    image = position_image(RAMP)[:, :400].astype(int)
    assert image[160, 340, 0] > 2 * image[160, 340, 2]
    assert not (image == GREY).all(axis=-1).any()


def test_unsure_positions_are_pale_and_do_not_stretch_the_scale() -> None:
    position = RAMP.copy()
    position[:, 380:] = 40
    sure = position < 40
    plain, shown = position_image(RAMP)[:, :400], position_image(position, sure)[:, :400]
    assert np.abs(shown[:, :380].astype(int) - plain[:, :380]).mean() < 20
    assert shown[:, 380:].min() >= 140
    nothing = position_image(RAMP, np.zeros(RAMP.shape, bool))[:, :400]
    assert nothing.min() >= 140
    assert nothing[160, 340, 0] > nothing[160, 60, 0]


def test_confidence_grows_brighter_on_a_fixed_scale() -> None:
    low, high = (confidence_image(np.full((320, 400), c, np.float32))[5, 5] for c in (0.2, 0.9))
    assert int(high[1]) > 3 * int(low[1])


def test_errors_are_white_where_right_and_blue_or_red_beside() -> None:
    image = error_image(RAMP - 1.5, 'error, m')
    assert image[100, 200].min() > 240
    assert image[100, 20, 2] > image[100, 20, 0] + 50
    assert image[100, 380, 0] > image[100, 380, 2] + 50


@pytest.mark.parametrize(
    ('shape', 'times'), [((480, 640), 1), ((300, 400), 1), ((154, 205), 2), ((32, 40), 10)]
)
def test_the_image_keeps_its_pixels_beside_the_scale(shape: tuple[int, int], times: int) -> None:
    image = texture(0, (*shape, 3))
    colours = np.zeros((256, 3), np.uint8)
    colours[:, 0], colours[:, 2] = np.arange(256), 77
    shown = add_scale(image, Scale(0.0, 1.0, 'red', colours))
    height, width = shape
    assert shown.shape[0] == height * times
    np.testing.assert_array_equal(shown[::times, : width * times : times], image)
    # The bar, which no ink looks like, shows every colour, the highest at its top.
    panel = shown[:, width * times :]
    is_bar = (panel[..., 1:] == (0, 77)).all(axis=-1)
    reds = panel[..., 0][:, is_bar.any(axis=0)][is_bar.any(axis=1)].astype(int)
    assert (reds[0].tolist(), reds[-1].tolist()) == ([255] * reds.shape[1], [0] * reds.shape[1])
    assert set(np.diff(reds[:, 0])) <= {0, -1, -2}


@pytest.mark.parametrize('high', [255, 4095])
@pytest.mark.parametrize('shape', [(48, 64), (48, 64, 3), (480, 640, 3)])
def test_a_contact_sheet_shows_every_slice(shape: tuple[int, ...], high: int) -> None:
    images: list[npt.NDArray[Any]] = [
        np.full(shape, high * (i + 1) // 5, np.uint16 if high > 255 else np.uint8)
        for i in range(5)
    ]
    sheet = contact_sheet(images, [0.0, 1.0, 2.0, np.nan, 4.0])
    rows, columns = 2, 3
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    for i in range(6):
        row, column = divmod(i, columns)
        centre = sheet[row * height + height // 2, column * width + width // 2]
        expected = 51 * (i + 1) if i < 5 else 255
        assert np.abs(centre.astype(int) - expected).max() <= 1
        label = sheet[row * height : row * height + 30, column * width : (column + 1) * width]
        assert (label.min() < 100) == (i < 5)


def test_long_numbers_fit() -> None:
    wide = depth_image(RAMP * 12345)
    narrow = depth_image(RAMP)
    assert wide.shape[1] >= narrow.shape[1] > 400
    # Nothing is written over the right edge.
    assert (wide[:, -2:] == 255).all()
    assert cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY)[:, 400:].min() < 60
