"""A slice that is black or white is missing for inference_node, and diagnostics name it."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import HandMade
from live_graph import StartGraph, wait
from sensor_msgs.msg import Image

from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array


@pytest.mark.parametrize(('index', 'grey', 'colour'), [(1, 0, 'black'), (4, 255, 'white')])
def test_a_blank_slice_is_named_and_counted(
    start: StartGraph, index: int, grey: int, colour: str
) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, 'focus_map/image')
    position = graph.collect(Image, 'focus_map/slice_position')
    hand = HandMade(graph)
    hand.images[index][...] = grey
    hand.sweep()
    wait(lambda: focus and position, 'a focus map')
    assert np.median(to_array(focus[0])) == pytest.approx(2.0, abs=0.15)
    assert np.median(to_array(position[0])) == pytest.approx(HandMade.SHARP, abs=0.3)
    graph.says('inference_node', f'slice {index} is {colour} (sweep 1) and left out')
    assert graph.counts('inference_node', 'stack_blank_slices') == 1
    assert graph.counts('inference_node', 'stack_missing_slices') == 1


def test_a_sweep_with_too_many_is_dropped(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 0})
    focus = graph.collect(Image, 'focus_map/image')
    hand = HandMade(graph)
    sharp = [image.copy() for image in hand.images]
    hand.images[3][...] = 0
    hand.sweep()
    hand.images[:] = sharp
    hand.sweep()
    wait(lambda: focus, 'the focus map of the second sweep')
    assert len(focus) == 1
    assert graph.counts('inference_node', 'stack_dropped_sweeps') == 1
    assert graph.counts('inference_node', 'stack_blank_slices') == 1
