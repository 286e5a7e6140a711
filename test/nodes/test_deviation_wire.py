"""The standard deviation of depth on the wire: only for those who ask, and never in the way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from focus_maps import DEVIATION, DEVIATION_DPT, Maps, ramp
from live_graph import Graph, StartGraph, facts, wait
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.messages import to_array, to_image


@pytest.fixture
def graph(start: StartGraph) -> Graph:
    return start(DepthNode)


def listen(graph: Graph) -> list[Image]:
    """Return the deviations that arrive from now on."""
    found = graph.collect(Image, 'depth/standard_deviation')
    wait(lambda: graph.nodes[0].count_subscribers('depth/standard_deviation'), 'a subscriber')
    return found


def asked(graph: Graph) -> tuple[list[Image], Maps, Callable[[], int]]:
    """Return deviations as they arrive, maps whose deviations are asked for, and by how many."""
    found, maps = listen(graph), Maps(graph)
    wanted = maps.add_deviation()
    maps.send(ramp())
    wait(wanted, 'a request')
    return found, maps, wanted


def _longer(messages: list[Image], than: int) -> bool:
    return len(messages) > than


def test_a_deviation_in_metres_when_somebody_listens(graph: Graph) -> None:
    """It is asked for at the first sweep after somebody subscribed, and comes with the next."""
    maps = Maps(graph)
    wanted = maps.add_deviation()
    depth = graph.collect(Image, 'depth/image_rect')
    maps.send(ramp())
    wait(lambda: depth, 'a depth image')
    assert not wanted()
    found = listen(graph)
    maps.send(ramp())
    wait(wanted, 'a request')
    dioptres = ramp()
    dioptres[5, :3] = np.nan, np.inf, -np.inf
    dioptres[6, 0] = 0.01  # 100 m
    maps.send(dioptres)
    wait(lambda: found and len(depth) == 3, 'a deviation')
    same = depth[2]
    assert found[0].header == same.header
    assert (found[0].encoding, found[0].header.frame_id) == ('32FC1', 'lens')
    metres, deviation = to_array(same), to_array(found[0])
    np.testing.assert_array_equal(np.isnan(deviation), ~np.isfinite(metres))
    finite = np.isfinite(metres)
    np.testing.assert_allclose(deviation[finite], DEVIATION_DPT * metres[finite] ** 2, rtol=1e-5)


def test_a_sender_without_deviations_costs_the_deviation_only(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    found = listen(graph)
    maps = Maps(graph)
    for sent in range(7):
        maps.send(ramp())
        wait(partial(_longer, depth, sent), 'a depth image')
    assert not found
    status = graph.status('depth_node', 'OK', lambda s: True)
    assert facts(status)['unmatched_maps'] == '0'


def test_a_deviation_of_another_size_is_refused(graph: Graph) -> None:
    depth = graph.collect(Image, 'depth/image_rect')
    found, maps, _ = asked(graph)
    header = Header(stamp=stamp_of(maps.stamp_ns + 100_000_000), frame_id='lens')
    maps.send(ramp(), deviation=to_image(np.ones((2, 2), np.float32), '32FC1', header))
    graph.says('depth_node', f'{DEVIATION} is 2x2, the depth image is 32x24')
    assert len(depth) == 2
    assert not found


def test_nobody_listening_any_more_ends_it(graph: Graph) -> None:
    found, maps, wanted = asked(graph)
    maps.send(ramp())
    wait(lambda: found, 'a deviation')
    graph.tester.destroy_subscription(
        next(s for s in graph.tester.subscriptions if s.topic_name == '/depth/standard_deviation')
    )
    wait(lambda: not graph.nodes[0].count_subscribers('depth/standard_deviation'), 'its end')
    maps.send(ramp())
    wait(lambda: not wanted(), 'the end of the request')
