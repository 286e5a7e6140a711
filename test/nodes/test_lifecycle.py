"""Lifecycle states of the nodes, and cleanup."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest
from hand_made import HandMade
from live_graph import (
    ACTIVATE,
    BEFORE_KILTED,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    NODES,
    Graph,
    StartGraph,
    wait,
)
from sensor_msgs.msg import Image

from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode

SMALL = {'simulated.width': 64, 'simulated.height': 64, 'simulated.frame_rate': 200.0}
ALL = (DepthNode, InferenceNode, CaptureNode)


def test_autostart_makes_them_active(start: StartGraph) -> None:
    graph = start(*ALL, capture_node=SMALL)
    assert graph.started == [True] * 3
    assert [graph.state(node) for node in NODES] == ['active'] * 3


def test_without_autostart_they_wait(start: StartGraph) -> None:
    off: dict[str, Any] = {'autostart': False}
    graph = start(*ALL, capture_node=off, inference_node=off, depth_node=off)
    assert [graph.state(node) for node in NODES] == ['unconfigured'] * 3
    graph.status('capture_node', 'OK', lambda s: s.message == 'OK')
    for node in NODES:
        if not BEFORE_KILTED:  # where such a request gets no answer at all
            assert not graph.change_state(node, ACTIVATE)
        assert graph.change_state(node, CONFIGURE)
        assert graph.state(node) == 'inactive'
        assert graph.change_state(node, CLEANUP)
        assert graph.state(node) == 'unconfigured'


def test_configure_that_fails_can_be_asked_again(start: StartGraph, tmp_path: Path) -> None:
    graph = start(
        CaptureNode,
        capture_node={
            **SMALL,
            'autostart': False,
            'camera': 'folder',
            'folder.path': str(tmp_path),
        },
    )
    for _ in range(2):
        assert not graph.change_state('capture_node', CONFIGURE)
        assert graph.state('capture_node') == 'unconfigured'
    assert graph.set('capture_node', 'camera', 'simulated').successful
    assert graph.change_state('capture_node', CONFIGURE)
    assert graph.change_state('capture_node', ACTIVATE)
    assert graph.state('capture_node') == 'active'


def test_a_bad_qos_override_fails_at_configure_and_leaves_no_publisher(start: StartGraph) -> None:
    override = {'qos_overrides./depth/points.publisher.reliability': 'sometimes'}
    graph = start(DepthNode, depth_node=override)
    assert graph.started == [False]
    assert graph.state('depth_node') == 'unconfigured'
    assert graph.tester.count_publishers('/depth/image_rect') == 0


@pytest.mark.parametrize('value', ['sometimes', 3])
def test_a_bad_qos_override_fails_at_activate_and_leaves_no_subscription(
    start: StartGraph, value: Any
) -> None:
    override = {'qos_overrides./all_in_focus/camera_info.subscription.reliability': value}
    graph = start(DepthNode, depth_node=override)
    assert graph.started == [False]
    assert graph.state('depth_node') == 'inactive'
    assert graph.tester.count_subscribers('/focus_map/image') == 0


def resident_mb() -> float:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096 / 1e6


def endpoints(graph: Graph) -> dict[str, tuple[int, int]]:
    """Publishers and subscribers by topic in the ROS graph."""
    tester = graph.tester
    return {
        name: (tester.count_publishers(name), tester.count_subscribers(name))
        for name, _ in tester.get_topic_names_and_types()
        if 'parameter_events' not in name and 'rosout' not in name
    }


def cycle(graph: Graph, times: int, *transitions: int) -> float:
    """Cycle through transitions; return the least resident memory after any cycle, MB."""
    resident = []
    for _ in range(times):
        for transition in transitions:
            for node in NODES:
                assert graph.change_state(node, transition)
        gc.collect()
        resident.append(resident_mb())
    return min(resident)


@pytest.mark.parametrize(
    ('transitions', 'cycles'),
    [((DEACTIVATE, ACTIVATE), 20), ((DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE), 5)],
    ids=['deactivate', 'cleanup'],
)
@pytest.mark.slow
def test_cycles_leak_nothing(start: StartGraph, transitions: tuple[int, ...], cycles: int) -> None:
    # The nodes' own memory, to the megabyte; what a network's library keeps is measured beside it.
    graph = start(*ALL, capture_node=SMALL, inference_node={'backend': 'peak'})
    depth = graph.collect(Image, 'depth/image_rect')
    wait(lambda: depth, 'a depth image')
    before_mb = cycle(graph, 3, *transitions)  # caches are warm after these
    threads, before = sorted(t.name for t in threading.enumerate()), endpoints(graph)
    after_mb = cycle(graph, cycles, *transitions)
    assert sorted(t.name for t in threading.enumerate()) == threads
    wait(lambda: endpoints(graph) == before, f'the endpoints {before}, not {endpoints(graph)}')
    assert after_mb - before_mb < 5
    depth.clear()
    wait(lambda: depth, 'a depth image after all that')


def test_nothing_is_published_while_inactive(start: StartGraph) -> None:
    graph = start(*ALL, capture_node=SMALL)
    depth, slices = graph.collect(Image, 'depth/image_rect'), graph.collect(Image, 'stack/image')
    wait(lambda: depth, 'a depth image')
    assert graph.change_state('capture_node', DEACTIVATE)
    graph.status('capture_node', 'anything', lambda s: True)  # what was under way has arrived
    slices.clear()
    graph.status('capture_node', 'anything', lambda s: True)
    assert not slices


def test_a_sweep_under_way_is_forgotten_by_deactivate(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 3})
    focus = graph.collect(Image, 'focus_map/image')
    hand = HandMade(graph)
    hand.sweep(without=[3, 4])
    wait(lambda: graph.counts('inference_node', 'slices', 3) == 3, 'three slices')
    assert graph.change_state('inference_node', DEACTIVATE)
    assert graph.change_state('inference_node', ACTIVATE)
    again = HandMade(graph)
    again.sweeps, again.last_ns = 5, hand.last_ns
    again.sweep()
    wait(lambda: focus, 'a focus map')
    graph.counts('inference_node', 'sweeps', 1)
    assert len(focus) == 1
