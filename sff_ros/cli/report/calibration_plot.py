"""Plot a lens calibration: table, points, residuals and breathing."""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.cli.report.scale_bar import draw_text, round_ticks, text_size
from sff_ros.core.calibration.from_board import LensReport
from sff_ros.core.image import Floats, RgbImage
from sff_ros.core.optics.lens_calibration import LensCalibration

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 24, 36, 52
_SIZE = 0.5
_INK, _GRID = (30, 30, 30), (225, 225, 225)
_LINE, _POINT, _OUTLIER = (30, 90, 200), (240, 140, 30), (200, 40, 40)


def calibration_plot(calibration: LensCalibration, report: LensReport | None) -> RgbImage:
    """Draw dioptres and scale against the code, with the measured points if available.

    Args:
        calibration: to draw.
        report: of its measurement; None for a calibration read from a file.
    """
    table = calibration.table
    codes, dioptres = np.array(table.codes), np.array(table.dioptres)
    panels = [_Plot(codes, dioptres, 'lens code', 'dioptres')]
    if report is not None:
        fit, points = report.fit, report.points
        free = points.codes - points.side * fit.backlash / 2
        panels[0] = _Plot(
            np.concatenate((codes, free)), np.concatenate((dioptres, points.dioptres)),
            'lens code, corrected for backlash', 'dioptres',
        )  # fmt: skip
        panels[0].dots(free[fit.inside], points.dioptres[fit.inside], _POINT)
        panels[0].dots(free[~fit.inside], points.dioptres[~fit.inside], _OUTLIER)
        shown = fit.error_dpt[fit.inside]
        residuals = _Plot(points.dioptres, shown, 'dioptres', 'table minus board, dpt')
        residuals.dots(points.dioptres[fit.inside], shown, _POINT)
        panels.append(residuals)
    panels[0].line(codes, dioptres)
    if table.scales:
        breathing = _Plot(dioptres, np.array(table.scales), 'dioptres', 'image scale')
        breathing.line(dioptres, np.array(table.scales))
        panels.append(breathing)
    return np.hstack([panel.canvas for panel in panels])


class _Plot:
    """Axes with round numbers over the range of some values."""

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

    def line(self, x: Floats, y: Floats) -> None:
        """Draw points joined by lines."""
        points = np.array([self._at(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)])
        cv2.polylines(self.canvas, [points.astype(np.int32)], False, _LINE, 2, cv2.LINE_AA)

    def dots(self, x: Floats, y: Floats, colour: tuple[int, int, int]) -> None:
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
