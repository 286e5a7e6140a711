"""The diagnostics of missing or incompatible inputs."""

from __future__ import annotations

import pytest
from hand_made import HandMade
from live_graph import StartGraph, wait
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from simulated_time import SimulatedTime

from sff_ros.nodes import watched_inputs
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import PublisherEventCallbacks

# rclpy's own callback warns of itself.
SILENT = PublisherEventCallbacks(use_default_callbacks=False)
QUICK = {'watchdog_s': 0.3}
LONGER_S = 0.4


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedTime:
    """Time by which inputs are silent: it passes where a test says so."""
    simulated = SimulatedTime()
    monkeypatch.setattr(watched_inputs, 'time', simulated)
    return simulated


@pytest.mark.parametrize('namespace', ['', 'arm'])
def test_an_input_that_nobody_publishes_is_named(
    start: StartGraph, clock: SimulatedTime, namespace: str
) -> None:
    graph = start(InferenceNode, namespace=namespace, inference_node=QUICK)
    clock.sleep(LONGER_S)
    before = f'/{namespace}' if namespace else ''
    status = graph.status(
        f'{namespace}/inference_node'.lstrip('/'),
        'that three inputs are missing',
        lambda s: s.message.count('no publisher of') == 3,
    )
    assert status.level == status.WARN
    for topic in ('stack/image', 'stack/camera_info', 'stack/focus'):
        assert f'no publisher of {before}/{topic} for' in status.message


def test_every_input_of_depth_node_is_watched(start: StartGraph, clock: SimulatedTime) -> None:
    graph = start(DepthNode, depth_node=QUICK)
    clock.sleep(LONGER_S)
    status = graph.status(
        'depth_node',
        'that four inputs are missing',
        lambda s: s.message.count('no publisher of') == 4,
    )
    topics = [part.split()[3] for part in status.message.split('; ')]
    assert topics == [
        '/focus_map/image',
        '/focus_map/confidence',
        '/all_in_focus/camera_info',
        '/all_in_focus/image_rect_color',
    ]


def test_an_input_that_falls_silent_is_named_and_forgiven(
    start: StartGraph, clock: SimulatedTime
) -> None:
    graph = start(InferenceNode, inference_node=QUICK)
    hand = HandMade(graph)
    hand.sweep()
    graph.counts('inference_node', 'stack_sweeps')
    clock.sleep(LONGER_S)
    graph.says('inference_node', 'no message on /stack/focus (publishers: 1) for')
    hand.sweep()
    graph.status('inference_node', 'OK', lambda s: s.message == 'OK')


def test_one_silent_input_of_three_is_the_one_named(
    start: StartGraph, clock: SimulatedTime
) -> None:
    graph = start(InferenceNode, inference_node=QUICK)
    hand = HandMade(graph)
    infos = graph.publish(CameraInfo, 'stack/camera_info')
    clock.sleep(LONGER_S)
    graph.status(
        'inference_node',
        'that three inputs are silent',
        lambda s: s.message.count('no message on') == 3,
    )
    image, info, _ = hand.messages(0, 1.0)
    hand.send_image(image)
    infos(info)
    status = graph.status(
        'inference_node',
        'that one input is silent',
        lambda s: s.message.count('no message on') == 1,
    )
    assert 'no message on /stack/focus' in status.message


def test_a_publisher_whose_qos_does_not_fit_is_named(
    start: StartGraph, clock: SimulatedTime
) -> None:
    graph = start(InferenceNode, inference_node=QUICK)
    clock.sleep(LONGER_S)
    best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    graph.tester.create_publisher(Image, 'stack/image', best_effort, event_callbacks=SILENT)
    graph.says(
        'inference_node', 'a publisher of /stack/image has incompatible QoS (RELIABILITY) for'
    )


def test_a_misfit_is_forgotten_when_it_goes_away(start: StartGraph, clock: SimulatedTime) -> None:
    graph = start(InferenceNode, inference_node=QUICK)
    clock.sleep(LONGER_S)
    best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    misfit = graph.tester.create_publisher(
        JointState, 'stack/focus', best_effort, event_callbacks=SILENT
    )
    graph.says('inference_node', 'a publisher of /stack/focus has incompatible QoS')
    graph.tester.destroy_publisher(misfit)
    graph.says('inference_node', 'no publisher of /stack/focus for')


def test_patience_is_a_parameter(start: StartGraph, clock: SimulatedTime) -> None:
    graph = start(InferenceNode, inference_node={'watchdog_s': 60.0})
    clock.sleep(59.0)
    assert graph.status('inference_node', 'anything', lambda s: True).message == 'OK'
    assert graph.set('inference_node', 'watchdog_s', 0.2).successful
    graph.says('inference_node', 'no publisher of /stack/image for 59 s')


def test_nothing_is_missed_while_inactive(start: StartGraph, clock: SimulatedTime) -> None:
    graph = start(InferenceNode, inference_node=QUICK)
    clock.sleep(LONGER_S)
    graph.says('inference_node', 'no publisher of')
    assert graph.change_state('inference_node', 4)
    wait(lambda: graph.status('inference_node', 'any', lambda s: True).message == 'OK', 'silence')
