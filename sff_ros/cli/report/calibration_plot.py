"""Plot a lens calibration: table, points, residuals and breathing."""

from __future__ import annotations

import numpy as np

from sff_ros.cli.report.axes import Axes
from sff_ros.core.calibration.from_board import LensReport
from sff_ros.core.image import RgbImage
from sff_ros.core.optics.lens_calibration import LensCalibration

_POINT, _OUTLIER = (240, 140, 30), (200, 40, 40)


def calibration_plot(calibration: LensCalibration, report: LensReport | None) -> RgbImage:
    """Draw dioptres and scale against the code, with the measured points if available.

    Args:
        calibration: to draw.
        report: of its measurement; None for a calibration read from a file.
    """
    table = calibration.table
    codes, dioptres = np.array(table.codes), np.array(table.dioptres)
    panels = [Axes(codes, dioptres, 'lens code', 'dioptres')]
    if report is not None:
        fit, points = report.fit, report.points
        free = points.codes - points.side * fit.backlash / 2
        panels[0] = Axes(
            np.concatenate((codes, free)), np.concatenate((dioptres, points.dioptres)),
            'lens code, corrected for backlash', 'dioptres',
        )  # fmt: skip
        panels[0].dots(free[fit.inside], points.dioptres[fit.inside], _POINT)
        panels[0].dots(free[~fit.inside], points.dioptres[~fit.inside], _OUTLIER)
        shown = fit.error_dpt[fit.inside]
        residuals = Axes(points.dioptres, shown, 'dioptres', 'table minus board, dpt')
        residuals.dots(points.dioptres[fit.inside], shown, _POINT)
        panels.append(residuals)
    panels[0].line(codes, dioptres)
    if table.scales:
        breathing = Axes(dioptres, np.array(table.scales), 'dioptres', 'image scale')
        breathing.line(dioptres, np.array(table.scales))
        panels.append(breathing)
    return np.hstack([panel.canvas for panel in panels])
