"""What the launch file starts, carried out by stand-ins of launch: see launch_stand_in.py."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from launch_stand_in import Process, launch, load_on_stand_ins
from live_graph import watched
from programs import HANG_S, wait
from test_launch import ROOT, flat

from sff_ros.config.nodes import NODE_CONFIGS
from sff_ros.config.schema import from_flat


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.delenv('FASTDDS_DEFAULT_PROFILES_FILE', raising=False)
    return load_on_stand_ins(monkeypatch, tmp_path)


def ours(launch_file: ModuleType, **given: str) -> list[Process]:
    """Return the processes of this package that arguments start."""
    started = launch(launch_file.generate_launch_description(), **given)
    return [process for process in started if process.command[0] == 'sff_ros']


def parameters(process: Process, node: str) -> dict[str, Any]:
    """Return what the parameter files of a process set for a node; later files count more."""
    found: dict[str, Any] = {}
    for file in process.after('--params-file'):
        section = yaml.safe_load(Path(file).read_text()).get(f'/**/{node}', {})
        found |= flat(section.get('ros__parameters', {}))
    return found


def test_defaults_start_three_programs_that_this_package_installs(stand_in: ModuleType) -> None:
    setup = (ROOT / 'setup.py').read_text()
    started = ours(stand_in)
    assert [process.command[1] for process in started] == list(NODE_CONFIGS)
    for process in (*started, *ours(stand_in, composed='true')):
        assert f"'{process.command[1]} = sff_ros.nodes.{process.command[1]}:main'" in setup
        assert process.after('--params-file')[0] == str(ROOT / 'config' / 'sff.yaml')
        assert process.after('--log-level') == ['info']
        assert process.after('-r') in ([], ['__ns:=/'])
        assert process.environment == {
            'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds_localhost.xml')
        }
        assert not process.respawn


@pytest.mark.parametrize('composed', ['true', 'false'])
def test_arguments_count_more_than_preset_and_file(stand_in: ModuleType, composed: str) -> None:
    given = {'camera': 'folder', 'stack': '/x', 'frame_prefix': 'left_', 'backend': 'peak'}
    given |= {'preset': 'usb_cam', 'autostart': 'false', 'composed': composed}
    by_node = {
        node: parameters(process, node)
        for process in ours(stand_in, **given)
        for node in (NODE_CONFIGS if composed == 'true' else (process.command[1],))
    }
    assert list(by_node) == list(NODE_CONFIGS)
    for node, values in by_node.items():
        from_flat(NODE_CONFIGS[node], values)
        assert values['autostart'] is False
    capture = by_node['capture_node']
    assert capture['camera'] == 'folder'  # the preset says ros_driver
    assert capture['ros_driver.focus'] == 'focus'  # of the preset
    assert (capture['folder.path'], capture['frame_prefix']) == ('/x', 'left_')
    assert by_node['inference_node']['backend'] == 'peak'


def test_what_belongs_to_all_nodes_reaches_all(stand_in: ModuleType) -> None:
    started = ours(stand_in, namespace='arm', log_level='debug', respawn='true', shm='false')
    assert len(started) == 3
    for process in started:
        assert process.after('-r') == ['__ns:=/arm']
        assert process.after('--log-level') == ['debug']
        assert process.respawn
        assert process.environment == {}


@pytest.mark.parametrize(
    ('given', 'error', 'message'),
    [
        ({'camera': 'webcam'}, RuntimeError, '"camera" provided value "webcam" is not valid'),
        ({'backend': 'magic'}, RuntimeError, '"backend" provided value "magic" is not valid'),
        ({'composed': 'yes'}, RuntimeError, '"composed" provided value "yes" is not valid'),
        ({'preset': 'webcam'}, FileNotFoundError, "preset 'webcam' does not exist; known: cam"),
        ({'params_file': '/no.yaml'}, FileNotFoundError, "'/no.yaml' does not exist"),
    ],
)
def test_what_cannot_be_started_is_refused(
    stand_in: ModuleType, given: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        ours(stand_in, **given)


def test_frames_and_rviz_bear_prefix_and_namespace(
    stand_in: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = stand_in.generate_launch_description()
    monkeypatch.setattr(stand_in, 'installed', lambda package: False)
    with pytest.raises(LookupError, match='rviz:=true needs the package rviz2'):
        launch(description, rviz='true')
    assert [process.command[0] for process in launch(description)] == ['sff_ros'] * 3
    monkeypatch.setattr(stand_in, 'installed', lambda package: True)
    *_, frames, rviz = launch(description, rviz='true', namespace='arm', frame_prefix='left_')
    assert frames.command[:2] == ('tf2_ros', 'static_transform_publisher')
    assert frames.after('--frame-id') == ['left_sff_link']
    assert frames.after('--child-frame-id') == ['left_sff_optical_frame']
    assert frames.after('--yaw') == frames.after('--roll') == ['-1.5707963']
    assert frames.after('-r') == ['__node:=sff_optical_transform', '__ns:=/arm']
    assert rviz.command[:2] == ('rviz2', 'rviz2')
    assert rviz.after('-f') == ['left_sff_link']
    (shown,) = rviz.after('-d')
    assert 'Value: /arm/depth/points' in Path(shown).read_text()


@contextmanager
def running(processes: list[Process]) -> Iterator[list[subprocess.Popen[str]]]:
    """Run the programs of processes as a launch would, without a terminal."""
    started = [
        subprocess.Popen(
            [sys.executable, '-m', f'sff_ros.nodes.{p.command[1]}', *p.command[2:]],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **p.environment},
        )
        for p in processes
    ]
    try:
        yield started
    finally:
        for program in started:
            program.kill()
            program.communicate()


@pytest.mark.parametrize(
    'composed', [pytest.param('true', marks=pytest.mark.slow), 'false'], ids=['one', 'three']
)
def test_the_programs_of_a_launch_give_depth(stand_in: ModuleType, composed: str) -> None:
    processes = ours(stand_in, composed=composed, log_level='warn')
    with watched() as seen, running(processes) as programs:
        wait(lambda: len(seen.results) >= 2, 'depth of two sweeps')
        for program in programs:
            program.send_signal(signal.SIGINT)
        said = [program.communicate(timeout=HANG_S)[1] for program in programs]
        assert [program.returncode for program in programs] == [0] * len(processes), said
    assert said == [''] * len(processes)


def test_an_unknown_key_of_a_parameter_file_ends_its_node(
    stand_in: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**/depth_node:\n  ros__parameters:\n    min_confidense: 0.5\n')
    depth = ours(stand_in, params_file=str(file))[2]
    with running([depth]) as (program,):
        _, said = program.communicate(timeout=HANG_S)
        assert program.returncode == 1
    assert "unknown parameter 'min_confidense'; did you mean min_confidence?" in said
