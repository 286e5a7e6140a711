"""The calibration of a lens, and its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sff_ros.core.image import Warp
from sff_ros.core.optics.breathing import breathing_warp, middle
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.errors import CalibrationError

CalibrationStatus = Literal['calibrated', 'approximate', 'uncalibrated']
# Largest RMS of a calibration's points around its table for status 'calibrated': at 0.5 m this is
# 1.25 cm.
LARGEST_RESIDUAL_DPT = 0.05


@dataclass(frozen=True, slots=True)
class LensCalibration:
    """One lens on one camera.

    The codes of the table are position codes: the commands that would reach a position without
    backlash. Coming from below, a lens with backlash stops half of it short of the commanded code;
    from above, half of it beyond.

    Attributes:
        table: position code <-> dioptres, and the image's scale where breathing was measured.
        intrinsics: at the focus where the scale is 1; not calibrated where unknown.
        backlash: width of the hysteresis, codes, >= 0.
        settle_s: from a command until the image holds still, s; None where not measured.
        lag_s: delay of a steadily moving lens behind its commands, s; None where not measured.
        centre_px: the fixed point of breathing, px; None: the principal point.
        field_dpt: field curvature: how many dioptres nearer than on the axis the lens focuses at
            tan^2 = 1 off the axis; 0 where not measured.
        residual_dpt: RMS of the measured points around the table, dioptres; None where the table
            was not measured, as one from a data sheet.
        device: identity of the camera that it was made with; empty: any camera.
        optics: focal length, f-number and pixel pitch; None where unknown.
    """

    table: LensTable
    intrinsics: Intrinsics
    backlash: float = 0.0
    settle_s: float | None = None
    lag_s: float | None = None
    centre_px: tuple[float, float] | None = None
    field_dpt: float = 0.0
    residual_dpt: float | None = None
    device: str = ''
    optics: ThinLens | None = None

    def __post_init__(self) -> None:
        for name in ('backlash', 'settle_s', 'lag_s', 'residual_dpt'):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float('inf'):
                raise CalibrationError(f'{name} of a lens must be finite and >= 0, not {value}')
        if not np.isfinite(self.field_dpt):
            raise CalibrationError(f'field_dpt of a lens must be finite, not {self.field_dpt}')
        if self.backlash >= self.table.codes[-1] - self.table.codes[0]:
            raise CalibrationError(
                f'backlash of {self.backlash:g} codes is more than the table has: '
                f'{self.table.codes[0]:g} .. {self.table.codes[-1]:g}'
            )

    @property
    def status(self) -> CalibrationStatus:
        """'calibrated' if the table was measured with a small residual, else 'approximate'."""
        measured = self.residual_dpt is not None and self.residual_dpt <= LARGEST_RESIDUAL_DPT
        return 'calibrated' if measured else 'approximate'

    def warp_at(self, dioptres: float) -> Warp | None:
        """Return (3, 3) from px of the reference focus to px of an image focused elsewhere.

        None where breathing was not measured.

        Raises:
            CalibrationError: the dioptres lie outside the table.
        """
        if not self.table.scales:
            return None
        return breathing_warp(
            self.table.scale_at(dioptres), self.centre_px or middle(self.intrinsics)
        )
