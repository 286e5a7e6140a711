"""The package as a library: the depth of a recorded stack, without ROS.

The public API of `import sff_ros`: the results of `sff depth`, as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import Alignment, alignment_of
from sff_ros.core.image import FloatMap, Image
from sff_ros.core.sweep.blank import BlankSlice
from sff_ros.depth_pipeline import DepthPipeline
from sff_ros.files.stack import RecordedStack
from sff_ros.inference.backend import DepthBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup


@dataclass(frozen=True, slots=True, eq=False)
class StackDepth:
    """Result of a stack.

    Attributes:
        position: (H, W) float32 slice of best focus, 0 is the first; geometry of the images.
        confidence: (H, W) float32 of position, 0 .. 1.
        all_in_focus: (H, W) or (H, W, 3) RGB, the image that is sharp everywhere, of the stack's
            type; rectified where the camera is distorted.
        depth_m: (H, W) float32 metres along the optical axis, rectified: NaN unknown, -Inf nearer
            and +Inf farther than the sweep reaches (REP 117). None: focus distances are unknown.
        left_out: slices that were left out because they are black, white or of one colour, while
            their neighbours are not; their `index` counts from 0.
        deviation_m: (H, W) float32 standard deviation of depth_m, metres; NaN where that is not
            finite. None: likewise.
    """

    position: FloatMap
    confidence: FloatMap
    all_in_focus: Image
    depth_m: FloatMap | None
    left_out: tuple[BlankSlice, ...] = ()
    deviation_m: FloatMap | None = None


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
        ConfigError: min_confidence is outside 0 .. 1, there is no such alignment, or the stack
            lacks what it needs.
        StackError: an image was removed after the stack was opened, or fewer than three have an
            image.
        ModelError: the backend cannot take a stack of this kind.
    """
    config = DepthConfig(min_confidence=float(min_confidence))
    setup = SweepSetup(stack.intrinsics, align=alignment_of(align, stack.lens))
    focus_map = ShapeFromFocus(backend).estimate(stack, setup)
    pipeline = DepthPipeline()
    rectified = pipeline.rectify(focus_map)
    focus, deviation = rectified.focus(), rectified.deviation_dpt()
    depth = None if focus is None else pipeline.depth(focus, config)
    return StackDepth(
        position=focus_map.index,
        confidence=focus_map.estimate.confidence,
        all_in_focus=rectified.all_in_focus(),
        depth_m=None if depth is None else depth.depth_m,
        left_out=focus_map.left_out,
        deviation_m=None if depth is None or deviation is None else depth.deviation_m(deviation),
    )
