"""Simulated time for a camera that a played driver owns: it films only what is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import played_driver
import pytest
from simulated_time import SimulatedTime

from sff_ros.cameras.ros_driver import device, stream
from sff_ros.cameras.ros_driver.stream import PictureStream, Received

LOOK_S = 0.02  # of real time, to see whether the film is still wanted
LOST_S = 1.0  # of real time: a picture that did not arrive by then is lost


class FilmTime(SimulatedTime):
    """Stands still unless the device waits for a picture, and until the last one has arrived.

    So what happens between two pictures, as a service call over DDS, takes no time at all, however
    busy the machine is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Condition()
        self._waiting = 0
        self._on_its_way = False

    def sleep(self, seconds: float) -> None:
        """Pass the time if a picture is waited for; else return, none having passed."""
        with self._news:
            if not self._news.wait_for(lambda: self._waiting, LOOK_S):
                return
            self._news.wait_for(lambda: not self._on_its_way, LOST_S)
            self._on_its_way = True
        super().sleep(seconds)

    def take(self, take: Callable[[], Received]) -> Received:
        """Wait for a picture."""
        with self._news:
            self._waiting += 1
            self._news.notify_all()
        try:
            return take()
        finally:
            with self._news:
                self._waiting -= 1

    def arrive(self) -> None:
        """Note that a picture arrived."""
        with self._news:
            self._on_its_way = False
            self._news.notify_all()


def simulate(monkeypatch: pytest.MonkeyPatch) -> FilmTime:
    """Put played drivers, and the devices that use them, on simulated time."""
    clock = FilmTime()
    for module in (played_driver, device, stream):
        monkeypatch.setattr(module, 'time', clock)
    take, arrived = PictureStream.take, PictureStream._on_picture

    def taken(self: PictureStream, *arguments: Any) -> Received:
        return clock.take(lambda: take(self, *arguments))

    def noted(self: PictureStream, message: Any) -> None:
        arrived(self, message)
        clock.arrive()

    monkeypatch.setattr(PictureStream, 'take', taken)
    monkeypatch.setattr(PictureStream, '_on_picture', noted)
    return clock
