"""Settings of a driver, in particular of camera_ros, which keeps only the last call."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from driver_devices import Open, Play, levels
from played_driver import CAMERA_ROS

from sff_ros.config.cameras import RosDriverConfig
from sff_ros.errors import CameraError


def preset(name: str) -> RosDriverConfig:
    """Return the ros_driver of a preset of config/cameras."""
    text = (Path(__file__).parents[3] / 'config' / 'cameras' / name).read_text()
    values = yaml.safe_load(text)['/**/capture_node']['ros__parameters']
    own = {k.removeprefix('ros_driver.'): v for k, v in values.items() if 'ros_driver.' in k}
    return RosDriverConfig(**own)


def test_settings_reach_a_driver_that_keeps_only_the_last_call(play: Play, opened: Open) -> None:
    """The preset of camera_ros on a driver that forgets as camera_ros does."""
    others = {'AfMode': 2, 'AeEnable': True, 'AwbEnable': True}
    driver = play(CAMERA_ROS, forgetful=True, rate=30.0, others=others)
    device = opened(preset('camera_ros.yaml'), timeout_s=60.0, frame_rate=30.0)
    assert driver.camera == {'AfMode': 0, 'AeEnable': False, 'AwbEnable': False}
    codes = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert levels(device, codes, 0.3) == [code * 20 for code in codes]
    device.close()
    assert driver.camera | driver.pending == {**others, 'LensPosition': 0.0}


def test_a_setting_that_does_not_take_is_an_error(play: Play, opened: Open) -> None:
    driver = play(fixed=('auto_exposure',))
    with pytest.raises(CameraError) as caught:
        opened()
    assert str(caught.value) == (
        '/v4l2_camera accepted ros_driver.prepare, but auto_exposure is 3, not 1: another node '
        'sets it, or the driver cannot'
    )
    assert driver.value('focus_automatic_continuous') is True


def test_a_refused_setting_leaves_all_others(play: Play, opened: Open) -> None:
    driver = play()
    with pytest.raises(CameraError) as caught:
        opened(prepare='focus_automatic_continuous=false, auto_exposure=on')
    assert str(caught.value).startswith(
        '/v4l2_camera refuses focus_automatic_continuous = False, auto_exposure = True: '
    )
    assert driver.value('focus_automatic_continuous') is True
