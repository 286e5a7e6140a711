"""The profiles for one host are those for all, restricted to loopback."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sff_ros.middleware import transport

CONFIG = Path(__file__).resolve().parents[2] / 'config'
UDP = Path(transport.__file__).parent
VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'


def parts(file: Path, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return tags and texts of a profile."""
    root = ElementTree.parse(file).getroot()
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.partition('}')[2] in without:
                parent.remove(child)
    return [(part.tag.partition('}')[2], (part.text or '').strip()) for part in root.iter()]


@pytest.mark.parametrize(
    ('everywhere', 'local'),
    [
        (CONFIG / 'fastdds.xml', CONFIG / 'fastdds_localhost.xml'),
        (UDP / 'udp.xml', UDP / 'udp_localhost.xml'),
    ],
)
def test_local_profiles_differ_in_the_whitelist_only(everywhere: Path, local: Path) -> None:
    assert parts(local, ('interfaceWhiteList', 'builtin')) == parts(everywhere)
    assert parts(local).count(('interfaceWhiteList', '')) == 1
    assert {text for tag, text in parts(local) if tag == 'address'} == {'127.0.0.1'}


@pytest.mark.parametrize(
    ('discovery', 'profile', 'then', 'file'),
    [
        ('LOCALHOST', '', 'SYSTEM_DEFAULT', 'udp_localhost.xml'),
        ('LOCALHOST', '/x/fastdds_localhost.xml', 'SYSTEM_DEFAULT', 'udp_localhost.xml'),
        ('OFF', '/x/fastdds_localhost.xml', 'OFF', 'udp_localhost.xml'),
        ('SUBNET', '/x/fastdds.xml', 'SUBNET', 'udp.xml'),
    ],
)
def test_udp_alone_replaces_our_profiles(
    discovery: str, profile: str, then: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'kilted')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', discovery)
    monkeypatch.setenv(VARIABLE, profile)
    assert transport.use_udp_alone()
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == then
    assert os.environ[VARIABLE] == str(UDP / file)


def test_udp_alone_leaves_a_profile_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'kilted')
    monkeypatch.setenv(VARIABLE, '/x/own.xml')
    assert not transport.use_udp_alone()
    assert os.environ[VARIABLE] == '/x/own.xml'
