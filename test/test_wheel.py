"""What `pip install .` brings: the wheel, built from the sdist."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

import sff_ros

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = ('launch', 'config', 'models')
BUILT_FROM = (
    *('launch', 'config', 'models', 'requirements', 'resource', 'sff_ros'),
    *('LICENSE', 'MANIFEST.in', 'README.md', 'package.xml', 'pyproject.toml'),
    *('setup.cfg', 'setup.py'),
)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """Build the wheel as pip does, from the sdist, which must therefore hold all of it."""
    if not can_build_wheels():
        pytest.skip('neither setuptools 70.1 or newer nor wheel is installed')
    top = tmp_path_factory.mktemp('wheel')
    here, unpacked = top / 'source', top / 'unpacked'
    here.mkdir()
    for name in BUILT_FROM:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, here / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, here)
    shutil.unpack_archive(build('sdist', here, top), unpacked)
    with ZipFile(build('wheel', next(unpacked.iterdir()), top)) as archive:
        yield archive


def can_build_wheels() -> bool:
    wanted = ('setuptools.command.bdist_wheel', 'wheel')
    return any(importlib.util.find_spec(name) is not None for name in wanted)


def build(what: str, source: Path, out: Path) -> Path:
    """Build the sdist or the wheel of a folder, in a process of its own as PEP 517 says."""
    code = f'from setuptools import build_meta; print(build_meta.build_{what}({str(out)!r}))'
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


def test_wheel_holds_the_package_and_its_shared_files(wheel: ZipFile) -> None:
    version = sff_ros.__version__
    assert Path(wheel.filename or '').name == f'sff_ros-{version}-py3-none-any.whl'
    names = set(wheel.namelist())
    code = {file.relative_to(REPOSITORY).as_posix() for file in REPOSITORY.glob('sff_ros/**/*.py')}
    assert {*code, 'sff_ros/py.typed', 'sff_ros/middleware/udp.xml'} <= names
    share = f'sff_ros-{version}.data/data/share/sff_ros'
    shipped = (file for top in SHARED for file in REPOSITORY.glob(f'{top}/**/*') if file.is_file())
    files = {file.relative_to(REPOSITORY) for file in shipped if file.suffix != '.pyc'}
    assert {Path('models/fast_gru.onnx'), Path('launch/sff.launch.py')} <= files
    assert {f'{share}/{file.as_posix()}' for file in files} <= names
    assert not [name for name in names if name.startswith(('test/', 'benchmarks/', 'examples/'))]


def test_wheel_names_what_pip_must_install(wheel: ZipFile) -> None:
    folder = f'sff_ros-{sff_ros.__version__}.dist-info'
    metadata = wheel.read(f'{folder}/METADATA').decode()
    needed = re.findall(r'^Requires-Dist: ([\w-]+)[^;\n]*$', metadata, re.MULTILINE)
    assert sorted(map(str.lower, needed)) == [
        *('numpy', 'onnxruntime', 'opencv-python-headless', 'pyyaml')
    ]
    extras = re.findall(r'^Provides-Extra: (\w+)$', metadata, re.MULTILINE)
    assert sorted(extras) == ['ros', 'tensorrt', 'test', 'traced', 'train']
    assert 'sff = sff_ros.cli.main:main' in wheel.read(f'{folder}/entry_points.txt').decode()


def test_models_are_found_where_pip_puts_them(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)  # as `pip install --target`: data beside the package
    (tmp_path / f'sff_ros-{sff_ros.__version__}.data' / 'data' / 'share').rename(
        tmp_path / 'share'
    )
    code = 'from sff_ros.inference.shipped import shipped_model as f; print(f("fast_gru.onnx"))'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / 'share/sff_ros/models/fast_gru.onnx')
