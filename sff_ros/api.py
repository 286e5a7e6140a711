"""The package as a library: what a focus map and a camera say in metres.

`import sff_ros` offers this beside the reading of stacks and the estimator; none of it needs ROS.
"""

from __future__ import annotations

import numpy as np

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.depth.metric import metric_depth
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.pipeline import FocusMap


def depth_in_metres(
    focus_map: FocusMap, camera: Intrinsics, min_confidence: float = DepthConfig().min_confidence
) -> FloatMap | None:
    """Return what `sff depth` writes as depth.tiff.

    Args:
        focus_map: of one sweep.
        camera: of its slices; where it is distorted the depth is rectified.
        min_confidence: below this the depth is unknown, 0 .. 1; 0: keep all.

    Returns:
        (H, W) float32, m along the optical axis: NaN unknown, -Inf nearer and +Inf farther than
        the sweep reaches (REP 117). None: the focus distances of the slices are unknown.

    Raises:
        ConfigError: min_confidence is outside 0 .. 1.
    """
    config = DepthConfig(min_confidence=float(min_confidence))
    dioptres = focus_map.dioptres_for(camera)
    if dioptres is None:
        return None
    confidence = focus_map.estimate.confidence
    depth_m = metric_depth(dioptres, confidence, min_confidence=config.min_confidence)
    return Rectifier(camera).map(depth_m, np.nan)
