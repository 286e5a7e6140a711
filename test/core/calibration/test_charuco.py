"""The board that is drawn is found, by any OpenCV version."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.calibration.charuco import Board
from sff_ros.errors import CalibrationError

BOARD = Board(7, 5, 0.03)
SQUARE_PX = 40
TILT = np.array([[0.9, 0.08, 60], [-0.05, 0.95, 50], [0.0002, -0.0001, 1.0]])


def photograph(warp: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    margin = 30
    drawn = cv2.copyMakeBorder(
        BOARD.draw(SQUARE_PX), *(margin,) * 4, cv2.BORDER_CONSTANT, value=255
    )
    back = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1.0]])
    image = cv2.warpPerspective(
        drawn, warp @ back, (420, 330), flags=cv2.INTER_AREA, borderValue=128
    )
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8), np.uint8)


def test_every_corner_is_found_where_it_is() -> None:
    corners = BOARD.find(photograph(TILT))
    assert corners is not None
    assert sorted(corners.ids.tolist()) == list(range(6 * 4))
    # A corner between squares lies between pixels of the drawing.
    flat = BOARD.points_m(corners.ids)[:, :2] / BOARD.square_m * SQUARE_PX - 0.5
    expected = cv2.perspectiveTransform(flat[None], TILT)[0]
    assert np.abs(corners.px - expected).max() < 0.35
    assert np.sqrt(np.mean((corners.px - expected) ** 2)) < 0.1


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_depth_and_colour_of_the_image_do_not_matter(dtype: type) -> None:
    grey = photograph(TILT)
    deep: npt.NDArray[Any] = grey.astype(dtype) * (257 if dtype is np.uint16 else 1)
    colour = np.repeat(deep[..., None], 3, axis=2)
    first, second = BOARD.find(deep), BOARD.find(colour)
    assert first is not None
    assert second is not None
    assert len(first.ids) == len(second.ids) == 24
    np.testing.assert_allclose(first.px, second.px, atol=0.05)


@pytest.mark.parametrize('board', [BOARD, Board(8, 5, 0.03), Board(11, 7, 0.025)])
def test_opencv_draws_the_same_board(board: Board) -> None:
    drawn = board._board()
    if not hasattr(drawn, 'generateImage'):
        pytest.skip('OpenCV before 4.7 draws it otherwise')
    size = (board.columns * 96, board.rows * 96)
    theirs = np.asarray(drawn.generateImage(size, marginSize=0))
    # Before 4.10 its markers are a pixel too small.
    assert np.mean(theirs != board.draw(96)) < 0.02


def test_corners_are_counted_from_the_top_left() -> None:
    flat = cv2.copyMakeBorder(BOARD.draw(SQUARE_PX), *(20,) * 4, cv2.BORDER_CONSTANT, value=255)
    corners = BOARD.find(np.asarray(cv2.GaussianBlur(flat, (0, 0), 1.0), np.uint8))
    assert corners is not None
    x, y = corners.px[np.argsort(corners.ids)].reshape(4, 6, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(
        x, np.tile(20 + SQUARE_PX * np.arange(1, 7) - 0.5, (4, 1)), atol=0.05
    )
    np.testing.assert_allclose(
        y.T, np.tile(20 + SQUARE_PX * np.arange(1, 5) - 0.5, (6, 1)), atol=0.05
    )


def test_no_board_is_none() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    assert BOARD.find(noise) is None
    assert Board(7, 5, 0.03).find(np.full((200, 200), 255, np.uint8)) is None


def test_a_square_has_eight_cells() -> None:
    small, large = BOARD.draw(8), BOARD.draw(96)
    np.testing.assert_array_equal(np.kron(small, np.ones((12, 12), np.uint8)), large)


@pytest.mark.parametrize(
    ('size', 'message'),
    [
        ((7, 4, 0.03), 'odd number of rows, 3 or more, not 7x4'),
        ((2, 5, 0.03), 'not 2x5'),
        ((41, 31, 0.03), 'needs more than 250 markers'),
        ((7, 5, 0.0), 'a square must be 0 .. 10 m, not 0'),
    ],
)
def test_impossible_boards_are_refused(size: tuple[int, int, float], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Board(*size)
