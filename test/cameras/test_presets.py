"""The presets of config/cameras against drivers that are played, as they name things."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from played_driver import CAMERA_ROS, Played, PlayedDriver

from sff_ros.cameras.lens_device import CodeRange
from sff_ros.cameras.open import open_device
from sff_ros.cli.arguments import read_capture_config

CAMERAS = Path(__file__).parents[2] / 'config' / 'cameras'


@pytest.mark.parametrize(
    ('preset', 'played', 'codes', 'identity', 'set_to'),
    [
        (
            'v4l2_camera',
            Played(),
            CodeRange(0, 250, 5),
            '/v4l2_camera:/dev/video0',
            {'focus_automatic_continuous': False, 'auto_exposure': 1},
        ),
        (
            'camera_ros',
            CAMERA_ROS,
            CodeRange(0, 10, 0),
            '/camera',
            {'AfMode': 0, 'AeEnable': False},
        ),
    ],
)
def test_a_preset_moves_the_lens_of_its_driver(
    monkeypatch: pytest.MonkeyPatch,
    preset: str,
    played: Played,
    codes: CodeRange,
    identity: str,
    set_to: dict[str, Any],
) -> None:
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')  # found at once
    config = read_capture_config(Namespace(params_file=[CAMERAS / f'{preset}.yaml'], param=[]))
    driver = PlayedDriver(played)
    try:
        device = open_device(config)
        try:
            assert device.codes == codes
            assert device.identity == identity
            assert {name: driver.value(name) for name in set_to} == set_to
            for code in (10.0, 5.0):
                device.move(code)
                image = device.frame(device.now_ns() + round(config.lens.settle_s * 1e9)).image
                assert (float(image.min()), float(image.max())) == (code * played.level,) * 2
        finally:
            device.close()
        before = {name: played.others[name] for name in set_to}
        assert {name: driver.value(name) for name in set_to} == before
    finally:
        driver.close()
