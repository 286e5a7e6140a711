"""Simulated time for a camera that a played driver owns: it films only what is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import played_driver
import pytest
from simulated_time import SimulatedTime

from sff_ros.cameras.ros_driver import device, stream
from sff_ros.cameras.ros_driver.stream import ImageStream, Received

LOOK_S = 0.02  # of real time, to see whether the film is still wanted
LOST_S = 1.0  # of real time: an image that did not arrive by then is lost


class FilmTime(SimulatedTime):
    """Stands still unless the device waits for an image, and has processed the last one.

    So what happens between two images, as a service call over DDS, takes no time at all, however
    busy the machine is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Condition()
        self._is_wanted = self._on_its_way = False

    def sleep(self, seconds: float) -> None:
        """Pass the time if an image is wanted; else return at once."""
        with self._news:
            self._news.wait_for(lambda: not self._on_its_way, LOST_S)
            if not self._news.wait_for(lambda: self._is_wanted, LOOK_S):
                return
            self._on_its_way = True
            super().sleep(seconds)

    def want(self, is_wanted: bool) -> None:
        """Record whether an image is wanted, after those that arrived are processed."""
        with self._news:
            self._is_wanted, self._on_its_way = is_wanted, False
            self._news.notify_all()


def simulate(monkeypatch: pytest.MonkeyPatch) -> FilmTime:
    """Put played drivers, and the devices that use them, on simulated time."""
    clock = FilmTime()
    for module in (played_driver, device, stream):
        monkeypatch.setattr(module, 'time', clock)
    take = ImageStream.take

    def taken(
        self: ImageStream, fits: Callable[[Received], bool], wait_s: float = 0.0
    ) -> Received:
        def looked_at(received: Received) -> bool:
            is_it = fits(received)
            clock.want(not is_it)
            return is_it

        clock.want(True)
        try:
            return take(self, looked_at, wait_s)
        finally:
            clock.want(False)

    monkeypatch.setattr(ImageStream, 'take', taken)
    return clock
