"""When a V4L2 frame was exposed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sff_ros.cameras.v4l2 import timing as v4l2_timing
from sff_ros.cameras.v4l2.stream import Buffer
from sff_ros.cameras.v4l2.timing import exposure_start, measured_period, stamps_begin
from sff_ros.errors import CameraError


@pytest.mark.parametrize(
    ('begins', 'expected_ns'),
    [
        (True, 1_000_000_000),
        (False, 1_000_000_000 - 10_000_000 - 33_000_000),  # read-out takes a whole period
    ],
)
def test_the_earliest_possible_start(begins: bool, expected_ns: int) -> None:
    start_ns = exposure_start(
        1_000_000_000, begins=begins, exposure_ns=10_000_000, period_ns=33_000_000
    )
    assert start_ns == expected_ns


@pytest.mark.parametrize(
    ('driver', 'parameter', 'expected'),
    [
        ('vivid', None, True),
        ('uvcvideo', None, False),
        ('uvcvideo', '0\n', False),
        ('uvcvideo', '1\n', True),
    ],
)
def test_a_usb_camera_stamps_the_first_packet(
    driver: str,
    parameter: str | None,
    expected: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / 'hwtimestamps'
    if parameter is not None:
        file.write_text(parameter)
    monkeypatch.setattr(v4l2_timing, 'UVC_CLOCK', file)
    assert stamps_begin(driver) is expected


class Frames:
    """A stream of frames with these sequence numbers, 20 ms apart."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = iter(numbers)

    @contextlib.contextmanager
    def take(self, timeout_ns: int) -> Iterator[Buffer | None]:
        number = next(self._numbers, None)
        nothing = np.empty(0, np.uint8)
        yield None if number is None else Buffer(nothing, number, number * 20_000_000, True, False)


@pytest.mark.parametrize('numbers', [(0, 1, 2, 3, 4, 5), (7, 8, 9, 12, 13, 20)])
def test_a_period_that_is_not_reported_is_measured(numbers: tuple[int, ...]) -> None:
    frames: Any = Frames(*numbers)
    assert measured_period(frames, '/dev/video0', 50.0) == 20_000_000


def test_without_frames_no_period_is_measured() -> None:
    frames: Any = Frames(0, 1)
    with pytest.raises(
        CameraError, match='/dev/video0 reports no frame rate, and delivered no frame'
    ):
        measured_period(frames, '/dev/video0', 50.0)


def test_a_camera_that_is_too_slow_is_refused() -> None:
    frames: Any = Frames(*range(6))
    with pytest.raises(
        CameraError, match='is 60 Hz; /dev/video0 delivers 50 Hz, which V4L2 cannot change'
    ):
        measured_period(frames, '/dev/video0', 60.0)
