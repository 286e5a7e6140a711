"""Parameters of capture_node from files and options."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from sff_ros.cli.arguments import add_camera_arguments, read_capture_config
from sff_ros.config.nodes import CaptureConfig
from sff_ros.errors import ConfigError

FILE = """
/**/capture_node:
  ros__parameters:
    camera: v4l2
    sweep: {near_m: 0.25}
    sweep.positions_dpt: [1.0, 2.0, 3.5]
/**/depth_node:
  ros__parameters: {nonsense: 1}
"""


def read(*arguments: str) -> CaptureConfig:
    parser = argparse.ArgumentParser()
    add_camera_arguments(parser)
    return read_capture_config(parser.parse_args(arguments))


def test_files_and_options_are_read_and_the_last_wins(tmp_path: Path) -> None:
    (tmp_path / 'a.yaml').write_text(FILE)
    (tmp_path / 'b.yaml').write_text('capture_node: {ros__parameters: {v4l2.device: "/dev/a"}}')
    files = [w for name in ('a', 'b') for w in ('--params-file', str(tmp_path / f'{name}.yaml'))]
    config = read(*files, '-p', 'sweep.near_m:=0.5', '-p', 'lens.file:=~/lens.yaml')
    assert config.camera == 'v4l2'
    assert config.sweep.near_m == 0.5
    assert config.sweep.positions_dpt == (1.0, 2.0, 3.5)
    assert (config.v4l2.device, config.lens.file) == ('/dev/a', '~/lens.yaml')
    assert read() == CaptureConfig()


@pytest.mark.parametrize(
    ('given', 'value'), [('0', '0'), ('/dev/video2', '/dev/video2'), ('1e3', '1e3')]
)
def test_a_number_may_be_a_name(given: str, value: str) -> None:
    assert read('-p', f'v4l2.device:={given}').v4l2.device == value


def test_whole_numbers_may_be_given_for_others() -> None:
    assert read('-p', 'simulated.backlash:=24').simulated.backlash == 24.0
    assert read('-p', 'simulated.codes:=1023').simulated.codes == 1023


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('capture_node: 3', 'must hold ros__parameters'),
        ('capture_node: {ros__parameters: {camra: x}}', 'did you mean camera?'),
        ('capture_node: {ros__parameters: {sweep: {near_m: 5000.0}}}', 'near_m is 5000.0'),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'a.yaml').write_text(text)
    with pytest.raises(ConfigError) as caught:
        read('--params-file', str(tmp_path / 'a.yaml'))
    assert message in str(caught.value)
