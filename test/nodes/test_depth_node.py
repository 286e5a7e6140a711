"""What depth_node makes of focus maps, good and bad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from focus_maps import CAMERA, HEIGHT, WIDTH, Maps, colour_image, ramp
from live_graph import Graph, StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from sff_ros.core.depth.cloud import unproject
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.messages import from_cloud, to_array, to_image, to_intrinsics

MALFORMED = Time(sec=2**31 - 1, nanosec=4_000_000_000)


@pytest.fixture
def graph(start: StartGraph) -> Graph:
    return start(DepthNode)


def test_metres_with_the_rules_of_rep_117(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    infos = graph.collect(CameraInfo, 'depth/camera_info')
    dioptres, sure = ramp(), np.ones((HEIGHT, WIDTH), np.float32)
    dioptres[0, :3] = np.nan, np.inf, -np.inf
    sure[1, :2] = 0.29, np.nan
    maps = Maps(graph)
    maps.send(dioptres, sure)
    wait(lambda: depth and infos, 'a depth image')
    assert (depth[0].encoding, depth[0].header.frame_id) == ('32FC1', 'lens')
    assert stamp_ns(depth[0].header.stamp) == maps.stamp_ns
    assert infos[0].header == depth[0].header
    assert to_intrinsics(infos[0]) == CAMERA
    metres = to_array(depth[0])
    np.testing.assert_allclose(metres[2:], 1 / ramp()[2:], rtol=1e-6)
    np.testing.assert_array_equal(metres[0, :3], [np.nan, -np.inf, np.inf])
    assert np.isnan(metres[1, :2]).all()
    assert np.isfinite(metres[1, 2:]).all()


def test_settings_take_effect_live(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    maps = Maps(graph)
    settings = {'min_confidence': 0.8, 'min_depth_m': 0.5, 'max_depth_m': 0.6}
    for name, value in settings.items():
        assert graph.set('depth_node', name, value).successful
    sure = np.ones((HEIGHT, WIDTH), np.float32)
    sure[0] = 0.7
    maps.send(ramp(), sure)
    wait(lambda: depth, 'a depth image')
    metres, ground_truth = to_array(depth[0]), 1 / ramp()
    assert np.isnan(metres[0]).all()
    np.testing.assert_array_equal(metres[1:] == -np.inf, ground_truth[1:] < 0.5)
    np.testing.assert_array_equal(metres[1:] == np.inf, ground_truth[1:] > 0.6)


def test_millimetres(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    assert graph.set('depth_node', 'encoding', '16UC1').successful
    dioptres = ramp()
    dioptres[0, :3] = np.nan, np.inf, 0.01  # 100 m is beyond 16 bits
    Maps(graph).send(dioptres)
    wait(lambda: depth, 'a depth image')
    assert (depth[0].encoding, depth[0].step) == ('16UC1', 2 * WIDTH)
    millimetres = to_array(depth[0])
    assert millimetres.dtype == np.uint16
    assert millimetres[0, :3].tolist() == [0, 0, 0]
    np.testing.assert_allclose(millimetres[1:], 1000 / ramp()[1:], atol=0.51)


@pytest.mark.parametrize('bits', [8, 16])
def test_an_organised_cloud_when_somebody_listens(graph: Graph, bits: int) -> None:
    clouds = graph.collect(PointCloud2, 'depth/points')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: graph.nodes[0].count_subscribers('depth/points'), 'a subscriber')
    dioptres = ramp()
    dioptres[5, 5] = np.nan
    maps = Maps(graph)
    image = colour_image()
    grey16 = image[..., 0].astype(np.uint16) * 257
    maps.send(dioptres, colour=image if bits == 8 else grey16)
    wait(lambda: clouds and depth, 'a cloud')
    assert (clouds[0].height, clouds[0].width, clouds[0].point_step) == (HEIGHT, WIDTH, 32)
    assert not clouds[0].is_dense
    assert clouds[0].header == depth[0].header
    points, rgb = from_cloud(clouds[0])
    np.testing.assert_array_equal(points, unproject(to_array(depth[0]), CAMERA))
    assert np.isnan(points[5, 5]).all()
    expected = image if bits == 8 else np.repeat(image[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(rgb, expected)


def test_no_cloud_is_made_for_nobody(graph: Graph) -> None:
    Maps(graph).send(ramp())
    graph.counts('depth_node', 'depth_images')
    status = graph.status('depth_node', 'OK', lambda s: True)
    assert 'clouds' not in facts(status)


def test_an_uncalibrated_camera_gives_depth_and_no_cloud_and_says_why(graph: Graph) -> None:
    clouds = graph.collect(PointCloud2, 'depth/points')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: graph.nodes[0].count_subscribers('depth/points'), 'a subscriber')
    Maps(graph).send(ramp(), camera=Intrinsics(WIDTH, HEIGHT))
    graph.says('depth_node', 'no depth/points: the camera matrix is zero (not calibrated)')
    np.testing.assert_allclose(to_array(depth[0]), 1 / ramp(), rtol=1e-6)
    assert not clouds


def small_confidence() -> Image:
    return to_image(np.ones((2, 2), np.float32), '32FC1', Header(stamp=stamp_of(5_100_000_123)))


def misdated_confidence() -> Image:
    return to_image(np.ones((HEIGHT, WIDTH), np.float32), '32FC1', Header(stamp=MALFORMED))


def grey_focus() -> Image:
    header = Header(stamp=stamp_of(5_100_000_123))
    return to_image(np.ones((HEIGHT, WIDTH), np.uint8), 'mono8', header)


@pytest.mark.parametrize(
    ('bad', 'words'),
    [
        (
            {'sure': small_confidence()},
            'focus_map/image (24, 32), focus_map/confidence (2, 2) and all_in_focus/camera_info '
            '(24, 32) differ in size',
        ),
        ({'focus': grey_focus()}, "a focus map must be 32FC1, not 'mono8'"),
        ({'camera': Intrinsics(16, 12)}, 'all_in_focus/camera_info (12, 16) differ in size'),
        (
            {'sure': misdated_confidence()},
            'nanosec < 1e9, not sec 2147483647 and nanosec 4000000000',
        ),
    ],
)
def test_a_bad_map_is_refused_counted_and_the_node_goes_on(
    graph: Graph, bad: dict[str, Any], words: str
) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    maps = Maps(graph)
    maps.send(ramp(), **bad)
    status = graph.says('depth_node', words)
    assert facts(status)['refused_maps'] == '1'
    assert not depth
    maps.send(ramp())
    wait(lambda: depth, 'a depth image')


@pytest.mark.parametrize(
    ('colour', 'words'),
    [
        (np.zeros((4, 4, 3), np.uint8), 'is 4x4, the depth image is 32x24'),
        (np.ones((24, 32), np.float32), "must have 8 or 16 bits, not encoding '32FC1'"),
    ],
)
def test_another_picture_costs_the_cloud_only(graph: Graph, colour: Any, words: str) -> None:
    clouds = graph.collect(PointCloud2, 'depth/points')
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: graph.nodes[0].count_subscribers('depth/points'), 'a subscriber')
    Maps(graph).send(ramp(), colour=colour)
    graph.says('depth_node', f'all_in_focus/image_rect_color {words}')
    assert len(depth) == 1
    assert not clouds


def send_incomplete(maps: Maps, graph: Graph) -> None:
    """Publish more sweeps without their focus map than the node waits for."""
    for _ in range(7):
        maps.send(ramp(), focus=None)
        graph.status('depth_node', 'anything', lambda s: True)


def test_maps_of_which_one_is_missing_are_given_up_and_counted(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    maps = Maps(graph)
    send_incomplete(maps, graph)
    assert graph.counts('depth_node', 'unmatched_maps') >= 1
    maps.send(ramp())
    wait(lambda: depth, 'a depth image')


def test_maps_after_time_was_set_back(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    maps = Maps(graph)
    send_incomplete(maps, graph)
    maps.stamp_ns = 1_000_000_000
    maps.send(ramp())
    wait(lambda: depth, 'a depth image')


def test_a_running_mean_starts_anew_after_deactivate(start: StartGraph) -> None:
    graph = start(DepthNode, depth_node={'temporal_weight': 0.5, 'temporal_step_dpt': 5.0})
    depth = graph.collect(Image, 'depth/image_rect')
    maps = Maps(graph)
    for dioptres in (2.0, 1.0):
        maps.send(np.full((HEIGHT, WIDTH), dioptres, np.float32))
    wait(lambda: len(depth) == 2, 'two depth images')
    np.testing.assert_allclose(to_array(depth[1]), 1 / 1.5, rtol=1e-5)
    for transition in (4, 3):
        assert graph.change_state('depth_node', transition)
    again = Maps(graph)
    again.stamp_ns = maps.stamp_ns
    again.send(np.full((HEIGHT, WIDTH), 1.0, np.float32))
    wait(lambda: len(depth) == 3, 'a third depth image')
    np.testing.assert_allclose(to_array(depth[2]), 1.0, rtol=1e-5)
