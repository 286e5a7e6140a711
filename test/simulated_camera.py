"""The simulated camera as a user has it, and what a test knows of it."""

from __future__ import annotations

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.reach import Dioptres
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import LensConfig, SimulatedConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stack import Slice


class Simulated:
    """A LensCamera of the simulated lens, driven by dioptres, and the optics behind it."""

    def __init__(self, config: SimulatedConfig) -> None:
        device = SimulatedLens(config)
        self.optical = device.optical
        self._camera = LensCamera(device, None, LensConfig())

    @property
    def intrinsics(self) -> Intrinsics:
        return self._camera.intrinsics

    @property
    def reach(self) -> Dioptres:
        reach = self._camera.reach
        assert isinstance(reach, Dioptres)
        return reach

    @property
    def true_depth_m(self) -> FloatMap:
        depth_m = self._camera.ground_truth_m
        assert depth_m is not None
        return depth_m

    def capture(self, focus: float) -> Slice:
        return self._camera.capture(focus)
