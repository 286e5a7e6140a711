"""Parameters of the nodes as a user sees and sets them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from live_graph import CLEANUP, CONFIGURE, DEACTIVATE, StartGraph
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, ListParameters

from sff_ros.config.nodes import NODE_CONFIGS
from sff_ros.config.schema import walk
from sff_ros.errors import ConfigError
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.inference_node import InferenceNode

MAKERS = {'capture_node': CaptureNode, 'inference_node': InferenceNode, 'depth_node': DepthNode}
KINDS = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
    tuple: ParameterType.PARAMETER_DOUBLE_ARRAY,
}


@pytest.mark.parametrize('node', MAKERS)
def test_every_parameter_is_described_and_bounded(start: StartGraph, node: str) -> None:
    graph = start(MAKERS[node], **{node: {'autostart': False}})
    known = {name: (spec, default) for name, spec, default, _ in walk(NODE_CONFIGS[node])}
    listed = graph.call(ListParameters, f'{node}/list_parameters', ListParameters.Request())
    assert known.keys() <= set(listed.result.names)
    request = DescribeParameters.Request(names=list(known))
    response = graph.call(DescribeParameters, f'{node}/describe_parameters', request)
    for described, (spec, default) in zip(response.descriptors, known.values(), strict=True):
        assert described.description == spec.doc
        assert described.type == KINDS[type(default)]
        ranges = [*described.floating_point_range, *described.integer_range]
        if spec.low is not None and not isinstance(default, tuple):
            assert [(r.from_value, r.to_value) for r in ranges] == [(spec.low, spec.high)]
        for choice in spec.choices:
            assert choice in described.additional_constraints
        if spec.unit:
            assert f'unit: {spec.unit}' in described.additional_constraints
        frozen = 'takes effect at configure' in described.additional_constraints
        assert frozen == (not spec.live)


@pytest.mark.parametrize(
    ('node', 'name', 'value', 'words'),
    [
        (
            'depth_node',
            'min_confidance',
            0.5,
            "unknown parameter 'min_confidance'; did you mean min_confidence?",
        ),
        ('depth_node', 'bogus', 1, "unknown parameter 'bogus'; known: autostart, encoding, "),
        ('depth_node', 'min_confidence', 1.5, 'min_confidence is 1.5; allowed: 0 .. 1'),
        ('depth_node', 'min_confidence', math.nan, 'min_confidence is nan; allowed: 0 .. 1'),
        (
            'depth_node',
            'min_confidence',
            1,
            'min_confidence must be a float such as 1.0, not the integer 1',
        ),
        ('depth_node', 'encoding', 'mono16', "encoding is 'mono16'; allowed: one of 32FC1, 16UC1"),
        ('depth_node', 'speckle_size_px', 2.0, 'speckle_size_px must be int, not 2.0'),
        ('depth_node', 'autostart', 'maybe', "autostart must be bool, not 'maybe'"),
        ('inference_node', 'backend', 'best', "backend is 'best'; allowed: one of auto, tensorrt"),
        ('inference_node', 'max_missing', -1, 'max_missing is -1; allowed: 0 .. 50'),
        ('capture_node', 'sweep.num_slices', 4, 'num_slices is 4; allowed: 5 .. 100'),
        ('capture_node', 'sweep.near_m', 1, 'near_m must be a float such as 1.0'),
        ('capture_node', 'sweep.positions_dpt', [1.0, 200.0], 'positions_dpt is 200.0; allowed'),
        ('capture_node', 'sweep.positions_dpt', [1, 2], 'positions_dpt must be floats such as'),
        ('capture_node', 'simulated.width', [], 'simulated.width must be int, not ()'),
        ('capture_node', 'camera', [], 'camera must be str, not ()'),
        ('capture_node', 'bogus', [], "unknown parameter 'bogus'; known: autostart, camera, "),
        ('capture_node', 'zoom', 64, "unknown parameter 'zoom'; known: autostart, camera, "),
    ],
)
def test_a_bad_value_at_the_start_names_parameter_value_and_what_is_allowed(
    start: StartGraph, node: str, name: str, value: Any, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        start(MAKERS[node], **{node: {name: value}})
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)


def test_an_empty_list_is_the_default(start: StartGraph) -> None:
    graph = start(CaptureNode, capture_node={'autostart': False, 'sweep.positions_dpt': []})
    assert list(graph.nodes[0].get_parameter('sweep.positions_dpt').value) == []
    assert graph.set('capture_node', 'sweep.positions_dpt', [2.0, 3.0, 3.5]).successful
    assert list(graph.nodes[0].get_parameter('sweep.positions_dpt').value) == [2.0, 3.0, 3.5]


@pytest.mark.parametrize('kind', ['double', 'bool', 'byte', 'integer', 'string'])
def test_a_list_of_any_type_can_be_emptied(start: StartGraph, kind: str) -> None:
    given = {'autostart': False, 'sweep.positions_dpt': [2.0, 3.0, 3.5]}
    graph = start(CaptureNode, capture_node=given)
    # `ros2 param set` takes [] for booleans.
    empty = ParameterValue(type=getattr(ParameterType, f'PARAMETER_{kind.upper()}_ARRAY'))
    assert graph.set_typed('capture_node', 'sweep.positions_dpt', empty).successful
    assert list(graph.nodes[0].get_parameter('sweep.positions_dpt').value) == []
    refused = ParameterValue(type=ParameterType.PARAMETER_INTEGER_ARRAY, integer_array_value=[2])
    result = graph.set_typed('capture_node', 'sweep.positions_dpt', refused)
    assert result.reason == 'sweep.positions_dpt must be floats such as 1.0, not (2,)'


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('min_confidence', 0.7, ''),
        ('encoding', '16UC1', ''),
        ('min_confidence', 1.5, 'min_confidence'),
        ('min_confidence', 1, 'type'),
        ('encoding', 'mono16', "encoding is 'mono16'; allowed: one of 32FC1, 16UC1"),
        ('min_confidance', 0.5, 'undeclared parameter'),
        ('autostart', False, 'autostart takes effect at configure: clean the node up first'),
    ],
)
def test_a_change_while_active(start: StartGraph, name: str, value: Any, reason: str) -> None:
    graph = start(DepthNode)
    assert graph.state('depth_node') == 'active'
    result = graph.set('depth_node', name, value)
    assert result.successful == (not reason)
    assert reason.lower() in result.reason.lower()
    if not reason:
        assert graph.nodes[0].get_parameter(name).value == value


def test_what_is_not_live_may_be_changed_while_unconfigured(start: StartGraph) -> None:
    graph = start(
        CaptureNode,
        capture_node={'simulated.width': 96, 'simulated.height': 64, 'mode': 'triggered'},
    )
    assert not graph.set('capture_node', 'simulated.width', 128).successful
    assert graph.change_state('capture_node', DEACTIVATE)
    refused = graph.set('capture_node', 'simulated.width', 128)
    assert refused.reason == 'simulated.width takes effect at configure: clean the node up first'
    assert graph.change_state('capture_node', CLEANUP)
    assert graph.set('capture_node', 'simulated.width', 128).successful
    assert graph.change_state('capture_node', CONFIGURE)


def test_a_set_of_changes_is_taken_or_refused_as_one(start: StartGraph) -> None:
    from rclpy.parameter import Parameter

    node = start(DepthNode).nodes[0]
    result = node.set_parameters_atomically(
        [
            Parameter('min_confidence', value=0.9),
            Parameter('encoding', value='mono16'),
        ]
    )
    assert not result.successful
    assert node.get_parameter('min_confidence').value == 0.5


@pytest.mark.parametrize('namespace', ['', 'arm'])
def test_qos_overrides_are_no_unknown_parameters(start: StartGraph, namespace: str) -> None:
    topic = f'/{namespace}/depth/image_rect' if namespace else '/depth/image_rect'
    override = f'qos_overrides.{topic}.publisher.depth'
    graph = start(DepthNode, namespace=namespace, **{'depth_node': {override: 3}})
    assert graph.started == [True]
    assert graph.nodes[0].get_parameter(override).value == 3
