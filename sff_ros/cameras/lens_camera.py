"""Hardware with a calibration: a camera that is asked for dioptres."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator
from dataclasses import replace

from sff_ros.cameras.focus_camera import FocusRange
from sff_ros.cameras.lens_device import Frame, LensDevice, frame_that_comes
from sff_ros.cameras.ramp import Ramp
from sff_ros.config.cameras import LensConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import Grade, LensCalibration
from sff_ros.core.optics.lens_dynamics import LensMotion
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError, CameraError, ConfigError

# Where no settling was measured: five frames at 30 a second, what an untuned voice coil takes.
PATIENT_SETTLE_S = 0.17
LOST_IN_A_ROW = 3  # frames that gliding goes on without


class LensCamera:
    """A device, its lens calibrated or not; follows the FocusCamera protocol.

    Without a calibration it is asked for lens codes, and its slices have no dioptres.

    Args:
        device: taken over, and closed with this.
        calibration: of this device; None: what the device's maker promises, if anything.
        config: what the user says of the lens.

    Raises:
        CalibrationError: the calibration is for another camera or picture size, or for codes that
            the lens does not take.
    """

    def __init__(
        self, device: LensDevice, calibration: LensCalibration | None, config: LensConfig
    ) -> None:
        if calibration is not None:
            check_fits(calibration, device)
        elif device.nominal is not None:
            calibration = LensCalibration(device.nominal, device.intrinsics)
        self._device = device
        self._calibration = calibration
        self._config = config
        self._lock = threading.Lock()
        self._told: float | None = None
        self._play = calibration.play if calibration else 0.0
        self._lag_s = calibration.lag_s if calibration else None
        self._motion = LensMotion(device.codes.low, self._play, self._lag_s or 0.0)
        measured_s = calibration.settle_s if calibration else None
        self._settle_s = config.settle_s or measured_s or PATIENT_SETTLE_S
        self._ready_ns = 0
        self._last_mid_ns: int | None = None
        self._is_open = True

    @property
    def intrinsics(self) -> Intrinsics:
        """Those of the calibration; else what the camera says of itself."""
        own = self._device.intrinsics
        known = self._calibration.intrinsics if self._calibration else own
        return known if known.is_calibrated else own

    @property
    def code_range(self) -> tuple[float, float]:
        """The places that the lens can come to rest at from either side, codes."""
        codes = self._device.codes
        return codes.low + self._play / 2, codes.high - self._play / 2

    @property
    def focus_range(self) -> FocusRange | None:
        """What lens and calibration both reach; None where the lens is not calibrated."""
        if self._calibration is None:
            return None
        table = self._calibration.table
        low, high = self.code_range
        ends = (max(low, table.codes[0]), min(high, table.codes[-1]))
        return FocusRange(*sorted(table.to_dioptres(code) for code in ends))

    @property
    def positions(self) -> None:
        """None: the lens is free."""
        return None

    @property
    def grade(self) -> Grade:
        """How far its dioptres may be trusted."""
        return self._calibration.grade if self._calibration else 'uncalibrated'

    @property
    def optics(self) -> ThinLens | None:
        """What the user or the calibration says of the lens."""
        c = self._config
        if c.focal_mm and c.fnumber and c.pitch_um:
            return ThinLens(c.focal_mm * 1e-3, c.fnumber, c.pitch_um * 1e-6)
        return self._calibration.optics if self._calibration else None

    def capture(self, focus: float) -> Slice:
        """Move the lens, wait until it has settled, and take the first frame exposed after that.

        Args:
            focus: dioptres within focus_range; a code within code_range where that is None.

        Returns:
            The frame, with the dioptres of the code that the lens was really told: the one
            nearest to what was asked for.

        Raises:
            CameraError: the focus is out of reach, no frame came, or the camera is closed.
        """
        place = self._place_of(focus)
        self._rest_at(place)
        frame = self._device.frame(self._ready_ns)
        return self._slice(frame, self._motion.goal)

    def glide(self, positions: tuple[float, ...]) -> Generator[Slice, None, None]:
        """Move the lens steadily past the positions, and give every frame on the way.

        Args:
            positions: of a plan, in the order of time; only the first and the last count, and how
                many there are: as many frames as that are taken, at the camera's own rate.

        Yields:
            Slices in the order of time, `index` counting frames, lost ones included; the focus of
            each is where the lens was at mid-exposure, by its calibrated lag.

        Raises:
            ConfigError: the lag is not calibrated.
            CameraError: the ends are out of reach, no frame came, or the camera is closed.
        """
        if self._calibration is None or self._lag_s is None:
            verb = 'lens' if self._calibration is None else 'settle'
            raise ConfigError(
                'sweep.motion is glide, but the lag of this lens was not measured: run '
                f'`sff calibrate {verb}`, or take stop'
            )
        period = self._device.period_ns
        ends = (positions[0], positions[-1])
        first_ns = self._next_mid_ns(self._place_of(ends[0]))
        last_ns = first_ns + (len(positions) - 1) * period
        not_before_ns = first_ns - period  # exposure is shorter than a period
        lead_ns = round(self._lag_s * 1e9)
        way = math.copysign(1, ends[1] - ends[0])
        newest = -math.inf
        with Ramp(self._lead, self._device.now_ns, ends, first_ns, last_ns - lead_ns):
            while True:
                frame = frame_that_comes(self._device, not_before_ns, LOST_IN_A_ROW)
                self._last_mid_ns = mid_ns = frame.start_ns + frame.exposure_ns // 2
                index = round((mid_ns - first_ns) / period)
                if index >= len(positions):
                    return  # the last frames were lost
                with self._lock:
                    place = self._motion.at(mid_ns)
                slice_ = self._slice(frame, place)
                # On a busy machine the lens may leave a frame late: then that one is no news.
                if way * slice_.focus_dpt > newest:
                    newest = way * slice_.focus_dpt
                    yield replace(slice_, index=index, count=len(positions))
                if index == len(positions) - 1:
                    return
                not_before_ns = frame.start_ns + period // 2

    def close(self) -> None:
        """Release the device. Closing twice does no harm."""
        self._is_open = False
        self._device.close()

    def _next_mid_ns(self, place: float) -> int:
        """Return when the next frame will be half exposed, the lens being at a place by then.

        Where the sweep before ended there, that is the very next frame: nothing is waited for.
        """
        period = self._device.period_ns
        is_there = self._told is not None and abs(self._motion.goal - place) <= max(
            self._device.codes.step, 1e-6
        )
        if not is_there or self._last_mid_ns is None:
            self._rest_at(place)
            frame = self._device.frame(self._ready_ns)
            self._last_mid_ns = frame.start_ns + frame.exposure_ns // 2
        mid_ns = self._last_mid_ns + period
        late = self._device.now_ns() - mid_ns
        return mid_ns + max(-(-late // period), 0) * period

    def _lead(self, focus: float) -> None:
        """Tell a lens on its way where to focus next."""
        self._tell(self._motion.code_to(self._place_of(focus)))

    def _rest_at(self, place: float) -> None:
        """Send the lens to a place unless that is where it goes to or is."""
        is_known = self._told is not None
        if not is_known:
            self._tell(self._device.codes.low)  # from where the play is known
        if not is_known or abs(place - self._motion.goal) > self._device.codes.step / 2 + 1e-9:
            self._tell(self._motion.code_to(place))

    def _tell(self, code: float) -> None:
        """Tell the lens the nearest code that it takes, and note when it will have settled."""
        nearest = self._device.codes.nearest(code)
        if nearest == self._told:
            return
        with self._lock:
            self._device.move(nearest)  # what is refused was not told
            self._told = nearest
            told_ns = self._device.now_ns()
            self._motion.command(told_ns, nearest)
        self._ready_ns = told_ns + round(self._settle_s * 1e9)

    def _place_of(self, focus: float) -> float:
        """Return the place of the lens for a focus, codes; refuse what is out of reach."""
        if not self._is_open:
            raise CameraError('the camera is closed')
        reach = self.focus_range
        low, high = (reach.far_dpt, reach.near_dpt) if reach else self.code_range
        unit = 'dpt' if reach else 'in lens codes'
        if not low <= focus <= high:
            raise CameraError(
                f'focus must be within {low:.4g} .. {high:.4g} {unit}, not {focus:g}'
            )
        return self._calibration.table.to_code(focus) if self._calibration else focus

    def _slice(self, frame: Frame, place: float) -> Slice:
        """Return a frame as a slice with all that is known of it."""
        known = self._calibration
        if known is None:
            return Slice(frame.image, math.nan, frame.stamp_ns, code=place)
        codes = known.table.codes
        dioptres = known.table.to_dioptres(min(max(place, codes[0]), codes[-1]))
        return Slice(
            frame.image,
            dioptres,
            frame.stamp_ns,
            code=place,
            field_dpt=known.field_dpt,
            warp=known.warp_at(dioptres),
        )


def check_fits(calibration: LensCalibration, device: LensDevice) -> None:
    """Refuse the calibration of another camera.

    Raises:
        CalibrationError: identity, picture size or codes are not the device's.
    """
    known, own = calibration.intrinsics, device.intrinsics
    if calibration.device and device.identity != calibration.device:
        raise CalibrationError(
            f'the lens calibration is for {calibration.device!r}, this camera is '
            f'{device.identity!r}: calibrate this one, with `sff calibrate lens`'
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
