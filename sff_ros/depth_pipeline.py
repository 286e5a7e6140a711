"""From focus maps to metres: the only place that makes metres.

A focus map is rectified, uncertain pixels are removed, then speckles, sweeps are averaged,
dioptres become metres, and metres points. The order is fixed, so that depth_node, `sff depth` and
`sff evaluate` give the same metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.depth.cloud import CloudBuilder, unproject
from sff_ros.core.depth.filters import TemporalFilter, remove_speckles
from sff_ros.core.depth.metric import metric_depth, metric_deviation, to_millimetres
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.image import FloatMap, Image, Mask
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.pipeline import FocusMap


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedFocus:
    """Input of the conversion to metres.

    Attributes:
        dioptres: (H, W) of the surfaces, corrected for field curvature; +Inf nearer and -Inf
            farther than the sweep reaches, NaN unknown.
        confidence: (H, W), 0..1.
        camera: of both, without distortion and of their size; points need it calibrated.
    """

    dioptres: FloatMap
    confidence: FloatMap
    camera: Intrinsics


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedMap:
    """A focus map without lens distortion; computed on demand.

    Attributes:
        focus_map: not rectified.
        rectifier: of its camera.
    """

    focus_map: FocusMap
    rectifier: Rectifier

    @property
    def camera(self) -> Intrinsics:
        """The camera of the results, without distortion."""
        return self.rectifier.intrinsics.rectified()

    def confidence(self) -> FloatMap:
        """Return (H, W) confidence, 0 where the image does not reach."""
        return self.rectifier.map(self.focus_map.estimate.confidence, unknown=0.0)

    def position(self) -> FloatMap:
        """Return (H, W) positions among all slices, NaN where the image does not reach."""
        return self.map(self.focus_map.index)

    def dioptres(self) -> FloatMap | None:
        """Return (H, W) dioptres, NaN where the image does not reach; None: focus unknown."""
        dioptres = self.focus_map.dioptres
        return None if dioptres is None else self.map(dioptres)

    def deviation_dpt(self) -> FloatMap | None:
        """Return (H, W) standard deviation of `dioptres`, NaN beyond the image; None: likewise."""
        deviation = self.focus_map.deviation_dpt
        return None if deviation is None else self.map(deviation)

    def focus(self) -> RectifiedFocus | None:
        """Return the input of `DepthPipeline.depth`; None if focus distances are unknown."""
        dioptres = self.dioptres()
        if dioptres is None:
            return None
        return RectifiedFocus(dioptres, self.confidence(), self.camera)

    def all_in_focus(self) -> Image:
        """Return the image that is sharp everywhere, black where it does not reach."""
        return self.rectifier.image(self.focus_map.all_in_focus())

    def map(self, values: FloatMap) -> FloatMap:
        """Return any (H, W) map of the slices' geometry, NaN where the image does not reach."""
        return self.rectifier.map(values, unknown=float('nan'))


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """Metric depth of one sweep.

    Attributes:
        depth_m: (H, W) float32 m along Z: NaN unknown, -Inf too near, +Inf too far (REP 117).
        camera: without distortion.
    """

    depth_m: FloatMap
    camera: Intrinsics

    def deviation_m(self, deviation_dpt: FloatMap) -> FloatMap:
        """Return (H, W) float32 standard deviation of the depth, m: NaN where that is not finite.

        Args:
            deviation_dpt: (H, W) of the sweep, dioptres. The temporal filter does not lower it:
                most of the error of a scene that holds still is the same in every sweep.
        """
        return metric_deviation(self.depth_m, deviation_dpt)

    @property
    def valid(self) -> Mask:
        """(H, W), where depth is known."""
        return np.isfinite(self.depth_m)

    @property
    def millimetres(self) -> npt.NDArray[np.uint16]:
        """(H, W) mm; 0 where invalid or not representable (REP 118)."""
        return to_millimetres(self.depth_m)

    def points(self) -> FloatMap:
        """Return (H, W, 3) m in the optical frame, NaN where depth is unknown.

        Raises:
            CalibrationError: the camera is not calibrated.
        """
        return unproject(self.depth_m, self.camera)


class DepthPipeline:
    """Turns focus maps into metres, one sweep after another.

    Keeps the state of the temporal filter, and tables of the last camera.
    """

    def __init__(self) -> None:
        self._rectifier: Rectifier | None = None
        self._temporal = TemporalFilter()
        self._camera: Intrinsics | None = None
        self._builder: CloudBuilder | None = None

    def reset(self) -> None:
        """Reset the temporal filter, as after a pause."""
        self._temporal.reset()

    def rectify(self, focus_map: FocusMap) -> RectifiedMap:
        """Return a focus map without the distortion of the camera that it was taken with."""
        height, width = focus_map.stack.shape
        camera = focus_map.setup.camera or Intrinsics(width, height)
        if self._rectifier is None or self._rectifier.intrinsics != camera:
            self._rectifier = Rectifier(camera)
        return RectifiedMap(focus_map, self._rectifier)

    def depth(self, focus: RectifiedFocus, config: DepthConfig) -> Depth:
        """Return the metric depth of one sweep."""
        if focus.camera != self._camera:
            # Pixels of another camera see other points: their history does not apply.
            self._temporal.reset()
            self._camera = focus.camera
        sure = is_sure(focus.confidence, config)
        kept = np.where(sure, focus.dioptres, np.float32(np.nan))
        kept = remove_speckles(kept, config.speckle_size_px, config.speckle_step_dpt)
        kept = self._temporal.apply(kept, config.temporal_weight, config.temporal_step_dpt)
        depth_m = metric_depth(
            kept,
            focus.confidence,
            min_depth_m=config.min_depth_m,
            max_depth_m=config.max_depth_m,
        )
        return Depth(depth_m, focus.camera)

    def cloud(self, depth: Depth, colour: Image) -> npt.NDArray[np.float32]:
        """Return (H, W, 8) words of organised, coloured points, valid until the next call.

        Args:
            depth: of one sweep.
            colour: (H, W, 3) RGB or (H, W) grey, uint8.

        Raises:
            CalibrationError: the camera is not calibrated.
            StackError: the colours are of another size.
        """
        if self._builder is None or self._builder.intrinsics != depth.camera:
            self._builder = CloudBuilder(depth.camera)
        return self._builder.fill(depth.depth_m, colour)


def is_sure(confidence: FloatMap, config: DepthConfig) -> Mask:
    """Return (H, W), where confidence suffices for a depth; a confidence of NaN never does."""
    sure: Mask = confidence >= config.min_confidence
    return sure
