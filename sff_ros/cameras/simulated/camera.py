"""A camera that does not exist, in front of a scene whose depth is known."""

from __future__ import annotations

import math

import numpy as np

from sff_ros.cameras.focus_camera import FocusRange
from sff_ros.cameras.simulated.frame_clock import FrameClock
from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import Grade
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError


class SimulatedCamera:
    """The simulated optics with a lens that takes dioptres; follows the FocusCamera protocol.

    Args:
        config: lens, scene, frame rate and faults.

    Attributes:
        optical: what the pictures come from.

    Raises:
        ConfigError: see SimulatedOptics.
    """

    def __init__(self, config: SimulatedConfig) -> None:
        self._config = config
        self.optical = SimulatedOptics(config)
        self._rng = np.random.default_rng((config.seed, 1))
        self._clock = FrameClock(config.frame_rate, config.realtime)
        self._focus_dpt = math.nan
        self._is_open = True

    @property
    def intrinsics(self) -> Intrinsics:
        """The pinhole camera at the reference focus, without distortion."""
        return self.optical.intrinsics

    @property
    def focus_range(self) -> FocusRange:
        """What the lens reaches: a tenth of the scene's range beyond either end."""
        return self.optical.reach

    @property
    def code_range(self) -> None:
        """None: this lens takes dioptres."""
        return None

    @property
    def positions(self) -> None:
        """None: the lens is free."""
        return None

    @property
    def grade(self) -> Grade:
        """Calibrated: it is what it says."""
        return 'calibrated'

    @property
    def optics(self) -> ThinLens:
        """The lens as configured."""
        return self.optical.lens

    @property
    def true_depth_m(self) -> FloatMap:
        """Depth along Z of the nearest surface that covers half the pixel, (H, W) float32 m."""
        return self.optical.true_depth_m

    @property
    def reference_dpt(self) -> float:
        """The focus at which `intrinsics` and the truth hold: the middle of the scene."""
        return self.optical.reference_dpt

    def scale_at(self, focus_dpt: float) -> float:
        """Return the size of the picture at a focus over that at the reference focus."""
        return self.optical.scale_at(focus_dpt)

    def capture(self, focus: float) -> Slice:
        """Move the lens, wait until it has settled, and take the next frame.

        Args:
            focus: dioptres within focus_range.

        Raises:
            CameraError: the focus is out of reach, the frame was lost, or the camera is closed.
        """
        if not self._is_open:
            raise CameraError('the simulated camera is closed')
        far, near = self.focus_range.far_dpt, self.focus_range.near_dpt
        if not far <= focus <= near:
            raise CameraError(f'focus must be within {far:.4g} .. {near:.4g} dpt, not {focus:.4g}')
        ready_ns = self._clock.now_ns()
        if focus != self._focus_dpt:
            ready_ns += round(self._config.settle_s * 1e9)
        self._focus_dpt = focus
        is_lost = self._rng.random() < self._config.drop_rate
        image = self.optical.picture(focus)
        stamp_ns = self._clock.expose(ready_ns)
        if is_lost:
            raise CameraError(f'the frame at {focus:.4g} dpt was lost')
        return Slice(image, focus, stamp_ns)

    def close(self) -> None:
        """Refuse to capture from now on."""
        self._is_open = False
