"""The ChArUco board: a chessboard whose white squares say which they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.focus_volume import to_grey
from sff_ros.core.stack import Image
from sff_ros.errors import CalibrationError

MARKER = 0.75  # side of a marker, of a square's
DICTIONARY = 'DICT_4X4_250'
FEWEST_CORNERS = 6  # of a view that counts

Points = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """The inner corners of a board that one picture shows.

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

    def picture(self, square_px: int) -> npt.NDArray[np.uint8]:
        """Draw the board, (rows * square_px, columns * square_px) black and white."""
        size = (self.columns * square_px, self.rows * square_px)
        board = self._board()
        # OpenCV renamed it in 4.7.
        draw = board.generateImage if hasattr(board, 'generateImage') else board.draw
        return np.asarray(draw(size, marginSize=0), np.uint8)

    def points_m(self, ids: Ids) -> Points:
        """Return the places of corners on the board, (N, 3) m, z = 0."""
        board = self._board()
        if hasattr(board, 'getChessboardCorners'):
            corners = board.getChessboardCorners()
        else:
            corners = board.chessboardCorners
        return np.asarray(corners, float)[ids]

    def find(self, image: Image) -> Corners | None:
        """Find the inner corners in a picture; None where fewer than FEWEST_CORNERS are seen.

        Args:
            image: (H, W) or (H, W, 3) RGB, uint8 or uint16.
        """
        grey = to_grey(image)
        if grey.dtype != np.uint8:
            grey = np.asarray(grey / max(int(grey.max()), 1) * 255, np.uint8)
        board = self._board()
        if hasattr(cv2.aruco, 'CharucoDetector'):
            px, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(grey)
        else:
            px, ids = _find_before_4_7(grey, board)
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        return Corners(np.ravel(ids).astype(np.intp), np.reshape(px, (-1, 2)).astype(float))

    def _board(self) -> Any:
        aruco: Any = cv2.aruco
        dictionary = aruco.getPredefinedDictionary(getattr(aruco, DICTIONARY))
        marker_m = MARKER * self.square_m
        if hasattr(aruco, 'CharucoDetector'):
            size = (self.columns, self.rows)
            return aruco.CharucoBoard(size, self.square_m, marker_m, dictionary)
        return aruco.CharucoBoard_create(
            self.columns, self.rows, self.square_m, marker_m, dictionary
        )


def _find_before_4_7(grey: Image, board: Any) -> tuple[Any, Any]:
    """Find corners with the functions that OpenCV had before its detector class."""
    aruco: Any = cv2.aruco
    markers, ids, _ = aruco.detectMarkers(grey, board.dictionary)
    if ids is None:
        return None, None
    _, px, corner_ids = aruco.interpolateCornersCharuco(markers, ids, grey, board)
    return px, corner_ids
