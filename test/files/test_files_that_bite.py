"""Files that would hang a reader, fill the memory or the screen."""

from __future__ import annotations

import argparse
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sff_ros.cli.arguments import read_capture_config
from sff_ros.core.model_card import NETWORK
from sff_ros.errors import ConfigError, SffError
from sff_ros.files.camera_info import read_camera_info
from sff_ros.files.depth_map import read_map
from sff_ros.files.image import page_count, read_image
from sff_ros.files.lens_yaml import read_lens
from sff_ros.files.stack_yaml import read_settings
from sff_ros.files.whole_file import read_file
from sff_ros.files.yaml_reader import MAX_BYTES, parse_yaml, read_mapping
from sff_ros.inference.onnx_file import read_graph

READERS: dict[str, Callable[[Path], object]] = {
    'camera_info': read_camera_info,
    'lens': read_lens,
    'stack.yaml': lambda path: read_settings(path, 3, (64, 48)),
    'image': read_image,
    'pages': page_count,
    'map': read_map,
    'npy': lambda path: read_map(path.rename(path.with_suffix('.npy'))),
    'model': lambda path: read_graph(path, NETWORK),
}
ALIASES = '\n'.join(
    ['a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]']
    + [f'a{k}: &a{k} [{", ".join([f"*a{k - 1}"] * 9)}]' for k in range(1, 9)]
)


@pytest.mark.parametrize('reader', READERS)
def test_a_pipe_does_not_hang_a_reader(tmp_path: Path, reader: str) -> None:
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(SffError, match='cannot be read: is not a regular file'):
        READERS[reader](tmp_path / 'pipe')


@pytest.mark.parametrize('reader', READERS)
def test_a_device_without_end_is_refused(tmp_path: Path, reader: str) -> None:
    (tmp_path / 'zero').symlink_to('/dev/zero')
    with pytest.raises(SffError, match='cannot be read: is not a regular file'):
        READERS[reader](tmp_path / 'zero')


@pytest.mark.parametrize('reader', READERS)
def test_a_file_beyond_all_measure_is_refused(tmp_path: Path, reader: str) -> None:
    with (tmp_path / 'large').open('wb') as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(SffError, match=r'cannot be read: has 1099511.6 MB; allowed: '):
        READERS[reader](tmp_path / 'large')


def test_a_file_within_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / 'file').write_bytes(b'12345')
    assert read_file(tmp_path / 'file', 5) == b'12345'
    with pytest.raises(OSError, match='allowed: 4e-06 MB'):
        read_file(tmp_path / 'file', 4)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 5)


def test_aliases_of_aliases_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / 'aliases.yaml'
    path.write_text(ALIASES)
    with pytest.raises(ConfigError, match=r'has \d+ values by its aliases') as caught:
        read_mapping(path)
    assert len(str(caught.value)) < 400


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'itself.yaml'
    path.write_text('capture_node: {ros__parameters: &a {x: *a}}')
    with pytest.raises(ConfigError, match='an alias of what it is itself a part of'):
        read_mapping(path)


def test_a_few_aliases_are_read(tmp_path: Path) -> None:
    # As PyYAML writes a list that it is given twice.
    path = tmp_path / 'some.yaml'
    path.write_text('a: &id001 [1, 2]\nb: *id001\n')
    assert read_mapping(path) == {'a': [1, 2], 'b': [1, 2]}


def test_many_keys_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'keys.yaml'
    path.write_text('\n'.join(f'{k}a: 0' for k in range(9000)))
    assert len(read_mapping(path)) == 9000
    path.write_text('x' * (MAX_BYTES - 9) + ': 1\n')
    with pytest.raises(ConfigError) as caught:
        read_settings(path, 3, (64, 48))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    'text',
    [
        '!!int ""', '!!float ""', '!!bool maybe', '!!timestamp soon', '!!timestamp 2000-99-99',
        '[' * 20_000, '{? {}: 1}', '"\\ud800" : [', 'a: *nowhere', '\x00', '!!python/none 1',
    ],
)  # fmt: skip
def test_what_pyyaml_trips_over_is_no_yaml(text: str) -> None:
    with pytest.raises(ConfigError, match='is not YAML'):
        parse_yaml(text)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('capture_node: {ros__parameters: {1: 2}}', 'capture_node: key 1 must be a string'),
        ('capture_node: {ros__parameters: {a: {null: 2}}}', 'key None must be a string'),
        ('capture_node: {ros__parameters: {folder: {path: [[[[1]]]]}}}', 'path must be str'),
        (f'capture_node: {{ros__parameters: {{seed: 0x{"f" * 9999}}}}}', "parameter 'seed'"),
        (
            f'capture_node: {{ros__parameters: {{simulated.seed: 0x{"f" * 9999}}}}}',
            'simulated.seed is an integer of 39996 bits; allowed: ',
        ),
    ],
)
def test_a_parameter_file_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / 'parameters.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_capture_config(argparse.Namespace(params_file=[path], param=[]))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ('sweep.near_m:=' + '[' * 20_000, 'the value is not YAML'),
        ('sweep.positions_dpt:=&a [*a]', 'the value has an alias of what it is itself a part of'),
        ('sweep.near_m:=0x' + 'f' * 9999, 'near_m must be a number, not an integer of 39996 bits'),
        ('sweep.near_m:=' + '9' * 9999, 'near_m'),
        ('x' * 9999, 'must be NAME:=VALUE'),
        ('x' * 9999 + ':=1', 'unknown parameter'),
    ],
)
def test_an_option_is_refused_in_one_line(given: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_capture_config(argparse.Namespace(params_file=[], param=[given]))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 4000


def npy(header: bytes) -> bytes:
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header


@pytest.mark.parametrize(
    'header',
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }\n",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 5L), }(\n",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 5), }\n",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (4, 5), }\n",
        b'(' * 9000,
    ],
)
def test_a_map_with_a_wrong_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / 'depth.npy'
    path.write_bytes(npy(header))
    with pytest.raises(SffError, match=r'depth\.npy: is cut off, damaged or holds no numbers'):
        read_map(path)


def test_a_map_beyond_float32_is_infinite(tmp_path: Path) -> None:
    np.save(tmp_path / 'depth.npy', np.array([[1e300, -1e300, 2.0]]))
    np.testing.assert_array_equal(read_map(tmp_path / 'depth.npy'), [[np.inf, -np.inf, 2]])
