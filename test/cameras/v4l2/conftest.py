from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_video import Driver, Open, play_driver

from sff_ros.cameras.v4l2.node import VideoNode


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that opens the node `video0` of a driver."""
    monkeypatch.chdir(tmp_path)
    Path('video0').touch()
    with contextlib.ExitStack() as stack:

        def open_it(driver: Driver) -> VideoNode:
            play_driver(monkeypatch, Path('video0'), driver)
            return stack.enter_context(contextlib.closing(VideoNode('video0')))

        yield open_it
