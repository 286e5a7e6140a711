from __future__ import annotations

import pytest

from sff_ros.cameras.ros_driver.exposure_times import exposure_of, period_of
from sff_ros.errors import CameraError

NOW = 1_700_000_000_000_000_000
PERIOD = 33_000_000
MS = 1_000_000


@pytest.mark.parametrize(
    ('stamps', 'start', 'middle'),
    [('start', 0, PERIOD // 2), ('end', -PERIOD, -PERIOD // 2), ('arrival', -2 * PERIOD, -PERIOD)],
)
def test_exposure_began_at_the_earliest_time_possible(
    stamps: str, start: int, middle: int
) -> None:
    exposure = exposure_of(NOW, NOW + 5 * MS, stamps, PERIOD)
    assert (exposure.start_ns - NOW, exposure.middle_ns - NOW) == (start, middle)


@pytest.mark.parametrize('age_ns', [-10 * MS, 0, 1_000 * MS + PERIOD])
def test_stamps_near_the_arrival_pass(age_ns: int) -> None:
    assert exposure_of(NOW, NOW + age_ns, 'start', PERIOD).start_ns == NOW


@pytest.mark.parametrize(
    ('stamp_ns', 'words'),
    [
        (0, 'its stamps are zero: let the driver stamp'),
        (1, '1700000000.000 s before the arrival'),
        (NOW - 1_001 * MS - PERIOD, 'its stamps are 1.034 s before the arrival of the images'),
        (NOW + 11 * MS, 'its stamps are 0.011 s after the arrival of the images'),
    ],
)
def test_stamps_that_cannot_be_the_wall_clock_are_refused(stamp_ns: int, words: str) -> None:
    with pytest.raises(CameraError) as caught:
        exposure_of(stamp_ns, NOW, 'end', PERIOD)
    assert words in str(caught.value)


def test_a_lost_frame_does_not_change_the_period() -> None:
    assert period_of([0, 10, 21, 40, 50, 60]) == 10


@pytest.mark.parametrize('stamps', [[5, 5], [10, 20, 15, 30]])
def test_stamps_must_grow(stamps: list[int]) -> None:
    with pytest.raises(CameraError, match='its stamps do not increase'):
        period_of(stamps)
