"""Which backend inference_node runs, what it says about that, and how it takes another."""

from __future__ import annotations

import sys

import pytest
from hand_made import HandMade
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

import sff_ros.nodes.inference_node as node_module
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.image import Image as ImageArray
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.choice import Choice
from sff_ros.inference.peak import PeakBackend
from sff_ros.nodes.inference_node import InferenceNode

BLOCKED = ('tensorrt', 'tensorrt_rtx', 'onnxruntime', 'torch')


class Other(PeakBackend):
    """A backend of another name."""

    spec = ModelSpec('other', 15, 16, 'abcdef0123', 'fp32', 2)


class Failing(Other):
    """A backend whose library fails with every sweep."""

    def infer(self, volume: FocusVolume, context: ImageArray) -> FocusEstimate:
        raise ModelError('out of memory')


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in BLOCKED:
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f'sff_ros.inference.{library}', raising=False)
    monkeypatch.delitem(sys.modules, 'sff_ros.inference.onnx', raising=False)


@pytest.mark.usefixtures('nothing_installed')
def test_diagnostics_say_which_backend_runs_and_why_no_better_one(start: StartGraph) -> None:
    graph = start(InferenceNode)
    values = facts(graph.status('inference_node', 'a backend', lambda s: 'backend' in facts(s)))
    assert values['backend'] == 'peak'
    assert 'onnx: onnxruntime is not installed' in values['backends_refused']
    assert 'torch: torch is not installed' in values['backends_refused']


def test_what_was_asked_for_by_name_has_no_better_one(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'backend': 'peak'})
    values = facts(graph.status('inference_node', 'a backend', lambda s: 'backend' in facts(s)))
    assert values['backend'] == 'peak'
    assert 'backends_refused' not in values


def test_a_model_that_is_not_there_leaves_the_node_unconfigured(start: StartGraph) -> None:
    settings = {'model': '/nowhere/mine.onnx', 'autostart': False}
    graph = start(InferenceNode, inference_node=settings)
    assert not graph.change_state('inference_node', 1)
    assert graph.state('inference_node') == 'unconfigured'


def test_reload_takes_effect_at_the_next_slice(
    start: StartGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = start(InferenceNode, inference_node={'backend': 'peak'})
    monkeypatch.setattr(
        node_module, 'choose_backend', lambda name, model: Choice(Other(), ('best: broken',))
    )
    answer = graph.call(Trigger, 'inference_node/reload_model', Trigger.Request())
    assert answer.success
    assert answer.message == 'other, fp32, weights abcdef01; the best that loads (best: broken)'
    confidence = graph.collect(Image, 'focus_map/confidence')
    HandMade(graph).sweep()
    wait(lambda: confidence, 'a confidence map')
    values = facts(
        graph.status('inference_node', 'other', lambda s: facts(s).get('backend') == 'other')
    )
    assert values['backends_refused'] == 'best: broken'


def test_a_reload_that_fails_leaves_the_old_backend_serving(
    start: StartGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, model: str) -> Choice:
        raise ModelError('no backend could be loaded (onnx: cut off)')

    graph = start(InferenceNode, inference_node={'backend': 'peak'})
    monkeypatch.setattr(node_module, 'choose_backend', refuse)
    answer = graph.call(Trigger, 'inference_node/reload_model', Trigger.Request())
    assert not answer.success
    assert answer.message == 'no backend could be loaded (onnx: cut off)'
    confidence = graph.collect(Image, 'focus_map/confidence')
    HandMade(graph).sweep()
    wait(lambda: confidence, 'a confidence map')


def test_a_backend_that_fails_on_a_sweep_does_not_end_the_node(
    start: StartGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, 'choose_backend', lambda name, model: Choice(Failing()))
    graph = start(InferenceNode)
    hand = HandMade(graph)
    hand.sweep()
    assert graph.counts('inference_node', 'failures') >= 1
    hand.sweep()
    assert graph.counts('inference_node', 'failures', 2) >= 2
