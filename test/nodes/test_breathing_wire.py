"""Breathing goes over the wire as K against P, and motion into diagnostics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from breathing_sweep import camera, shifted, sweep
from hand_made import QOS
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header

from sff_ros.core.optics.breathing import breathing_warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.errors import CalibrationError
from sff_ros.files.stack import write_stack
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.diagnostics import OK, WARN, Report
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import (
    header_of,
    to_array,
    to_breathing,
    to_camera_info,
    to_focus,
    to_image,
    to_intrinsics,
    to_slice,
)
from sff_ros.nodes.motion_report import Moved, report_motion

CAMERA = Intrinsics(64, 48, 50.0, 51.0, 30.5, 24.25, (0.1, -0.2, 0.0, 0.0))


@pytest.mark.parametrize('scale', [0.97, 1.04])
def test_round_trip(scale: float) -> None:
    warp = breathing_warp(scale, (20.0, 30.0))
    info = to_camera_info(CAMERA, Header(), warp)
    assert info.k[0] == pytest.approx(50 * scale)
    assert info.p[0] == 50
    reference, found = to_breathing(info)
    assert reference == CAMERA
    assert found is not None
    np.testing.assert_allclose(found, warp, atol=1e-9)
    slice_ = sweep(camera())[3]
    got = to_slice(to_image(slice_.image, 'rgb8', Header()), to_focus(slice_, Header()), found)
    assert got.lens.warp is found


def test_without_breathing_the_wire_is_as_it_was() -> None:
    plain = to_camera_info(CAMERA, Header())
    assert plain == to_camera_info(CAMERA, Header(), np.eye(3))
    assert to_breathing(plain) == (CAMERA, None)
    plain.p = [0.0] * 12
    assert to_breathing(plain) == (CAMERA, None)


def test_a_camera_without_intrinsics_cannot_tell() -> None:
    info = to_camera_info(Intrinsics(64, 48), Header(), breathing_warp(1.1, (20.0, 30.0)))
    assert not info.k.any()
    assert to_breathing(info) == (Intrinsics(64, 48), None)


@pytest.mark.parametrize(
    ('place', 'value'), [(0, -50.0), (5, 0.0), (1, 2.0), (2, float('nan')), (3, 5.0), (0, 0.0)]
)
def test_a_malformed_p_is_refused(place: int, value: float) -> None:
    info = to_camera_info(CAMERA, Header(), breathing_warp(1.1, (20.0, 30.0)))
    info.p[place] = value
    with pytest.raises(CalibrationError, match='P must be'):
        to_breathing(info)


@pytest.mark.parametrize(
    ('moved', 'words'),
    [
        (Moved('similarity', 14.0, 0.01, 3), []),
        (Moved('breathing', 1.9, 0.05), []),
        (Moved('breathing', 2.6, 0.0), ['the image moved by 2.6 px', 'align is breathing']),
        (Moved('none', 2.6, 0.0), ['set align to similarity']),
        (Moved('similarity', 0.1, 0.08), ['8% of the pixels moved during a sweep']),
    ],
)
def test_motion_is_reported(moved: Moved, words: list[str]) -> None:
    report = Report()
    report_motion(moved, report)
    assert report.level == (WARN if words else OK)
    assert bool(report.messages) == bool(words)
    assert all(word in '; '.join(report.messages) for word in words)
    assert report.values['align'] == moved.align
    assert report.values['camera_motion_px'] == f'{moved.camera_px:.2f}'
    assert report.values['moving_fraction'] == f'{moved.moving:.3f}'
    assert report.values['ignored_steps'] == str(moved.dropped)


@pytest.mark.parametrize('breathing', [0.0, 0.05])
def test_depth_of_a_lens_that_breathes_over_the_chain(
    start: StartGraph, tmp_path: Path, breathing: float
) -> None:
    """Without breathing the same test says what is to be expected."""
    of = camera(breathing)
    write_stack(tmp_path / 'stack', sweep(of), of.intrinsics)
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
    infos = graph.collect(CameraInfo, 'stack/camera_info')
    results = graph.collect(CameraInfo, 'all_in_focus/camera_info')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: len(depth) >= 3 and len(results) >= 3, 'three depth images')
    focal = {round(info.k[0], 3) for info in infos}
    assert len(focal) == (15 if breathing else 1)
    assert {info.p[0] for info in infos} == {of.intrinsics.fx}
    assert to_intrinsics(results[-1]) == of.intrinsics
    depth_m = to_array(depth[-1])
    known = np.isfinite(depth_m)
    assert known.mean() > 0.7
    assert np.median(np.abs(1 / depth_m[known] - 1 / of.true_depth_m[known])) < 0.02
    values = facts(graph.status('inference_node', 'align', lambda s: 'align' in facts(s)))
    assert values['align'] == 'breathing'
    assert float(values['camera_motion_px']) < 0.5


def test_a_camera_that_moves_is_complained_of_until_it_is_followed(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'backend': 'peak'})
    focus = graph.collect(Image, 'focus_map/image')
    image = graph.publish(Image, 'stack/image', QOS)
    info = graph.publish(CameraInfo, 'stack/camera_info', QOS)
    place = graph.publish(JointState, 'stack/focus', QOS)
    of = camera()

    def publish(number: int) -> None:
        for slice_ in sweep(of, number):
            moved = replace(slice_, image=shifted(slice_.image, 1.0 * slice_.index))
            header = header_of(stamp_of(moved.stamp_ns), 'lens')
            place(to_focus(moved, header))
            info(to_camera_info(of.intrinsics, header))
            image(to_image(moved.image, 'rgb8', header))

    publish(0)
    wait(lambda: len(focus) == 1, 'a focus map')
    status = graph.says('inference_node', 'align is breathing: hold the camera still')
    assert float(facts(status)['camera_motion_px']) == pytest.approx(14, rel=0.2)
    assert float(facts(status)['moving_fraction']) > 0.5
    assert graph.set('inference_node', 'align', 'similarity').successful
    publish(1)
    wait(lambda: len(focus) == 2, 'a second focus map')
    follows = 'similarity'
    status = graph.status('inference_node', follows, lambda s: facts(s).get('align') == follows)
    assert 'moved' not in status.message
    assert float(facts(status)['camera_motion_px']) == pytest.approx(14, abs=0.5)
    assert float(facts(status)['moving_fraction']) < 0.02


@pytest.mark.parametrize(
    ('align', 'focus_dpt', 'used'),
    [
        ('auto', 2.0, 'breathing'),
        ('auto', np.nan, 'similarity'),
        ('none', np.nan, 'none'),
        ('homography', 2.0, 'homography'),
    ],
)
def test_an_uncalibrated_lens_is_followed_by_its_pictures(
    start: StartGraph, tmp_path: Path, align: str, focus_dpt: float, used: str
) -> None:
    of = camera(0.05)
    known = [replace(s, lens=LensState(s.focus_dpt * focus_dpt)) for s in sweep(of)]
    write_stack(tmp_path / 'stack', known, of.intrinsics)
    capture: dict[str, Any] = {
        'camera': 'folder', 'folder.path': str(tmp_path / 'stack'), 'folder.frame_rate': 60.0,
    }  # fmt: skip
    inference: dict[str, Any] = {'backend': 'peak', 'align': align}
    graph = start(InferenceNode, CaptureNode, capture_node=capture, inference_node=inference)
    status = graph.status('inference_node', used, lambda s: 'align' in facts(s))
    assert facts(status)['align'] == used
    # 5 % of breathing move the corners of 160x120 pixels by 5 px; found, they are all reported.
    assert float(facts(status)['camera_motion_px']) > 2
