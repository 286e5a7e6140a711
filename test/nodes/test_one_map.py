"""One stack gives one map, whichever way it takes: `sff depth`, `sff evaluate`, the nodes."""

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
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import Image

from sff_ros.cli.main import main
from sff_ros.files.stack import write_stack
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array

BREATHING = 0.04
Map = npt.NDArray[np.float32]


def read_map(path: Path) -> Map:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.float32)


def evaluated(
    folder: Path, ground_truth: Map, capsys: pytest.CaptureFixture[str], *more: str
) -> float:
    """Return the mean error of `sff evaluate` in slices."""
    (folder / 'truth').mkdir(exist_ok=True)
    np.save(folder / 'truth' / 'index.npy', ground_truth)
    capsys.readouterr()
    assert main(['evaluate', str(folder), '--backends', 'peak', '--json', *more]) == 0
    (row,) = json.loads(capsys.readouterr().out)['rows']
    return float(row['mae'])


@pytest.mark.parametrize(
    ('calibrated', 'method', 'apart'), [(True, 'breathing', 0.002), (False, 'similarity', 0.1)]
)
def test_a_stack_that_breathes_gives_one_map(
    start: StartGraph,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    calibrated: bool,
    method: str,
    apart: float,
) -> None:
    of, folder = camera(BREATHING), tmp_path / 'stack'
    slices = sweep(of, calibrated=calibrated)
    if not calibrated:
        slices = [
            replace(slice_, lens=replace(slice_.lens, focus_dpt=np.nan)) for slice_ in slices
        ]
    write_stack(folder, slices, of.intrinsics)

    out = tmp_path / 'out'
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    position, confidence = (read_map(out / f'{name}.tiff') for name in ('index', 'confidence'))

    assert evaluated(folder, position, capsys) == 0
    assert evaluated(folder, position, capsys, '--align', 'none') > 0.3

    capture: dict[str, Any] = {
        'camera': 'folder', 'folder.path': str(folder), 'folder.frame_rate': 60.0,
    }  # fmt: skip
    graph = start(
        InferenceNode,
        CaptureNode,
        capture_node=capture,
        inference_node={'backend': 'peak'},
    )
    maps = graph.collect(Image, 'focus_map/slice_position')
    wait(lambda: maps, 'a map')
    status = graph.status('inference_node', 'align', lambda s: 'align' in facts(s))
    assert facts(status)['align'] == method
    # Live stamps are not exactly even, and where breathing is unknown the frame is that of a time.
    sure = confidence > 0.5
    assert np.abs(to_array(maps[-1]) - position)[sure].mean() < apart


def test_known_breathing_is_undone_in_an_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of, folder = camera(BREATHING), tmp_path / 'stack'
    slices = sweep(of)
    write_stack(folder, slices, of.intrinsics)
    focus = [slice_.focus_dpt for slice_ in slices]
    ground_truth = np.interp(1 / of.true_depth_m, focus, np.arange(len(focus))).astype(np.float32)
    aligned = evaluated(folder, ground_truth, capsys)
    assert aligned < 0.5
    assert evaluated(folder, ground_truth, capsys, '--align', 'none') > 2 * aligned
