"""The manifests for colcon and rosdep match the code."""

from __future__ import annotations

import ast
import configparser
import re
import runpy
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import setuptools

import sff_ros

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = ('launch', 'config', 'models')


# Import name -> rosdep key, where the two differ.
ROSDEP_KEYS = {
    'cv2': 'python3-opencv',
    'numpy': 'python3-numpy',
    'pytest': 'python3-pytest',
    'setuptools': 'python3-setuptools',
    'yaml': 'python3-yaml',
}
# Used where they are installed; the package works without them.
OPTIONAL = {
    *('onnx', 'onnxruntime', 'rviz2', 'safetensors', 'tensorrt', 'torch'),
    *('matplotlib', 'skimage', 'tqdm'),  # training
    *('drjit', 'mitsuba'),  # path-traced scenes
}


@pytest.fixture(scope='module')
def manifest() -> ET.Element:
    return ET.parse(REPOSITORY / 'package.xml').getroot()


@pytest.fixture
def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what setup.py passes to setuptools where colcon runs it."""
    arguments: dict[str, Any] = {}
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delitem(sys.modules, 'setuptools.build_meta', raising=False)
    monkeypatch.setattr(setuptools, 'setup', lambda **given: arguments.update(given))
    runpy.run_path('setup.py')
    return arguments


def text_of(manifest: ET.Element, tag: str) -> str:
    return (manifest.findtext(tag) or '').strip()


def imported_packages(text: str) -> Iterator[str]:
    """Yield the top name of every import of a file that is not of the standard library."""
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or '']
        yield from {name.split('.')[0] for name in names} - sys.stdlib_module_names


def needed_keys(*patterns: str) -> set[str]:
    """Return the rosdep key of everything that the matching files import or launch."""
    found = set()
    for file in (file for pattern in patterns for file in REPOSITORY.glob(pattern)):
        text = file.read_text()
        found |= {ROSDEP_KEYS.get(package, package) for package in imported_packages(text)}
        found |= set(re.findall(r"package='(\w+)'", text))  # Node(package='tf2_ros', ...)
    own = {'sff_ros', *(file.stem for file in REPOSITORY.glob('test/**/*.py'))}
    return found - own - OPTIONAL


def test_manifest_says_what_the_package_is(manifest: ET.Element) -> None:
    assert manifest.get('format') == '3'
    assert text_of(manifest, 'name') == 'sff_ros'
    assert text_of(manifest, 'license') == 'Apache-2.0'
    assert text_of(manifest, 'export/build_type') == 'ament_python'
    assert 'Apache License' in (REPOSITORY / 'LICENSE').read_text()


def test_version_is_the_same_everywhere(
    manifest: ET.Element, setup_arguments: dict[str, Any]
) -> None:
    assert text_of(manifest, 'version') == sff_ros.__version__
    assert setup_arguments['version'] == sff_ros.__version__


def test_everything_used_is_declared_and_the_reverse(manifest: ET.Element) -> None:
    declared = {element.text for element in manifest.iter('exec_depend')}
    needed = needed_keys('sff_ros/**/*.py', 'launch/*.py')
    assert {'rclpy', 'sensor_msgs', 'launch', 'python3-numpy', 'python3-opencv'} <= needed
    assert needed == declared


def test_everything_tests_use_is_declared(manifest: ET.Element) -> None:
    tags = ('exec_depend', 'test_depend')
    declared = {element.text for tag in tags for element in manifest.iter(tag)}
    needed = needed_keys('test/**/*.py')
    assert {'python3-pytest', 'python3-numpy'} <= needed
    assert needed - declared == set()


def test_every_shared_file_is_installed(setup_arguments: dict[str, Any]) -> None:
    installed = {
        (folder, Path(file).name)
        for folder, files in setup_arguments['data_files']
        for file in files
    }
    assert ('share/ament_index/resource_index/packages', 'sff_ros') in installed
    assert ('share/sff_ros', 'package.xml') in installed
    shared = {
        (f'share/sff_ros/{file.parent.relative_to(REPOSITORY)}', file.name)
        for top in SHARED
        for file in (REPOSITORY / top).rglob('*')
        if file.is_file() and file.parent.name != '__pycache__'
    }
    assert ('share/sff_ros/config', 'fastdds.xml') in shared
    assert ('share/sff_ros/config', 'fastdds_localhost.xml') in shared
    assert shared <= installed


def test_every_package_is_installed(setup_arguments: dict[str, Any]) -> None:
    folders = {
        '.'.join(file.parent.relative_to(REPOSITORY).parts)
        for file in REPOSITORY.glob('sff_ros/**/*.py')
    }
    assert set(setup_arguments['packages']) == folders


def test_every_executable_exists(setup_arguments: dict[str, Any]) -> None:
    missing = []
    for script in setup_arguments['entry_points']['console_scripts']:
        module, _, function = script.split(' = ')[1].partition(':')
        file = REPOSITORY / (module.replace('.', '/') + '.py')
        tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
        names = {
            getattr(node, 'name', getattr(node, 'id', None))
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.Name, ast.alias))
        }
        if function not in names:
            missing.append(script)
    assert missing == []


def test_executables_land_where_ros2_run_looks() -> None:
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / 'setup.cfg')
    assert settings['develop']['script_dir'] == '$base/lib/sff_ros'
    assert settings['install']['install_scripts'] == '$base/lib/sff_ros'


def test_colcon_leaves_to_apt_what_has_no_metadata_there(setup_arguments: dict[str, Any]) -> None:
    names = [re.split('[<>=]', line)[0] for line in setup_arguments['install_requires']]
    assert names == ['numpy', 'pyyaml']


def test_a_link_to_setup_finds_the_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What colcon build --symlink-install does: a build folder with links, requirements/ not there.
    for name in ('sff_ros', 'setup.py', *SHARED):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    given: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: given.update(arguments))
    runpy.run_path('setup.py')
    assert 'numpy>=1.21.5,<3' in given['install_requires']


def test_extras_are_the_files_of_requirements(setup_arguments: dict[str, Any]) -> None:
    extras = setup_arguments['extras_require']
    assert sorted(extras) == ['ros', 'tensorrt', 'test', 'traced', 'train']
    for name, expected in {'ros': 'ros-kilted-rclpy', 'test': 'pytest', 'train': 'torch'}.items():
        assert any(re.match(f'{expected}[<>=]', line) for line in extras[name]), name
    assert not [line for lines in extras.values() for line in lines if line[0] in '-#']
