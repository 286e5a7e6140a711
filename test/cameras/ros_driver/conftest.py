from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from driver_devices import CONFIG, Open, Play
from film_on_demand import FilmTime, simulate
from played_driver import Played, PlayedDriver

from sff_ros.cameras.ros_driver.device import RosDriverDevice
from sff_ros.config.cameras import RosDriverConfig

V4L2_CAMERA = Played()


@pytest.fixture(autouse=True)
def _quick_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without shared memory, with which Fast DDS needs up to 3 s to find another node."""
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FilmTime:
    """Time that advances from image to image."""
    return simulate(monkeypatch)


@pytest.fixture
def play() -> Iterator[Play]:
    """Emulate drivers until the end of the test."""
    drivers: list[PlayedDriver] = []

    def make(played: Played = V4L2_CAMERA, **changes: Any) -> PlayedDriver:
        drivers.append(PlayedDriver(replace(played, **changes)))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open devices, which are closed after the test and leave no thread."""
    devices: list[RosDriverDevice] = []

    def make(config: RosDriverConfig = CONFIG, **changes: Any) -> RosDriverDevice:
        devices.append(RosDriverDevice(replace(config, **changes)))
        return devices[-1]

    yield make
    for device in devices:
        device.close()
    assert 'ros_driver' not in [thread.name for thread in threading.enumerate()]
