"""Axes of a plot, with lines and points in it."""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.cli.report.scale_bar import draw_text, round_ticks, text_size
from sff_ros.core.image import Floats, RgbImage

Colour = tuple[int, int, int]

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 24, 36, 52
LINE: Colour = (30, 90, 200)
_SIZE = 0.5
_INK, _GRID = (30, 30, 30), (225, 225, 225)


class Axes:
    """Axes with round numbers over the range of some values.

    Attributes:
        canvas: (HEIGHT, WIDTH, 3), drawn on.
    """

    def __init__(self, x: Floats, y: Floats, x_label: str, y_label: str) -> None:
        self._x, self._y = _limits(x), _limits(y)
        self.canvas: RgbImage = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
        for tick in round_ticks(*self._x):
            at = self._at(float(tick), self._y[0])
            cv2.line(self.canvas, at, (at[0], TOP), _GRID)
            draw_text(
                self.canvas, tick, (at[0] - text_size(tick, _SIZE)[0] // 2, at[1] + 18), _SIZE
            )
        for tick in round_ticks(*self._y):
            at = self._at(self._x[0], float(tick))
            cv2.line(self.canvas, at, (WIDTH - RIGHT, at[1]), _GRID)
            draw_text(self.canvas, tick, (at[0] - text_size(tick, _SIZE)[0] - 8, at[1] + 5), _SIZE)
        cv2.rectangle(self.canvas, (LEFT, TOP), (WIDTH - RIGHT, HEIGHT - BOTTOM), _INK)
        draw_text(self.canvas, y_label, (LEFT, TOP - 12), _SIZE)
        width = text_size(x_label, _SIZE)[0]
        draw_text(self.canvas, x_label, (WIDTH - RIGHT - width, HEIGHT - 12), _SIZE)

    def line(self, x: Floats, y: Floats, colour: Colour = LINE) -> None:
        """Draw points joined by lines."""
        points = np.array([self._at(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)])
        cv2.polylines(self.canvas, [points.astype(np.int32)], False, colour, 2, cv2.LINE_AA)

    def dots(self, x: Floats, y: Floats, colour: Colour) -> None:
        """Draw points."""
        for pair in zip(x.tolist(), y.tolist(), strict=True):
            cv2.circle(self.canvas, self._at(*pair), 2, colour, -1, cv2.LINE_AA)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT)),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)),
        )


def _limits(values: Floats) -> tuple[float, float]:
    """Return the range of values plus a margin."""
    low, high = float(values.min()), float(values.max())
    margin = max(0.04 * (high - low), 1e-6)
    return low - margin, high + margin
