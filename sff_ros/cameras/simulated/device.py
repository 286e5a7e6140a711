"""A simulated camera in front of a scene of known depth."""

from __future__ import annotations

import math
import threading

import numpy as np

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.simulated import textures
from sff_ros.cameras.simulated.actuator import SETTLED, Actuator
from sff_ros.cameras.simulated.board import board_layers, pose, textured_layers
from sff_ros.cameras.simulated.frame_clock import FrameClock
from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.image import FloatMap, Image
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CameraError, CameraLostError

# Images of a moving lens are rendered in such steps: the blur changes by 1/100 px.
FOCUS_STEP_DPT = 0.002
BALL_REACH_PX = 30
BOARD_POSITIONS = 8
TILTS_DEG = ((25, 0), (0, -25), (-20, 15), (0, 0), (20, 20), (0, 30), (-30, 0), (15, -20))
# Boards are placed a little inside the scene's range, so that the sweep passes them.
INSIDE = 0.06


class SimulatedLens:
    """The simulated optics with a lens actuator; implements LensDevice and KnowsDepth.

    If config.codes is 0, its codes are dioptres, and `nominal` says so. Else dioptres increase
    with the code along a slightly bent line, with backlash, and need a calibration.

    Args:
        config: lens, scene, frame rate and faults.

    Attributes:
        optical: renders the images.

    Raises:
        ConfigError: see SimulatedOptics.
    """

    def __init__(self, config: SimulatedConfig) -> None:
        self._config = config
        self.optical = optical = SimulatedOptics(config)
        self.identity = f'simulated lens {config.seed}'
        self.codes: CodeRange
        self.nominal: LensCalibration | None
        if config.codes:
            self.codes, self.nominal = CodeRange(0, config.codes), None
            self.intrinsics = Intrinsics(config.width, config.height)
        else:
            self.codes = CodeRange(optical.reach.far_dpt, optical.reach.near_dpt, step=0)
            self.nominal = in_dioptres(optical, config.settle_s)
            self.intrinsics = optical.intrinsics
        self._clock = FrameClock(config.frame_rate, config.realtime)
        self.period_ns = self._clock.period_ns
        self._rng = np.random.default_rng((config.seed, 2))
        self._lock = threading.Lock()
        backlash = config.backlash if config.codes else 0.0
        self._actuator = Actuator(self.codes.low, backlash, config.settle_s)
        self._board = -1
        self._is_open = True
        if config.scene == 'board':
            self.next_board()
        elif config.scene == 'plane':
            self._show_plane()

    def now_ns(self) -> int:
        """Return the time on the clock of the frames."""
        return self._clock.now_ns()

    def move(self, code: float) -> None:
        """Command the lens.

        Raises:
            CameraError: it is not one of `codes`.
        """
        if not math.isfinite(code) or code != self.codes.nearest(code):
            raise CameraError(
                f'lens code {code:g} is not one of {self.codes.low:g} .. {self.codes.high:g} in '
                f'steps of {self.codes.step:g}'
            )
        with self._lock:
            self._actuator.command(self.now_ns(), code)

    def frame(self, not_before_ns: int) -> Frame:
        """Block until the first new frame whose exposure began at that time or later.

        Raises:
            CameraError: the frame was lost.
            CameraLostError: the camera is closed.
        """
        if not self._is_open:
            raise CameraLostError('the simulated camera is closed')
        start_ns = self._clock.next_start_ns(not_before_ns)
        exposure_ns = self._clock.exposure_ns
        middle_ns = start_ns + exposure_ns // 2
        expected_dpt, is_at_rest = self._focus_at(middle_ns)
        # Rendered while waiting for the frame, if the lens is at rest.
        image = self._render(expected_dpt, middle_ns) if is_at_rest else None
        stamp_ns = self._clock.finish(start_ns)
        focus_dpt, _ = self._focus_at(middle_ns)
        if self._rng.random() < self._config.drop_rate:
            raise CameraError(f'the frame at {focus_dpt:.4g} dpt was lost')
        if image is None or focus_dpt != expected_dpt:
            image = self._render(focus_dpt, middle_ns)
        return Frame(image, start_ns, exposure_ns, stamp_ns)

    def close(self) -> None:
        """Stop giving frames; idempotent."""
        self._is_open = False

    @property
    def true_depth_m(self) -> FloatMap:
        """Depth along Z of the nearest surface that covers half of the pixel, (H, W) float32 m."""
        return self.optical.true_depth_m

    def true_dioptres(self, position_code: float) -> float:
        """Return the true focus at a position."""
        if not self._config.codes:
            return position_code
        share = position_code / self._config.codes
        reach = self.optical.reach
        bent = share + 4 * self._config.bend * share * (1 - share)
        return reach.far_dpt + (reach.near_dpt - reach.far_dpt) * bent

    def next_board(self) -> str:
        """Move the board to its next pose; return its distance, for display."""
        self._board += 1
        config = self._config
        far, near = 1 / config.far_m, 1 / config.near_m
        share = INSIDE + (1 - 2 * INSIDE) * (self._board % BOARD_POSITIONS) / (BOARD_POSITIONS - 1)
        distance_m = 1 / (far + share * (near - far))
        tilt = TILTS_DEG[self._board % len(TILTS_DEG)]
        board = Board(square_m=config.square_mm * 1e-3)
        camera, border = self.optical.intrinsics, self.optical.border_px
        self.optical.show(board_layers(board, camera, border, pose(distance_m, tilt, 3)))
        return f'{distance_m:.2f} m'

    def _show_plane(self) -> None:
        rng = np.random.default_rng(self._config.seed)
        noise, grain = (textures.fractal_noise(rng, 1024, falloff) for falloff in (1.1, 0.35))
        tile = np.square(textures.terrazzo(noise, grain))
        camera, border = self.optical.intrinsics, self.optical.border_px
        where = pose(self._config.plane_m)
        pixel_m = self._config.plane_m / camera.fx  # one texture element per pixel
        tiles = [-(-(side + 2 * border) // 1024) + 1 for side in (camera.height, camera.width)]
        texture = np.tile(tile, (*tiles, 1)).astype(np.float32)
        self.optical.show(textured_layers(texture, pixel_m, camera, border, where))

    def _focus_at(self, time_ns: int) -> tuple[float, bool]:
        """Return the focus at a time, dioptres, and whether the lens is at rest."""
        with self._lock:
            position_code, goal = self._actuator.at(time_ns), self._actuator.goal
        here, rest = self.true_dioptres(position_code), self.true_dioptres(goal)
        if abs(here - rest) < FOCUS_STEP_DPT / 2:
            return rest, True
        return round(here / FOCUS_STEP_DPT) * FOCUS_STEP_DPT, False

    def _render(self, focus_dpt: float, time_ns: int) -> Image:
        return self.optical.image(focus_dpt, self._shake_px(time_ns), self._ball_px(time_ns))

    def _shake_px(self, time_ns: int) -> float:
        turns = self._config.vibration_rate * time_ns * 1e-9
        return self._config.vibration_px * math.sin(2 * math.pi * turns)

    def _ball_px(self, time_ns: int) -> int:
        if self._config.scene != 'table':
            return 0
        way = (self._config.ball_speed * time_ns * 1e-9 + BALL_REACH_PX) % (4 * BALL_REACH_PX)
        return round(abs(way - 2 * BALL_REACH_PX) - BALL_REACH_PX)


def in_dioptres(optical: SimulatedOptics, settle_s: float) -> LensCalibration:
    """Return the calibration of a lens whose codes are dioptres."""
    ends = (optical.reach.far_dpt, optical.reach.near_dpt)
    return LensCalibration(
        LensTable(ends, ends),
        optical.intrinsics,
        settle_s=settle_s,
        lag_s=2 * settle_s / SETTLED,
        residual_dpt=0.0,
        optics=optical.lens,
    )
