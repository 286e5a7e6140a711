"""Messages that are malformed beyond one slice: endless sweeps, and words without end."""

from __future__ import annotations

import math
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from hand_made import HandMade
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState

from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.nodes.inference_node import InferenceNode


@pytest.mark.parametrize(
    ('at', 'value', 'words'),
    [
        (2, 1e9, 'a sweep of 1,000,000,000 slices of 64x48 needs '),
        (2, 1e300, 'count of a slice must be 0 .. 2147483647, not 1e+300'),
        (3, 1e300, 'sweep of a slice must be 0 .. 2147483647, not 1e+300'),
        (3, -1.0, 'sweep of a slice must be 0 .. 2147483647, not -1'),
        (1, 1e300, 'slice index 1e+300 is outside 0..4'),
    ],
)
def test_an_endless_sweep_is_refused_and_not_called_ok(
    start: StartGraph, at: int, value: float, words: str
) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, 'focus_map/image')
    hand = HandMade(graph)

    def endless(_: Image, __: CameraInfo, joint: JointState) -> None:
        joint.position[at] = value

    hand.sweep(spoil=dict.fromkeys(range(HandMade.COUNT), endless))
    status = graph.says('inference_node', words)
    assert status.level == DiagnosticStatus.WARN
    assert graph.counts('inference_node', 'refused_slices', HandMade.COUNT) == HandMade.COUNT
    assert all(len(value) < 12 for name, value in facts(status).items() if 'stack_' in name)
    hand.sweep()
    wait(lambda: focus, 'a focus map of the next sweep')
    assert len(focus) == 1


@pytest.mark.parametrize(('sec', 'nanosec'), [(2**31 - 1, 4_000_000_000), (7, 10**9), (-1, 0)])
def test_a_malformed_stamp_is_refused_with_its_slice(
    start: StartGraph, sec: int, nanosec: int
) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 0})
    focus = graph.collect(Image, 'focus_map/image')
    hand = HandMade(graph)

    def misdated(*parts: Any) -> None:
        for part in parts:
            part.header.stamp = Time(sec=sec, nanosec=nanosec)

    hand.sweep(spoil={HandMade.COUNT - 1: misdated})
    graph.says('inference_node', f'nanosec < 1e9, not sec {sec} and nanosec {nanosec}')
    assert graph.counts('inference_node', 'refused_slices', 1) == 1
    hand.sweep()
    wait(lambda: focus, 'a focus map of the next sweep')
    assert [stamp_ns(message.header.stamp) for message in focus] == [
        hand.last_ns - 2 * HandMade.STEP_NS
    ]


def test_a_dropped_sweep_is_not_called_ok(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 1})
    HandMade(graph).sweep(without=[1, 3])
    status = graph.says('inference_node', 'a sweep lacks over 1 of its slices and is dropped')
    assert status.level == DiagnosticStatus.WARN


def test_a_long_word_is_cut_in_diagnostics(start: StartGraph) -> None:
    graph = start(InferenceNode)

    def wordy(image: Image, _: CameraInfo, __: JointState) -> None:
        image.encoding = 'x' * 100_000

    HandMade(graph).sweep(spoil={1: wordy})
    status = graph.says('inference_node', "encoding 'xxx")
    assert len(status.message) < 600
    assert math.isclose(float(facts(status)['refused_slices']), 1)
