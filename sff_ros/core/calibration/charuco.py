"""The ChArUco board: a chessboard with a marker in each white square."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image, to_grey
from sff_ros.errors import CalibrationError

CELLS = 8  # a square; a marker is two less, with its black border
MARKER = (CELLS - 2) / CELLS  # side of a marker, of a square's
DICTIONARY = 'DICT_4X4_250'
FEWEST_CORNERS = 6  # of a usable view

Points = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """The inner corners of a board that were found in one image.

    Attributes:
        ids: (N,) which corners.
        px: (N, 2) x and y, px; pixel centres at whole numbers.
    """

    ids: Ids
    px: Points


@dataclass(frozen=True, slots=True)
class Board:
    """A board of columns x rows squares.

    Rows must be odd: for even ones OpenCV changed the pattern between 4.5 and 4.7, and a board
    that was printed by one could not be read by the other.

    Attributes:
        columns, rows: number of squares, >= 3.
        square_m: side of a square, m.
    """

    columns: int = 11
    rows: int = 7
    square_m: float = 0.025

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 3 or self.rows % 2 == 0:
            raise CalibrationError(
                f'a board needs 3 columns or more and an odd number of rows, 3 or more, not '
                f'{self.columns}x{self.rows}'
            )
        if self.columns * self.rows // 2 > 250:
            raise CalibrationError(
                f'a board of {self.columns}x{self.rows} squares needs more than 250 markers'
            )
        if not 0 < self.square_m < 10:
            raise CalibrationError(f'a square must be 0 .. 10 m, not {self.square_m:g}')

    def draw(self, square_px: int) -> npt.NDArray[np.uint8]:
        """Draw the board, (rows * square_px, columns * square_px) black and white."""
        # Not by OpenCV: before 4.10 its markers are a pixel too small.
        grid = np.full((self.rows, self.columns, CELLS, CELLS), 255, np.uint8)
        number = 0
        for row, column in np.ndindex(self.rows, self.columns):
            if (row + column) % 2 == 0:
                grid[row, column] = 0
            else:
                grid[row, column, 1:-1, 1:-1] = _marker(number)
                number += 1
        cells = grid.transpose(0, 2, 1, 3).reshape(self.rows * CELLS, self.columns * CELLS)
        down, across = (np.arange(n * square_px) * CELLS // square_px for n in grid.shape[:2])
        return np.asarray(cells[down[:, None], across], np.uint8)

    def points_m(self, ids: Ids) -> Points:
        """Return the positions of corners on the board, x right, y down, (N, 3) m, z = 0."""
        row, column = np.divmod(ids, self.columns - 1)
        return self.square_m * np.stack((column + 1.0, row + 1.0, np.zeros(len(ids))), axis=1)

    def find(self, image: Image) -> Corners | None:
        """Find the inner corners in an image; None where fewer than FEWEST_CORNERS are seen.

        Args:
            image: (H, W) or (H, W, 3) RGB, uint8 or uint16.
        """
        grey = to_grey(image)
        if grey.dtype != np.uint8:
            grey = np.asarray(grey / max(int(grey.max()), 1) * 255, np.uint8)
        px, ids = _find(grey, self._board())
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        return Corners(ids, px - _first_pixel())

    def _board(self) -> Any:
        aruco: Any = cv2.aruco
        dictionary = _dictionary()
        marker_m = MARKER * self.square_m
        if hasattr(aruco, 'CharucoDetector'):
            size = (self.columns, self.rows)
            return aruco.CharucoBoard(size, self.square_m, marker_m, dictionary)
        return aruco.CharucoBoard_create(
            self.columns, self.rows, self.square_m, marker_m, dictionary
        )


def _marker(number: int) -> npt.NDArray[np.uint8]:
    """Draw a marker, a pixel a cell."""
    aruco: Any = cv2.aruco
    # OpenCV renamed it in 4.7.
    draw = getattr(aruco, 'generateImageMarker', None) or aruco.drawMarker
    return np.asarray(draw(_dictionary(), number, CELLS - 2), np.uint8)


def _dictionary() -> Any:
    aruco: Any = cv2.aruco
    return aruco.getPredefinedDictionary(getattr(aruco, DICTIONARY))


def _find(grey: Image, board: Any) -> tuple[Points, Ids | None]:
    """Return corners as OpenCV counts pixels, (N, 2), and which they are; None: no board."""
    aruco: Any = cv2.aruco
    if hasattr(aruco, 'CharucoDetector'):
        px, ids, _, _ = aruco.CharucoDetector(board).detectBoard(grey)
    else:
        px, ids = _find_before_4_7(grey, board)
    if ids is None:
        return np.empty((0, 2)), None
    return np.reshape(px, (-1, 2)).astype(float), np.ravel(ids).astype(np.intp)


def _find_before_4_7(grey: Image, board: Any) -> tuple[Any, Any]:
    """Find corners with the functions that OpenCV had before its detector class."""
    aruco: Any = cv2.aruco
    markers, numbers, _ = aruco.detectMarkers(grey, board.dictionary)
    if numbers is None:
        return None, None
    _, px, ids = aruco.interpolateCornersCharuco(markers, numbers, grey, board)
    top, *_, bottom = np.asarray(board.objPoints[0])[:, 1].tolist()
    if ids is not None and top > bottom:
        # Before 4.6 rows are counted from below.
        columns, rows = board.getChessboardSize()
        row, column = np.divmod(ids, columns - 1)
        ids = (rows - 2 - row) * (columns - 1) + column
    return px, ids


@functools.cache
def _first_pixel() -> float:
    """Return OpenCV's coordinate of the first pixel's centre: 0.5 before 4.14, 0 since.

    Measured on a drawn board, since version numbers do not show patches.
    """
    board, side = Board(3, 3), 4 * CELLS
    drawn = cv2.copyMakeBorder(board.draw(side), *(side,) * 4, cv2.BORDER_CONSTANT, value=255)
    px, ids = _find(np.asarray(cv2.GaussianBlur(drawn, (0, 0), 1.0), np.uint8), board._board())
    assert ids is not None
    true = side * (1 + board.points_m(ids)[:, :2] / board.square_m) - 0.5
    return round(2 * float(np.mean(px - true))) / 2
