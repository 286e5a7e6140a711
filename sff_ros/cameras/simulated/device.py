"""A lens that is told codes, before the simulated optics: with play, inertia and a curve."""

from __future__ import annotations

import math
import threading

import numpy as np

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.simulated import textures
from sff_ros.cameras.simulated.board import board_layers, pose, textured_layers
from sff_ros.cameras.simulated.frame_clock import FrameClock
from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CameraError, CameraLostError, ConfigError

# (1 + x) exp(-x) = 0.01: a critically damped step is within 1 % after x over its frequency.
SETTLED = 6.638
FOCUS_STEP_DPT = 0.002  # pictures are rendered for these; the blur changes by 1/100 px
BALL_REACH_PX = 30
BOARD_PLACES = 8
TILTS_DEG = ((25, 0), (0, -25), (-20, 15), (0, 0), (20, 20), (0, 30), (-30, 0), (15, -20))
# Boards are held a little inside the scene's range, where the sweep goes past them.
INSIDE = 0.06


class Actuator:
    """A critically damped lens with play: x'' = w^2 (goal - x) - 2 w x'."""

    def __init__(self, place: float, play: float, settle_s: float) -> None:
        self._half = play / 2
        self._rate = SETTLED / settle_s if settle_s else math.inf
        self._goal = self._place = place
        self._speed = 0.0
        self._time_ns = 0
        self._before: tuple[int, float, float, float] = (0, place, 0.0, place)

    def command(self, time_ns: int, code: float) -> None:
        """Send it elsewhere; times must not step back."""
        self._before = (self._time_ns, self._place, self._speed, self._goal)
        self._place, self._speed = self._state(time_ns)
        self._time_ns = time_ns
        self._goal = min(max(self._goal, code - self._half), code + self._half)

    def at(self, time_ns: int) -> float:
        """Return where it is at a time not before the last command but one."""
        if time_ns < self._time_ns:
            return _follow(*self._before, self._rate, time_ns)[0]
        return self._state(time_ns)[0]

    def _state(self, time_ns: int) -> tuple[float, float]:
        here = (self._time_ns, self._place, self._speed, self._goal)
        return _follow(*here, self._rate, time_ns)


def _follow(
    start_ns: int, place: float, speed: float, goal: float, rate: float, time_ns: int
) -> tuple[float, float]:
    """Return place and speed at a time after the start."""
    if math.isinf(rate):
        return goal, 0.0
    t = max(time_ns - start_ns, 0) * 1e-9
    away = place - goal
    push = speed + rate * away
    decay = math.exp(-rate * t)
    return goal + (away + push * t) * decay, (speed - rate * push * t) * decay


class SimulatedLens:
    """The simulated optics behind a lens with codes; follows the LensDevice protocol.

    Dioptres grow with the code along a slightly bent line. Nothing of that is told: it takes a
    calibration to use them.

    Args:
        config: lens, scene, frame rate and faults.

    Raises:
        ConfigError: the lens takes no codes, or see SimulatedOptics.
    """

    def __init__(self, config: SimulatedConfig) -> None:
        if config.codes < 1:
            raise ConfigError(
                'simulated.codes is 0: the lens takes dioptres and needs no calibration; 1023 '
                'gives it codes'
            )
        self._config = config
        self.optical = SimulatedOptics(config)
        self.codes = CodeRange(0, config.codes)
        self.nominal = None
        self.identity = f'simulated lens {config.seed}'
        self.intrinsics = Intrinsics(config.width, config.height)
        self._clock = FrameClock(config.frame_rate, config.realtime)
        self.period_ns = self._clock.period_ns
        self._rng = np.random.default_rng((config.seed, 2))
        self._lock = threading.Lock()
        self._actuator = Actuator(config.codes / 2, config.play, config.settle_s)
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
        """Tell the lens where to go.

        Raises:
            CameraError: it is none of `codes`.
        """
        if not math.isfinite(code) or code != self.codes.nearest(code):
            raise CameraError(f'lens code {code:g} is not a whole number 0 .. {self.codes.high:g}')
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
        stamp_ns = self._clock.expose(not_before_ns)
        middle_ns = stamp_ns - self._clock.epoch_ns
        with self._lock:
            place = self._actuator.at(middle_ns)
        if self._rng.random() < self._config.drop_rate:
            raise CameraError(f'the frame at lens code {place:.4g} was lost')
        focus = round(self.true_dioptres(place) / FOCUS_STEP_DPT) * FOCUS_STEP_DPT
        image = self.optical.picture(focus, self._shake_px(middle_ns), self._ball_px(middle_ns))
        exposure_ns = self._clock.exposure_ns
        return Frame(image, middle_ns - exposure_ns // 2, exposure_ns, stamp_ns)

    def close(self) -> None:
        """Give no more frames. Closing twice does no harm."""
        self._is_open = False

    def true_dioptres(self, place: float) -> float:
        """Return where the lens focuses at a place, codes: the truth, for tests."""
        share = place / self._config.codes
        reach = self.optical.reach
        bent = share + 4 * self._config.bend * share * (1 - share)
        return reach.far_dpt + (reach.near_dpt - reach.far_dpt) * bent

    def next_board(self) -> str:
        """Hold the board elsewhere; return where, for people."""
        self._board += 1
        config = self._config
        far, near = 1 / config.far_m, 1 / config.near_m
        share = INSIDE + (1 - 2 * INSIDE) * (self._board % BOARD_PLACES) / (BOARD_PLACES - 1)
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
        pixel_m = self._config.plane_m / camera.fx  # a texture element a pixel
        tiles = [-(-(side + 2 * border) // 1024) + 1 for side in (camera.height, camera.width)]
        texture = np.tile(tile, (*tiles, 1)).astype(np.float32)
        self.optical.show(textured_layers(texture, pixel_m, camera, border, where))

    def _shake_px(self, time_ns: int) -> float:
        turns = self._config.vibration_rate * time_ns * 1e-9
        return self._config.vibration_px * math.sin(2 * math.pi * turns)

    def _ball_px(self, time_ns: int) -> int:
        if self._config.scene != 'table':
            return 0
        way = (self._config.ball_speed * time_ns * 1e-9 + BALL_REACH_PX) % (4 * BALL_REACH_PX)
        return round(abs(way - 2 * BALL_REACH_PX) - BALL_REACH_PX)
