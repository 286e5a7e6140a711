"""What settings of a driver mean, and which are refused before it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sff_ros.cameras.ros_driver.device import RosDriverDevice
from sff_ros.cameras.ros_driver.settings import Setting, parse_settings
from sff_ros.config.cameras import RosDriverConfig
from sff_ros.errors import ConfigError

CONFIG = RosDriverConfig(node='a', image='b', focus='c')


@pytest.mark.parametrize(
    ('text', 'settings'),
    [
        ('', ()),
        ('AfMode=0', (Setting(('AfMode',), 0, False),)),
        (' a = 1.5 ,b=false,', (Setting(('a',), 1.5, False), Setting(('b',), False, False))),
        ('rgb.r_focus|focus ?=on', (Setting(('rgb.r_focus', 'focus'), True, True),)),
        ('mode=Manual', (Setting(('mode',), 'Manual', False),)),
    ],
)
def test_settings_of_a_line(text: str, settings: tuple[Setting, ...]) -> None:
    assert parse_settings(text) == settings


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        ({'node': ''}, 'ros_driver.node is empty'),
        ({'image': ''}, 'ros_driver.image is empty'),
        ({'focus': ''}, 'ros_driver.focus is empty'),
        ({'prepare': 'a=1, b'}, "ros_driver.prepare has 'b'; allowed: name=value"),
        ({'prepare': '|a=1'}, "ros_driver.prepare has '|a=1'"),
        ({'prepare': 'a='}, "ros_driver.prepare has 'a='"),
        ({'prepare': 'a=[1'}, "ros_driver.prepare has 'a=[1'"),
        ({'low': 2.0, 'high': 1.0}, 'ros_driver.low is 2, high is 1; allowed: low < high'),
        ({'dioptres_at_zero': 2.0}, 'dioptres_at_zero is 2 dpt, but dioptres_per_code is 0'),
    ],
)
def test_senseless_settings_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RosDriverDevice(replace(CONFIG, **config))
    assert words in str(caught.value)
