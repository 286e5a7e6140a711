"""The launch file and what it passes on."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import signal
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from launch_stand_in import load, load_on_stand_ins, modules
from live_graph import watched
from programs import HANG_S, wait

from sff_ros.cameras.ros_driver.settings import parse_settings
from sff_ros.config.nodes import NODE_CONFIGS, CaptureConfig
from sff_ros.config.schema import from_flat

ROOT = Path(__file__).parents[1]
NO_LAUNCH = 'launch_ros is not installed: a pip installation has no ros2 launch'


def flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        deeper = flat(value, f'{prefix}{name}.') if isinstance(value, dict) else None
        found |= deeper if deeper is not None else {prefix + name: value}
    return found


def test_parameter_file_holds_allowed_values_of_our_nodes() -> None:
    content = yaml.safe_load((ROOT / 'config' / 'sff.yaml').read_text())
    assert set(content) == {f'/**/{node}' for node in NODE_CONFIGS}
    for section, body in content.items():
        from_flat(NODE_CONFIGS[section.rpartition('/')[2]], flat(body['ros__parameters']))


def test_commented_parameters_of_the_file_are_allowed_too() -> None:
    text = (ROOT / 'config' / 'sff.yaml').read_text()
    live = re.sub(r'^    # ', '    ', text, flags=re.MULTILINE)
    for section, body in yaml.safe_load(live).items():
        from_flat(NODE_CONFIGS[section.rpartition('/')[2]], flat(body['ros__parameters']))


PRESETS = {
    'v4l2_camera': ('focus_absolute', 'arrival', 0.0),
    'camera_ros': ('LensPosition', 'arrival', 1.0),
    'usb_cam': ('focus', 'end', 0.0),
    'depthai': ('rgb.r_focus', 'end', 0.0),
}


def test_every_preset_is_known_here() -> None:
    assert {file.stem for file in (ROOT / 'config' / 'cameras').iterdir()} == set(PRESETS)


@pytest.mark.parametrize('name', PRESETS)
def test_presets_hold_allowed_values(name: str) -> None:
    text = (ROOT / 'config' / 'cameras' / f'{name}.yaml').read_text()
    content = yaml.safe_load(text)
    assert list(content) == ['/**/capture_node']
    config = from_flat(CaptureConfig, flat(content['/**/capture_node']['ros__parameters']))
    driver = config.ros_driver
    assert config.camera == 'ros_driver'
    assert (driver.focus, driver.stamps, driver.dioptres_per_code) == PRESETS[name]
    assert driver.node.startswith('/')
    assert driver.image.startswith('/')
    assert 0.2 <= config.lens.settle_s <= 0.3
    settings = parse_settings(driver.prepare)
    assert not settings[0].optional  # autofocus
    assert all(setting.optional for setting in settings[1:])
    # What is commented out is allowed too.
    live = re.sub(r'^    # (ros_driver\S+: )', r'    \1', text, flags=re.MULTILINE)
    values = yaml.safe_load(live)['/**/capture_node']['ros__parameters']
    from_flat(CaptureConfig, flat(values))


def displays() -> dict[str, dict[str, Any]]:
    content = yaml.safe_load((ROOT / 'config' / 'sff.rviz').read_text())
    return {d['Name']: d for d in content['Visualization Manager']['Displays']}


def test_rviz_shows_depth_image_cloud_and_frames() -> None:
    shown = {name: (d['Class'], d.get('Topic', {}).get('Value')) for name, d in displays().items()}
    assert shown == {
        'Grid': ('rviz_default_plugins/Grid', None),
        'TF': ('rviz_default_plugins/TF', None),
        'Coloured cloud': ('rviz_default_plugins/PointCloud2', '/depth/points'),
        'Depth': ('rviz_default_plugins/Image', '/depth/image_rect'),
        'All in focus': ('rviz_default_plugins/Image', '/all_in_focus/image_rect_color'),
    }


def test_rviz_asks_for_what_we_offer() -> None:
    content = yaml.safe_load((ROOT / 'config' / 'sff.rviz').read_text())
    assert content['Visualization Manager']['Global Options']['Fixed Frame'] == 'sff_link'
    for display in displays().values():
        if 'Topic' in display:
            assert display['Topic']['Reliability Policy'] == 'Reliable'
            assert display['Topic']['Durability Policy'] == 'Volatile'


@pytest.fixture(params=['stand-in', 'real'])
def launch_file(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """The launch file on stand-ins, and on the real launch where it is installed."""
    if request.param == 'stand-in':
        return load_on_stand_ins(monkeypatch, tmp_path)
    pytest.importorskip('launch_ros.actions', reason=NO_LAUNCH)
    return load()


def programs(launch_file: ModuleType, **given: str) -> list[str]:
    """Return the node programs that launch arguments start."""
    values = {name: default for name, (default, *_) in launch_file.ARGUMENTS.items()}
    return [text_of(node.node_executable) for node in launch_file.nodes(values | given)]


def text_of(substitution: Any) -> str:
    """Return what a substitution of plain texts stands for."""
    if isinstance(substitution, str):
        return substitution
    return ''.join(part.text for part in substitution)


def test_at_most_twenty_arguments_each_described(launch_file: ModuleType) -> None:
    description = launch_file.generate_launch_description()
    arguments = description.get_launch_arguments()
    assert 1 <= len(arguments) <= 20
    assert {a.name for a in arguments} >= {
        *('camera', 'params_file', 'namespace', 'frame_prefix', 'rviz', 'composed'),
        *('backend', 'shm', 'preset'),
    }
    assert all(a.description for a in arguments)


def test_three_processes_or_one(launch_file: ModuleType) -> None:
    assert programs(launch_file) == ['capture_node', 'inference_node', 'depth_node']
    assert programs(launch_file, composed='true') == ['all_in_one']


def test_arguments_become_parameters_of_the_right_node(launch_file: ModuleType) -> None:
    given = {name: default for name, (default, *_) in launch_file.ARGUMENTS.items()}
    given |= {'camera': 'folder', 'stack': '/x', 'frame_prefix': 'left_', 'backend': 'peak'}
    by_node = launch_file.overrides(given | {'autostart': 'false'})
    assert by_node == {
        'capture_node': {
            'autostart': False,
            'camera': 'folder',
            'folder.path': '/x',
            'frame_prefix': 'left_',
        },
        'inference_node': {'autostart': False, 'backend': 'peak'},
        'depth_node': {'autostart': False},
    }
    for node, values in by_node.items():
        from_flat(NODE_CONFIGS[node], values)


@pytest.mark.parametrize(
    ('distro', 'variable'),
    [
        ('humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'),
    ],
)
def test_shared_memory_profile_is_set_and_left_out(
    launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch, distro: str, variable: str
) -> None:
    monkeypatch.setenv('ROS_DISTRO', distro)
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    monkeypatch.delenv(variable, raising=False)
    (action,) = launch_file.transport({'shm': 'true'})
    assert text_of(action.name) == variable
    assert text_of(action.value) == str(ROOT / 'config' / 'fastdds.xml')
    assert launch_file.transport({'shm': 'false'}) == []
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    (action,) = launch_file.transport({'shm': 'true'})
    assert text_of(action.value) == str(ROOT / 'config' / 'fastdds_localhost.xml')
    monkeypatch.setenv(variable, '/my/own.xml')
    assert launch_file.transport({'shm': 'true'}) == []


def test_missing_parameter_file_is_named(launch_file: ModuleType) -> None:
    with pytest.raises(FileNotFoundError, match=r"params_file '/nowhere\.yaml' does not exist"):
        programs(launch_file, params_file='/nowhere.yaml')


def test_a_preset_counts_more_than_the_parameter_file(launch_file: ModuleType) -> None:
    given = {name: default for name, (default, *_) in launch_file.ARGUMENTS.items()}
    sff, preset = ROOT / 'config' / 'sff.yaml', ROOT / 'config' / 'cameras' / 'usb_cam.yaml'
    assert launch_file.parameter_files(given) == [str(sff)]
    for named in ('usb_cam', str(preset)):
        files = launch_file.parameter_files(given | {'preset': named})
        assert files == [str(sff), str(preset)]
    for named, message in (
        ('webcam', f"preset 'webcam' does not exist; known: {', '.join(sorted(PRESETS))}"),
        ('./webcam.yaml', "preset './webcam.yaml' does not exist"),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            launch_file.parameter_files(given | {'preset': named})
        assert str(caught.value) == message


def test_stand_ins_take_what_the_real_ones_take() -> None:
    pytest.importorskip('launch_ros.actions', reason=NO_LAUNCH)
    for name, module in modules('').items():
        for kind in vars(module).values():
            if getattr(kind, '__module__', '') != 'launch_stand_in':
                continue
            real = getattr(importlib.import_module(name), kind.__name__)
            taken = {
                parameter
                for each in real.__mro__
                for parameter in inspect.signature(each.__init__).parameters
            }
            assert set(inspect.signature(kind.__init__).parameters) - taken <= {'self'}, name


@pytest.mark.parametrize('composed', ['true', 'false'])
def test_launched_camera_gives_depth_and_ends_well(composed: str) -> None:
    pytest.importorskip('ros2launch', reason=NO_LAUNCH)
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix('sff_ros')
    except PackageNotFoundError:
        pytest.skip('sff_ros is not installed in a workspace: colcon build')
    command = ['ros2', 'launch', 'sff_ros', 'sff.launch.py', f'composed:={composed}']
    with (
        watched() as seen,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, 'PYTHONUNBUFFERED': '1'},
        ) as process,
    ):
        try:
            wait(lambda: len(seen.results) >= 2 or process.poll() is not None, 'depth')
        finally:
            process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=HANG_S)
    assert len(seen.results) >= 2, said
    assert process.returncode == 0, said
    assert 'Traceback' not in said
    assert said.count('process has finished cleanly') >= (1 if composed == 'true' else 3), said
