"""From lens positions to dioptres, breathing and field curvature."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.cameras.lens_device import CodeRange, LensDevice
from sff_ros.cameras.reach import Codes, Dioptres
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.errors import CalibrationError, quoted


@dataclass(frozen=True, slots=True)
class LensOptics:
    """A calibration, or none, and the codes of the lens it is for.

    Attributes:
        calibration: None: codes have no physical unit.
        codes: of the lens.
    """

    calibration: LensCalibration | None
    codes: CodeRange

    @property
    def reach(self) -> Dioptres | Codes:
        """Range common to lens and calibration, reachable from either side of the backlash."""
        known = self.calibration
        if known is None:
            return Codes(self.codes.low, self.codes.high)
        half = known.backlash / 2
        table = known.table
        ends = (
            max(self.codes.low + half, table.codes[0]),
            min(self.codes.high - half, table.codes[-1]),
        )
        return Dioptres(*sorted(table.to_dioptres(code) for code in ends))

    def position_code(self, focus: float) -> float:
        """Return the position code of a focus within `reach`.

        Raises:
            CameraError: it is out of range.
        """
        self.reach.check(focus)
        return focus if self.calibration is None else self.calibration.table.to_code(focus)

    def state(self, code: float, position_code: float) -> LensState:
        """Return the state of a lens commanded to a code and at a position."""
        known = self.calibration
        if known is None:
            return LensState(code=code)
        table = known.table
        dioptres = table.to_dioptres(min(max(position_code, table.codes[0]), table.codes[-1]))
        return LensState(
            focus_dpt=dioptres,
            code=code,
            position_code=position_code,
            warp=known.warp_at(dioptres),
            field_dpt=known.field_dpt,
            residual_dpt=known.residual_dpt or 0.0,
        )


def check_fits(calibration: LensCalibration, device: LensDevice) -> None:
    """Refuse the calibration of another camera.

    Raises:
        CalibrationError: identity, image size or codes are not the device's.
    """
    known, own = calibration.intrinsics, device.intrinsics
    if calibration.device and device.identity != calibration.device:
        raise CalibrationError(
            f'the lens calibration is for {quoted(calibration.device)}, this camera is '
            f'{quoted(device.identity)}: calibrate this one, with `sff calibrate lens`'
        )
    if (known.width, known.height) != (own.width, own.height):
        raise CalibrationError(
            f'the lens calibration is for {known.width}x{known.height}, the camera gives '
            f'{own.width}x{own.height}'
        )
    codes = calibration.table.codes
    if codes[0] >= device.codes.high or codes[-1] <= device.codes.low:
        raise CalibrationError(
            f'the lens calibration is for codes {codes[0]:g} .. {codes[-1]:g}, this lens takes '
            f'{device.codes.low:g} .. {device.codes.high:g}'
        )
