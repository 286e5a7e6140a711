"""Start the depth camera: capture, inference and depth, frames, and RViz if asked for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from sff_ros.middleware.transport import profile_name, profile_variable

SHARE = Path(__file__).resolve().parent.parent
LINK_FRAME = 'sff_link'
OPTICAL_FRAME = 'sff_optical_frame'

# name: (default, description, choices)
ARGUMENTS: dict[str, tuple[str, str, list[str]]] = {
    'camera': (
        '',
        'Camera to sweep; empty: as in params_file or preset.',
        ['', 'simulated', 'folder', 'v4l2', 'ros_driver'],
    ),
    'preset': (
        '',
        'Camera driver preset: a name in config/cameras, or the path of a similar file; its '
        'values override those of params_file.',
        [],
    ),
    'stack': ('', 'Directory of images for camera:=folder.', []),
    'backend': (
        '',
        'Depth backend; empty: as in params_file.',
        ['', 'auto', 'tensorrt', 'onnx', 'torch', 'peak'],
    ),
    'params_file': (str(SHARE / 'config' / 'sff.yaml'), 'Parameters of the three nodes.', []),
    'namespace': ('', 'Namespace of nodes and topics.', []),
    'frame_prefix': ('', 'Prefix of every frame name, for more than one camera.', []),
    'composed': ('false', 'One process for the three nodes.', ['true', 'false']),
    'rviz': ('false', 'Start RViz.', ['true', 'false']),
    'shm': ('true', 'Fast DDS profile with a large shared-memory segment.', ['true', 'false']),
    'autostart': ('true', 'Configure and activate the nodes.', ['true', 'false']),
    'respawn': ('false', 'Restart a node when its process ends.', ['true', 'false']),
    'log_level': ('info', 'Log level of the nodes.', ['debug', 'info', 'warn', 'error']),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; everything else depends on their values."""
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=text, **({'choices': words} if words else {})
        )
        for name, (default, text, words) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return what to start for the arguments given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    return [*transport(given), *nodes(given), *frames(given), *rviz(given)]


def transport(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Point Fast DDS to the profile, unless the user has set one."""
    name = profile_variable()
    if given['shm'] == 'false' or os.environ.get(name):
        return []
    return [SetEnvironmentVariable(name, str(SHARE / 'config' / profile_name()))]


def overrides(given: dict[str, str]) -> dict[str, dict[str, object]]:
    """Return the parameters set by launch arguments, by node; empty arguments set nothing."""
    autostart = given['autostart'] == 'true'
    capture: dict[str, object] = {'autostart': autostart}
    inference: dict[str, object] = {'autostart': autostart}
    for name, key in (
        ('camera', 'camera'),
        ('stack', 'folder.path'),
        ('frame_prefix', 'frame_prefix'),
    ):
        if given[name]:
            capture[key] = given[name]
    if given['backend']:
        inference['backend'] = given['backend']
    return {
        'capture_node': capture,
        'inference_node': inference,
        'depth_node': {'autostart': autostart},
    }


def nodes(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return the three nodes, in one process or three."""
    # One file for all, because a process of three nodes needs parameters by node name.
    by_node = {f'/**/{k}': {'ros__parameters': v} for k, v in overrides(given).items()}
    file = written(yaml.safe_dump(by_node), '.yaml')
    composed = given['composed'] == 'true'
    programs = ['all_in_one'] if composed else ['capture_node', 'inference_node', 'depth_node']
    return [
        Node(
            package='sff_ros',
            executable=program,
            namespace=given['namespace'],
            parameters=[*parameter_files(given), file],
            ros_arguments=['--log-level', given['log_level']],
            respawn=given['respawn'] == 'true',
            respawn_delay=1.0,
            output='screen',
        )
        for program in programs
    ]


def parameter_files(given: dict[str, str]) -> list[str]:
    """Return the parameter files; later ones override earlier ones."""
    files = {'params_file': given['params_file']}
    preset = given['preset']
    if preset:
        is_name = '/' not in preset and not preset.endswith('.yaml')
        known = SHARE / 'config' / 'cameras'
        files['preset'] = str(known / f'{preset}.yaml') if is_name else preset
        if is_name and not Path(files['preset']).is_file():
            names = ', '.join(sorted(file.stem for file in known.glob('*.yaml')))
            raise FileNotFoundError(f'preset {preset!r} does not exist; known: {names}')
    for argument, file in files.items():
        if not Path(file).is_file():
            raise FileNotFoundError(f'{argument} {file!r} does not exist')
    return list(files.values())


def frames(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return the fixed rotation from the link frame to the optical frame (REP 103)."""
    if not installed('tf2_ros'):
        return [LogInfo(msg='tf2_ros is not installed: no transform to the optical frame')]
    turn = ['--roll', '-1.5707963', '--pitch', '0', '--yaw', '-1.5707963']
    return [
        Node(
            package='tf2_ros',
            executable='static_transform_publisher',
            name='sff_optical_transform',
            namespace=given['namespace'],
            arguments=[
                *turn,
                '--frame-id',
                given['frame_prefix'] + LINK_FRAME,
                '--child-frame-id',
                given['frame_prefix'] + OPTICAL_FRAME,
            ],
        )
    ]


def rviz(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return RViz, configured for this camera's topics and frame."""
    if given['rviz'] == 'false':
        return []
    if not installed('rviz2'):
        raise PackageNotFoundError('rviz:=true needs the package rviz2')
    text = (SHARE / 'config' / 'sff.rviz').read_text()
    namespace = given['namespace'].strip('/')
    if namespace:
        text = text.replace('Value: /', f'Value: /{namespace}/')
    fixed = ['-f', given['frame_prefix'] + LINK_FRAME]
    arguments = ['-d', written(text, '.rviz'), *fixed]
    return [Node(package='rviz2', executable='rviz2', arguments=arguments)]


def written(text: str, ending: str) -> str:
    """Write a file to the log folder of this launch, where it is kept."""
    folder = launch_config.log_dir
    with tempfile.NamedTemporaryFile(
        'w', prefix='sff_', suffix=ending, dir=folder, delete=False
    ) as file:
        file.write(text)
    return file.name


def installed(package: str) -> bool:
    """Return whether a ROS package is installed."""
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return True
