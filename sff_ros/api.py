"""The package as a library: the depth of a recorded stack, without ROS.

This is all that stands between `import sff_ros` and the rooms: what `sff depth` writes, as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import Alignment
from sff_ros.core.depth.metric import metric_depth
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.image import FloatMap, Image
from sff_ros.files.stack import RecordedStack
from sff_ros.inference.backend import DepthBackend
from sff_ros.pipeline import FocusMap, ShapeFromFocus


@dataclass(frozen=True, slots=True, eq=False)
class StackDepth:
    """What a stack says.

    Attributes:
        position: (H, W) float32 slice of best focus, 0 is the first; as the images lie.
        confidence: (H, W) float32 of position, 0 .. 1.
        all_in_focus: (H, W) or (H, W, 3) RGB, the image that is sharp everywhere, of the stack's
            type; rectified where the camera is distorted.
        depth_m: (H, W) float32 metres along the optical axis, rectified: NaN unknown, -Inf nearer
            and +Inf farther than the sweep reaches (REP 117). None: focus distances are unknown.
    """

    position: FloatMap
    confidence: FloatMap
    all_in_focus: Image
    depth_m: FloatMap | None


def stack_to_depth(
    stack: RecordedStack,
    backend: DepthBackend,
    align: Alignment = 'auto',
    min_confidence: float = DepthConfig().min_confidence,
) -> StackDepth:
    """Compute the depth of a recorded stack.

    Args:
        stack: as read_stack returns it.
        backend: as open_backend returns it; it may be used for many stacks.
        align: how slices are brought into one frame, docs/stacks.md.
        min_confidence: below this the depth is unknown, 0 .. 1; 0: keep all.

    Raises:
        ConfigError: min_confidence is outside 0 .. 1.
        StackError: an image was removed after the stack was opened.
        ModelError: the backend cannot take a stack of this kind.
    """
    config = DepthConfig(min_confidence=float(min_confidence))
    focus_map = ShapeFromFocus(backend, align=align).estimate(stack.focal_stack())
    rectifier = Rectifier(stack.intrinsics)
    return StackDepth(
        position=focus_map.estimate.position,
        confidence=focus_map.estimate.confidence,
        all_in_focus=rectifier.picture(focus_map.all_in_focus()),
        depth_m=_depth_m(focus_map, rectifier, config),
    )


def _depth_m(focus_map: FocusMap, rectifier: Rectifier, config: DepthConfig) -> FloatMap | None:
    dioptres = focus_map.dioptres_for(rectifier.intrinsics)
    if dioptres is None:
        return None
    confidence = focus_map.estimate.confidence
    depth_m = metric_depth(dioptres, confidence, min_confidence=config.min_confidence)
    return rectifier.map(depth_m, np.nan)
