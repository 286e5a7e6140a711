"""A calibrated device as a camera: focus in dioptres."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator

from sff_ros.cameras.continuous import FrameTimes, frames_in_motion
from sff_ros.cameras.lens_actuator import LensActuator
from sff_ros.cameras.lens_device import KnowsDepth, LensDevice
from sff_ros.cameras.lens_optics import LensOptics, check_fits
from sff_ros.cameras.reach import Codes, Dioptres
from sff_ros.config.cameras import LensConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import CalibrationStatus, LensCalibration
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError, ConfigError

# If settling was not measured: five frames at 30 Hz, typical of an untuned voice coil.
UNMEASURED_SETTLE_S = 0.17


class LensCamera:
    """A device, its lens calibrated or not; implements FocusCamera and ContinuousCamera.

    Without a calibration, focus is in lens codes, and slices have no dioptres.

    Args:
        device: owned; closed with this.
        calibration: of this device; None: the nominal one of the device, if any.
        config: the user's parameters of the lens.

    Raises:
        CalibrationError: the calibration is for another camera or image size, or for codes
            outside the range of the lens.
    """

    def __init__(
        self, device: LensDevice, calibration: LensCalibration | None, config: LensConfig
    ) -> None:
        if calibration is not None:
            check_fits(calibration, device)
        known = calibration or device.nominal
        self._device = device
        self._config = config
        self._optics = LensOptics(known, device.codes)
        self._actuator = LensActuator(
            device,
            backlash=known.backlash if known else 0.0,
            lag_s=(known.lag_s if known else None) or 0.0,
            settle_s=_settle_s(config, known),
        )
        self._times = FrameTimes(device)
        self._is_open = True

    @property
    def intrinsics(self) -> Intrinsics:
        """Those of the calibration; else the camera's own."""
        own, known = self._device.intrinsics, self._optics.calibration
        return known.intrinsics if known and known.intrinsics.is_calibrated else own

    @property
    def reach(self) -> Dioptres | Codes:
        """Range common to lens and calibration; codes if the lens is not calibrated."""
        return self._optics.reach

    @property
    def calibration_status(self) -> CalibrationStatus:
        """How reliable its dioptres are."""
        known = self._optics.calibration
        return known.status if known else 'uncalibrated'

    @property
    def optics(self) -> ThinLens | None:
        """From the config, else from the calibration."""
        c, known = self._config, self._optics.calibration
        if c.focal_mm and c.fnumber and c.pitch_um:
            return ThinLens(c.focal_mm * 1e-3, c.fnumber, c.pitch_um * 1e-6)
        return known.optics if known else None

    @property
    def ground_truth_m(self) -> FloatMap | None:
        """Ground truth of the device, (H, W) m; None if it has none."""
        return self._device.true_depth_m if isinstance(self._device, KnowsDepth) else None

    def capture(self, focus: float, index: int = 0, count: int = 1, sweep: int = 0) -> Slice:
        """Move the lens, wait until it has settled, and take the first frame exposed after that.

        Args:
            focus: dioptres; a code if the lens is not calibrated.
            index, count, sweep: of the slice.

        Returns:
            The frame, with the dioptres of the code actually commanded: the one nearest to the
            request.

        Raises:
            CameraError: the focus is out of range, no frame arrived, or the camera is closed.
        """
        self._actuator.rest_at(self._position_code(focus))
        frame = self._device.frame(self._actuator.ready_ns)
        lens = self._optics.state(self._actuator.commanded, self._actuator.goal)
        return Slice(frame.image, lens, frame.stamp_ns, index, count, sweep)

    def sweep_continuously(
        self, positions: tuple[float, ...], sweep: int = 0
    ) -> Generator[Slice, None, None]:
        """Move the lens at constant speed through the positions; yield every frame.

        Args:
            positions: of a plan, in the order of time; only the first, the last and their number
                matter: as many frames are taken, at the frame rate of the camera.
            sweep: number of the sweep.

        Yields:
            Slices in the order of time, `index` counting frames, lost ones included; their focus
            is that at mid-exposure, computed with the calibrated lag.

        Raises:
            ConfigError: the lag is not calibrated.
            CameraError: the ends are out of range, no frame arrived, or the camera is closed.
        """
        lag_s = self._lag_s()
        ends, count = (positions[0], positions[-1]), len(positions)
        self._begin_at(self._position_code(ends[0]))
        way = math.copysign(1, ends[1] - ends[0])
        newest = -math.inf
        frames = frames_in_motion(self._device, self._times, self._command, ends, count, lag_s)
        with contextlib.closing(frames):
            for index, mid_ns, frame in frames:
                lens = self._optics.state(*self._actuator.at(mid_ns))
                # On a busy machine the lens may start a frame late: skip that frame.
                if way * lens.focus_dpt > newest:
                    newest = way * lens.focus_dpt
                    yield Slice(frame.image, lens, frame.stamp_ns, index, count, sweep)

    def close(self) -> None:
        """Release the device; idempotent."""
        self._is_open = False
        self._device.close()

    def _lag_s(self) -> float:
        """Return the measured lag.

        Raises:
            ConfigError: it was not measured.
        """
        known = self._optics.calibration
        if known is None or known.lag_s is None:
            verb = 'lens' if known is None else 'settle'
            raise ConfigError(
                'sweep.mode is continuous, but the lag of this lens was not measured: run '
                f'`sff calibrate {verb}`, or set mode to step'
            )
        return known.lag_s

    def _begin_at(self, position_code: float) -> None:
        """Move the lens to the start of a sweep, and determine the frame times.

        If the previous sweep ended there, the next frame is used without waiting.
        """
        if not (self._actuator.is_commanded_to(position_code) and self._times.are_known):
            self._actuator.rest_at(position_code)
            self._times.note(self._device.frame(self._actuator.ready_ns))

    def _command(self, focus: float) -> None:
        """Command a moving lens to its next focus."""
        self._actuator.move_to(self._position_code(focus))

    def _position_code(self, focus: float) -> float:
        """Return the position code of a focus; raise CameraError if out of range."""
        if not self._is_open:
            raise CameraError('the camera is closed')
        return self._optics.position_code(focus)


def _settle_s(config: LensConfig, known: LensCalibration | None) -> float:
    """Return the wait after a move, s."""
    measured = known.settle_s if known else None
    return config.settle_s or (UNMEASURED_SETTLE_S if measured is None else measured)
