"""One stack gives the same metres by `sff depth`, `sff evaluate` and the nodes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from breathing_sweep import camera, sweep
from live_graph import StartGraph, wait
from sensor_msgs.msg import CameraInfo, Image

from sff_ros.cli.main import main
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.files.stack import write_stack
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array, to_intrinsics

Map = npt.NDArray[np.float32]
FIELD_DPT = 4.0  # 0.1 dpt and more in the corners


def write(folder: Path) -> Intrinsics:
    """Write a stack that breathes, of a lens with distortion and field curvature."""
    of = camera(0.04)
    bent = replace(of.intrinsics, distortion=(0.8, 0.0, 0.0, 0.0, 0.0))
    slices = [replace(s, lens=replace(s.lens, field_dpt=FIELD_DPT)) for s in sweep(of)]
    write_stack(folder, slices, bent)
    return bent


def depth_of(folder: Path, out: Path, *more: str) -> Map:
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak', *more]) == 0
    return read_map(out / 'depth.tiff')


def read_map(path: Path) -> Map:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.float32)


def abs_rel(
    folder: Path, kind: str, ground_truth: Map, capsys: pytest.CaptureFixture[str]
) -> float:
    (folder / 'truth').mkdir()
    path = folder / 'truth' / f'{kind}.npy'
    np.save(path, ground_truth)
    capsys.readouterr()
    assert main(['evaluate', str(folder), '--backends', 'peak', '--json']) == 0
    path.unlink()
    path.parent.rmdir()
    (row,) = json.loads(capsys.readouterr().out)['rows']
    return float(row['abs_rel'])


def test_the_nodes_give_the_metres_of_sff_depth(start: StartGraph, tmp_path: Path) -> None:
    bent = write(tmp_path / 'stack')
    expected = depth_of(tmp_path / 'stack', tmp_path / 'out')
    assert 0.5 < np.isfinite(expected).mean() < 0.95
    capture: dict[str, Any] = {
        'camera': 'folder', 'folder.path': str(tmp_path / 'stack'), 'folder.frame_rate': 60.0,
    }  # fmt: skip
    graph = start(
        DepthNode,
        InferenceNode,
        CaptureNode,
        capture_node=capture,
        inference_node={'backend': 'peak'},
    )
    infos = graph.collect(CameraInfo, 'depth/camera_info')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: depth and infos, 'a depth image')
    assert to_intrinsics(infos[0]) == bent.rectified()
    found = to_array(depth[0])
    # Breathing comes by way of K and P, where it is rounded.
    assert (np.isfinite(found) == np.isfinite(expected)).mean() > 0.999
    both = np.isfinite(found) & np.isfinite(expected)
    assert np.abs(1 / found - 1 / expected)[both].mean() < 1e-4


def test_an_evaluation_scores_the_metres_of_sff_depth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, of = tmp_path / 'stack', camera(0.04)
    bent = write(folder)
    found = depth_of(folder, tmp_path / 'out', '--min-confidence', '0')
    ground_truth = Rectifier(bent).map(of.true_depth_m, np.nan)
    inside = np.isfinite(found) & np.isfinite(ground_truth)
    expected = float(np.mean(np.abs(found - ground_truth)[inside] / ground_truth[inside]))
    assert expected > 0.02  # the field is made up
    assert abs_rel(folder, 'depth', of.true_depth_m, capsys) == pytest.approx(expected, rel=1e-4)
    # Its own map is no error: field curvature is in both, or in neither.
    index = read_map(tmp_path / 'out' / 'index.tiff')
    assert abs_rel(folder, 'index', index, capsys) == pytest.approx(0, abs=1e-6)
