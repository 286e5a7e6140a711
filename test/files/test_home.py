"""Paths with ~, and paths that no file can have, wherever users give one."""

from __future__ import annotations

import argparse
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from sff_ros.cameras.recorded import FolderCamera
from sff_ros.cameras.v4l2.search import find_device
from sff_ros.cli.arguments import read_capture_config
from sff_ros.cli.evaluate import stack_names
from sff_ros.config.cameras import FolderConfig
from sff_ros.errors import CalibrationError, ConfigError
from sff_ros.files.export import checked_out
from sff_ros.files.home import expanded
from sff_ros.files.lens_yaml import read_lens
from sff_ros.inference.choice import choose_backend
from sff_ros.inference.tensorrt.engine_cache import EngineCache

TAKERS: dict[str, Callable[[str], object]] = {
    'folder.path': lambda path: FolderCamera(FolderConfig(path=path)),
    'lens.file': read_lens,
    'v4l2.device': find_device,
    '--out': lambda path: checked_out(Path(path), None),
    '--model': lambda path: choose_backend('onnx', f'{path}.onnx'),
    'sff evaluate': lambda path: stack_names([Path(path)]),
    '--params-file': lambda path: read_capture_config(
        argparse.Namespace(params_file=[Path(path)], param=[])
    ),
}


def test_the_home_directory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/user')
    assert expanded('~/stacks') == Path('/home/user/stacks')
    assert expanded(Path('a/~b')) == Path('a/~b')
    assert expanded(f'~{pwd.getpwuid(0).pw_name}/x') == Path(pwd.getpwuid(0).pw_dir) / 'x'


@pytest.mark.parametrize('taker', TAKERS)
@pytest.mark.parametrize(
    ('path', 'words'),
    [
        ('~nobodyx/file', '~nobodyx is no home directory: there is no such user'),
        ('a\0b', 'has a null character'),
        ('a\ud800b', 'is no text that a file name can have'),
        ('a' * 256, 'is too long: names may have 255 bytes'),
        ('a/' * 3000 + 'b', 'is too long'),
    ],
)
def test_what_is_no_path_is_an_error_in_one_line(taker: str, path: str, words: str) -> None:
    with pytest.raises((ConfigError, CalibrationError)) as caught:
        TAKERS[taker](path)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_user_without_a_home_directory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv('HOME', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(pwd, 'getpwuid', unknown)
    with pytest.raises(ConfigError, match='~ is no home directory: HOME is not set'):
        EngineCache()
    monkeypatch.setitem(os.environ, 'HOME', '/home/user')
    assert EngineCache().folder == Path('/home/user/.cache/sff_ros')
