"""State of the lens during one exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sff_ros.core.image import Warp
from sff_ros.errors import StackError

MAX_FOCUS_DPT = 1e6  # 1 um from the lens; beyond, squares overflow in float32


@dataclass(frozen=True, slots=True, eq=False)
class LensState:
    """Position of the lens, and its effect on the image. By default all is unknown.

    Attributes:
        focus_dpt: focus distance, dioptres, 0 (infinity) .. MAX_FOCUS_DPT; NaN where the lens is
            not calibrated.
        code: commanded code; NaN where unknown, or where it has no codes.
        position_code: where the lens was, as the code that would reach it without backlash; NaN
            where the backlash is unknown.
        warp: (3, 3) from px of the image at the reference focus to px of this one, where
            breathing is known; None: unknown, or none.
        field_dpt: field curvature: how many dioptres nearer than focus_dpt the image is sharp at
            tan^2 = 1 off the optical axis; 0 where unknown.
        residual_dpt: standard deviation of focus_dpt, the residual of the calibration of the lens,
            dioptres; 0 where unknown.
    """

    focus_dpt: float = math.nan
    code: float = math.nan
    position_code: float = math.nan
    warp: Warp | None = None
    field_dpt: float = 0.0
    residual_dpt: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.focus_dpt <= MAX_FOCUS_DPT or math.isnan(self.focus_dpt)):
            raise StackError(
                f'focus must be finite dioptres >= 0, or NaN if unknown, not {self.focus_dpt}; '
                f'allowed up to {MAX_FOCUS_DPT:g}'
            )
        if not abs(self.field_dpt) <= MAX_FOCUS_DPT:
            raise StackError(
                f'field curvature must be within {MAX_FOCUS_DPT:g} dpt, not {self.field_dpt}'
            )
        if not 0 <= self.residual_dpt <= MAX_FOCUS_DPT:
            raise StackError(
                f'the residual of a calibration must be 0 .. {MAX_FOCUS_DPT:g} dpt, not '
                f'{self.residual_dpt}'
            )
