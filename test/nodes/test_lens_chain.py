"""A lens with codes, backlash, breathing and a bent field, from its calibration to metres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from live_graph import StartGraph, wait
from sensor_msgs.msg import CameraInfo, Image

from sff_ros.cameras.simulated.actuator import SETTLED
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.files.lens_yaml import write_lens
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array, to_intrinsics

DISTANCE_M = 0.5
LENS = SimulatedConfig(
    width=320, height=240, focal_mm=12.0, fnumber=2.8, pitch_um=13.8, near_m=0.3, far_m=1.2,
    scene='plane', plane_m=DISTANCE_M, codes=1023, backlash=24.0, settle_s=0.01, breathing=0.04,
    field_dpt=6.0, frame_rate=60.0,
)  # fmt: skip
FIELDS = (
    *('width', 'height', 'focal_mm', 'fnumber', 'pitch_um', 'near_m', 'far_m', 'scene', 'plane_m'),
    *('codes', 'backlash', 'settle_s', 'breathing', 'field_dpt', 'frame_rate'),
)


def perfect() -> LensCalibration:
    """What a perfect calibration would say."""
    lens = SimulatedLens(LENS)
    codes = np.linspace(0, LENS.codes, 33).tolist()
    dioptres = [lens.true_dioptres(code) for code in codes]
    return LensCalibration(
        LensTable(tuple(codes), tuple(dioptres), tuple(map(lens.optical.scale_at, dioptres))),
        lens.optical.intrinsics,
        backlash=LENS.backlash,
        settle_s=LENS.settle_s,
        lag_s=2 * LENS.settle_s / SETTLED,
        field_dpt=LENS.field_dpt,
        residual_dpt=0.0,
    )


def errors(start: StartGraph, file: Path, known: LensCalibration) -> tuple[float, float]:
    """Return the relative error of depth in the middle and in the corners of the image."""
    write_lens(file, known)
    capture: dict[str, Any] = {f'simulated.{name}': getattr(LENS, name) for name in FIELDS}
    capture |= {'lens.file': str(file), 'sweep.num_slices': 15}
    graph = start(
        DepthNode,
        InferenceNode,
        CaptureNode,
        capture_node=capture,
        inference_node={'backend': 'peak'},
    )
    depths = graph.collect(Image, 'depth/image_rect')
    infos = graph.collect(CameraInfo, 'depth/camera_info')
    wait(lambda: len(depths) >= 4 and infos, 'four depth images')
    assert to_intrinsics(infos[-1]) == known.intrinsics
    # Up and down: backlash and breathing are undone in either direction.
    both = np.stack([to_array(depth) for depth in depths[2:4]])
    assert np.isfinite(both).mean() > 0.8
    middle = both[:, 90:150, 120:200]
    corners = np.concatenate((both[:, :40, :50], both[:, -40:, -50:]), axis=1)
    return tuple(
        float(np.nanmedian(np.where(np.isfinite(part), part, np.nan))) / DISTANCE_M - 1
        for part in (middle, corners)
    )  # type: ignore[return-value]


def test_metres_are_right_in_the_middle_and_in_the_corners(
    start: StartGraph, tmp_path: Path
) -> None:
    middle, corners = errors(start, tmp_path / 'lens.yaml', perfect())
    assert abs(middle) < 0.01
    assert abs(corners) < 0.01


def test_without_its_field_a_plane_is_a_bowl(start: StartGraph, tmp_path: Path) -> None:
    known = replace(perfect(), field_dpt=0.0)
    middle, corners = errors(start, tmp_path / 'lens.yaml', known)
    assert abs(middle) < 0.01
    # 6 dpt at tan^2 = 0.035 are 0.2 of 2 dpt.
    assert corners > 0.07
