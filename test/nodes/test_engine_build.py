"""The inference node while an engine is being built: it serves, and says how far the build is."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import HandMade
from live_graph import Graph, StartGraph, facts, wait
from sensor_msgs.msg import Image
from slow_backend import Slow

from sff_ros.errors import ModelError
from sff_ros.inference.choice import Choice
from sff_ros.nodes import inference_node
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    backend = Slow()
    # Answers within the five slices of a hand-made sweep.
    backend.answer = 1.0
    monkeypatch.setattr(inference_node, 'choose_backend', lambda *_: Choice(backend))
    return backend


def engine(graph: Graph, words: str) -> dict[str, str]:
    """Wait until diagnostics say something of the engine; return all that they say."""
    status = graph.status(
        'inference_node', words, lambda s: facts(s).get('engine', '').startswith(words)
    )
    return {**facts(status), 'message': status.message}


def test_a_slower_backend_serves_until_the_engine_is_there(start: StartGraph, slow: Slow) -> None:
    graph = start(InferenceNode)
    maps = graph.collect(Image, 'focus_map/image')
    assert engine(graph, 'idle')['backend'] == 'slow'
    hand = HandMade(graph)
    hand.sweep()
    wait(lambda: maps, 'a focus map during the build')
    assert float(np.median(to_array(maps[0]))) == pytest.approx(2.0, abs=0.1)
    assert engine(graph, 'building: half way 50% (')['backend'] != 'slow'
    slow.let.set()
    assert engine(graph, 'ready (')['backend'] == 'slow'
    hand.sweep()
    wait(lambda: len(maps) == 2, 'a focus map of the engine')
    np.testing.assert_allclose(to_array(maps[1]), 1.5)  # slice 1 of 1.0, 1.5, ... dpt


def test_a_failed_build_is_a_warning_with_its_reason(start: StartGraph, slow: Slow) -> None:
    slow.build_error = ModelError('out of GPU memory')
    slow.let.set()
    graph = start(InferenceNode)
    maps = graph.collect(Image, 'focus_map/image')
    hand = HandMade(graph)
    hand.sweep()
    said = engine(graph, 'failed: out of GPU memory')
    assert 'engine failed: out of GPU memory' in said['message']
    assert said['backend'] != 'slow'
    hand.sweep()
    wait(lambda: len(maps) == 2, 'focus maps all the same')
