"""Diagnostics of inference_node about motion during the last sweep."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.core.alignment.aligner import MODELS, Method
from sff_ros.core.alignment.motion import MUCH_MOVING
from sff_ros.nodes.diagnostics import WARN, Report

MUCH_PX = 2.0  # motion of the camera within a sweep that degrades depth edges


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved during one sweep.

    Attributes:
        align: how its slices were aligned.
        camera_px: motion of the four corners of the image, RMS, px.
        moving: share of pixels with other motion, or with camera motion that was not compensated.
        dropped: steps of an alignment that were ignored, since most slices show no motion.
    """

    align: Method
    camera_px: float
    moving: float
    dropped: int = 0


def report_motion(moved: Moved, report: Report) -> None:
    """Report motion, with a warning if it degrades the result."""
    report.values['align'] = moved.align
    report.values['camera_motion_px'] = f'{moved.camera_px:.2f}'
    report.values['moving_fraction'] = f'{moved.moving:.3f}'
    report.values['ignored_steps'] = str(moved.dropped)
    if MODELS[moved.align] is None and moved.camera_px > MUCH_PX:
        report.add(
            WARN,
            f'the image moved by {moved.camera_px:.1f} px during a sweep, and align is '
            f'{moved.align}: hold the camera still, or set align to similarity',
        )
    if moved.moving > MUCH_MOVING:
        report.add(
            WARN,
            f'{moved.moving:.0%} of the pixels moved during a sweep; they have little confidence',
        )
