from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sff_ros.config.cameras import FolderConfig, SimulatedConfig
from sff_ros.config.nodes import (
    NODE_CONFIGS,
    CaptureConfig,
    DepthConfig,
    InferenceConfig,
    SweepConfig,
)
from sff_ros.config.schema import ParamSpec, check_value, from_flat, walk
from sff_ros.errors import ConfigError

NAN, INF = float('nan'), float('inf')
EVERY = [
    pytest.param(name, spec, default, kind, id=f'{node}.{name}')
    for node, cls in NODE_CONFIGS.items()
    for name, spec, default, kind in walk(cls)
]


@pytest.mark.parametrize(('name', 'spec', 'default', 'kind'), EVERY)
def test_declaration_is_sound(name: str, spec: ParamSpec, default: Any, kind: Any) -> None:
    check_value(name, default, spec, kind)  # the default is of its own type and range
    assert spec.doc.endswith('.')
    assert len(spec.doc) > 10
    assert kind in (bool, int, float, str, tuple[float, ...])
    if kind in (int, float, tuple[float, ...]):
        assert spec.low is not None
        assert spec.high is not None
        assert spec.low < spec.high
    if name.endswith(('_m', '_s', '_hz', '_dpt', '_px', '_mm', '_um')):
        assert spec.unit == {'um': 'um'}.get(name.split('_')[-1], name.split('_')[-1])


def test_names_are_dotted_and_unique() -> None:
    names = [name for name, *_ in walk(CaptureConfig)]
    assert len(names) == len(set(names))
    assert {'camera', 'sweep.near_m', 'simulated.near_m', 'folder.path'} <= set(names)


@pytest.mark.parametrize('cls', NODE_CONFIGS.values())
def test_nothing_given_is_all_defaults(cls: type[Any]) -> None:
    assert from_flat(cls, {}) == cls()
    values = {name: default for name, _, default, _ in walk(cls)}
    assert from_flat(cls, values) == cls()


def test_nested_values_arrive_where_they_belong() -> None:
    config = from_flat(
        CaptureConfig,
        {
            'camera': 'folder',
            'sweep.near_m': 0.25,
            'sweep.positions_dpt': (1.0, 2.0, 3.5),
            'simulated.near_m': 0.5,
            'folder.path': '/data',
        },
    )
    assert config == CaptureConfig(
        camera='folder',
        sweep=SweepConfig(near_m=0.25, positions_dpt=(1.0, 2.0, 3.5)),
        simulated=SimulatedConfig(near_m=0.5),
        folder=FolderConfig(path='/data'),
    )


@pytest.mark.parametrize(
    ('cls', 'name', 'message'),
    [
        (DepthConfig, 'min_confidense', "'min_confidense'; did you mean min_confidence?"),
        (CaptureConfig, 'sweep.num_slice', 'did you mean sweep.num_slices?'),
        (CaptureConfig, 'num_slices', "unknown parameter 'num_slices'; did you mean sweep.num"),
        (CaptureConfig, 'sweep', "unknown parameter 'sweep'"),
        (InferenceConfig, 'zzz', "'zzz'; known: autostart, backend, model, max_miss"),
        (InferenceConfig, 'min_confidence', "unknown parameter 'min_confidence'"),
        (CaptureConfig, 'sweep.motion', "parameter 'sweep.motion' is now called sweep.mode"),
        (CaptureConfig, 'simulated.play', "'simulated.play' is now called simulated.backlash"),
    ],
)
def test_unknown_name_is_refused(cls: type[Any], name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_flat(cls, {name: 1.0})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('cls', 'name', 'value', 'message'),
    [
        (CaptureConfig, 'sweep.near_m', 1, 'sweep.near_m must be a float such as 1.0, not the in'),
        (CaptureConfig, 'sweep.near_m', True, 'sweep.near_m must be float, not True'),
        (CaptureConfig, 'sweep.near_m', '1.0', "sweep.near_m must be float, not '1.0'"),
        (CaptureConfig, 'sweep.near_m', None, 'sweep.near_m must be float, not None'),
        (CaptureConfig, 'sweep.num_slices', 15.0, 'sweep.num_slices must be int, not 15.0'),
        (CaptureConfig, 'sweep.num_slices', True, 'sweep.num_slices must be int, not True'),
        (CaptureConfig, 'autostart', 1, 'autostart must be bool, not 1'),
        (CaptureConfig, 'camera', 3, 'camera must be str, not 3'),
        (CaptureConfig, 'sweep.positions_dpt', 1.0, 'sweep.positions_dpt must be tuple, not 1.0'),
        (CaptureConfig, 'sweep.positions_dpt', (1, 2, 3), 'must be floats such as 1.0, not (1, '),
        (CaptureConfig, 'sweep.positions_dpt', ('a',), "must be floats such as 1.0, not ('a',)"),
        (CaptureConfig, 'sweep.positions_dpt', (True,), 'must be floats such as 1.0, not (True'),
        (CaptureConfig, 'sweep.num_slices', 4, 'num_slices is 4; allowed: 5 .. 100, or 0'),
        (CaptureConfig, 'sweep.num_slices', 101, 'sweep.num_slices is 101; allowed: 0 .. 100'),
        (CaptureConfig, 'sweep.near_m', -0.1, 'sweep.near_m is -0.1; allowed: 0 .. 1000 m'),
        (CaptureConfig, 'sweep.near_m', NAN, 'sweep.near_m is nan; allowed: 0 .. 1000 m'),
        (CaptureConfig, 'sweep.near_m', INF, 'sweep.near_m is inf; allowed: 0 .. 1000 m'),
        (CaptureConfig, 'sweep.positions_dpt', (1.0, -2.0), 'is -2.0; allowed: 0 .. 100 dpt'),
        (CaptureConfig, 'sweep.positions_dpt', (NAN,), 'is nan; allowed: 0 .. 100 dpt'),
        (
            CaptureConfig,
            'camera',
            'webcam',
            "is 'webcam'; allowed: one of simulated, folder, v4l2",
        ),
        (CaptureConfig, 'sweep.mode', 'glide', "is 'glide'; allowed: one of step, continuous"),
        (DepthConfig, 'min_confidence', 1.01, 'min_confidence is 1.01; allowed: 0 .. 1'),
        (DepthConfig, 'temporal_weight', 1.0, 'temporal_weight is 1.0; allowed: 0 .. 0.99'),
        (DepthConfig, 'encoding', 'mono16', "'mono16'; allowed: one of 32FC1, 16UC1"),
    ],
)
def test_wrong_value_is_refused(cls: type[Any], name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_flat(cls, {name: value})
    assert message in str(caught.value)


def test_the_near_end_of_a_sweep_is_nearer_than_its_far_end() -> None:
    SweepConfig(near_m=0.3, far_m=0.8)
    SweepConfig(near_m=0.8)
    for near_m in (0.8, 0.9):
        with pytest.raises(
            ConfigError, match=r'near_m \(0\..* m\) must be less than .*far_m \(0\.8'
        ):
            SweepConfig(near_m=near_m, far_m=0.8)


@pytest.mark.parametrize(
    ('cls', 'name', 'value'),
    [
        (SweepConfig, 'num_slices', 5),
        (SweepConfig, 'num_slices', 100),
        (DepthConfig, 'min_confidence', 0.0),
        (DepthConfig, 'min_confidence', 1.0),
    ],
)
def test_ends_of_a_range_are_allowed(cls: type[Any], name: str, value: Any) -> None:
    assert getattr(from_flat(cls, {name: value}), name) == value


def test_values_given_in_code_are_checked_too() -> None:
    with pytest.raises(ConfigError, match='num_slices is 4'):
        SweepConfig(num_slices=4)
    with pytest.raises(ConfigError, match='num_slices is 4'):
        dataclasses.replace(SweepConfig(), num_slices=4)
    with pytest.raises(TypeError, match='num_slice'):
        SweepConfig(num_slice=5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    'config', [CaptureConfig(), InferenceConfig(), DepthConfig(), SweepConfig(), SimulatedConfig()]
)
def test_is_frozen(config: Any) -> None:
    field = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, field, getattr(config, field))
    assert not hasattr(config, '__dict__')


@pytest.mark.parametrize(
    ('spec', 'expected'),
    [
        (ParamSpec('x'), ''),
        (ParamSpec('x', low=0, high=1), '0 .. 1'),
        (ParamSpec('x', unit='m', low=0.05, high=1000), '0.05 .. 1000 m'),
        (ParamSpec('x', choices=('a', 'b')), 'one of a, b'),
    ],
)
def test_allowed_in_words(spec: ParamSpec, expected: str) -> None:
    assert spec.allowed == expected


def test_depth_range_must_not_be_empty() -> None:
    message = r'min_depth_m is 2, max_depth_m is 1; allowed: min_depth_m < max_depth_m'
    with pytest.raises(ConfigError, match=message):
        from_flat(DepthConfig, {'min_depth_m': 2.0, 'max_depth_m': 1.0})
