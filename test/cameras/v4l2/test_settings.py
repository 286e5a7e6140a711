"""A webcam's automatic settings: off for a sweep, then as they were."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from sff_ros.cameras.v4l2.node import Control
from sff_ros.cameras.v4l2.roles import find_lens
from sff_ros.cameras.v4l2.settings import Settings, hold_still
from sff_ros.errors import CameraError, CameraLostError

raw = pytest.importorskip('linuxpy.video.raw')

AUTO = 3  # V4L2_EXPOSURE_APERTURE_PRIORITY, what webcams call automatic
LENS = Control(int(raw.ControlID.FOCUS_ABSOLUTE), 'focus_absolute', 0, 250, 5)


class Webcam:
    """The controls of a webcam, which adapts until it is told not to.

    Args:
        values: of its controls, by their name in ControlID.
    """

    raw = raw
    path = '/dev/video0'

    def __init__(self, **values: int) -> None:
        self.values = values
        self.written: list[tuple[str, int]] = []
        self.is_gone = False

    def controls(self) -> tuple[Control, ...]:
        ids = {name: int(raw.ControlID[name]) for name in self.values}
        limits = {'EXPOSURE_AUTO': (0, 3), 'EXPOSURE_ABSOLUTE': (3, 2047)}
        return tuple(
            Control(number, name.lower(), *limits.get(name, (0, 250)), 1)
            if number != LENS.id
            else LENS
            for name, number in ids.items()
        )

    def read(self, control: Control) -> int:
        return self.values[self._name(control)]

    def write(self, control: Control, value: int) -> None:
        if self.is_gone:
            raise CameraLostError('gone')
        name = self._name(control)
        self.values[name] = value
        self.written.append((name, value))
        if (name, value) == ('EXPOSURE_AUTO', 1):
            self.values['EXPOSURE_ABSOLUTE'] = 250  # what was last set by hand

    def _name(self, control: Control) -> str:
        return str(raw.ControlID(control.id).name)


FOUND = {
    'FOCUS_AUTO': 1,
    'EXPOSURE_AUTO_PRIORITY': 1,
    'EXPOSURE_AUTO': AUTO,
    'EXPOSURE_ABSOLUTE': 157,
    'AUTO_WHITE_BALANCE': 1,
    'WHITE_BALANCE_TEMPERATURE': 42,
    'FOCUS_ABSOLUTE': 30,
}


def held(camera: Webcam, undo: contextlib.ExitStack) -> Settings:
    node: Any = camera
    return hold_still(node, LENS, undo)


def test_all_that_adapts_stops_where_it_is_and_comes_back() -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        settings = held(camera, undo)
        assert camera.written == [('FOCUS_AUTO', 0), ('EXPOSURE_AUTO_PRIORITY', 0)]
        assert settings.is_adapting()
        camera.values['EXPOSURE_ABSOLUTE'] = 83  # the light changes
        settings.freeze()
        assert not settings.is_adapting()
        assert settings.exposure_ns() == 8_300_000
        assert camera.values == FOUND | {
            'FOCUS_AUTO': 0, 'EXPOSURE_AUTO_PRIORITY': 0, 'EXPOSURE_AUTO': 1,
            'EXPOSURE_ABSOLUTE': 83, 'AUTO_WHITE_BALANCE': 0,
        }  # fmt: skip
        camera.values['FOCUS_ABSOLUTE'] = 200
        camera.written.clear()
    assert camera.values == FOUND
    # By hand first: an automatism that is on again would not take them.
    names = [name for name, _ in camera.written]
    assert names[0] == 'FOCUS_ABSOLUTE'
    assert names.index('EXPOSURE_ABSOLUTE') < names.index('EXPOSURE_AUTO')
    assert names.index('FOCUS_ABSOLUTE') < names.index('FOCUS_AUTO')


def test_what_is_manual_already_is_not_touched() -> None:
    by_hand = FOUND | {'FOCUS_AUTO': 0, 'EXPOSURE_AUTO_PRIORITY': 0, 'EXPOSURE_AUTO': 1}
    camera = Webcam(**(by_hand | {'AUTO_WHITE_BALANCE': 0}))
    with contextlib.ExitStack() as undo:
        settings = held(camera, undo)
        assert not settings.is_adapting()
        settings.freeze()
    assert camera.written == []


def test_exposure_can_be_given() -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        settings = held(camera, undo)
        settings.set_exposure(10_040)
        settings.freeze()
        assert (camera.values['EXPOSURE_AUTO'], camera.values['EXPOSURE_ABSOLUTE']) == (1, 100)
        assert settings.exposure_ns() == 10_000_000
    assert camera.values == FOUND


@pytest.mark.parametrize(
    ('values', 'exposure_us', 'message'),
    [
        (FOUND, 200, r'exposure_us is 200; /dev/video0 takes 300 \.\. 204700 us'),
        (FOUND, 300_000, r'exposure_us is 300000; /dev/video0 takes 300 \.\. 204700 us'),
        ({'FOCUS_ABSOLUTE': 1}, 300, 'exposure_us is 300, but /dev/video0 has no control for it'),
    ],
)
def test_an_exposure_that_it_cannot_is_refused(
    values: dict[str, int], exposure_us: int, message: str
) -> None:
    camera = Webcam(**values)
    with contextlib.ExitStack() as undo:
        settings = held(camera, undo)
        with pytest.raises(CameraError, match=message):
            settings.set_exposure(exposure_us)
    assert camera.values == values


def test_a_camera_without_any_of_it_is_fine() -> None:
    camera = Webcam(FOCUS_ABSOLUTE=30)
    with contextlib.ExitStack() as undo:
        settings = held(camera, undo)
        settings.freeze()
        assert settings.exposure_ns() is None
        camera.values['FOCUS_ABSOLUTE'] = 31
    assert camera.written == [('FOCUS_ABSOLUTE', 30)]


def test_putting_back_to_a_camera_that_is_gone_is_no_error() -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        held(camera, undo)
        camera.is_gone = True
    assert camera.values['FOCUS_AUTO'] == 0


def test_the_lens_is_found_by_name() -> None:
    node: Any = Webcam(**FOUND)
    assert find_lens(node, 'focus_absolute', is_apart=False) == LENS
    there = 'it has: focus_auto, exposure_auto_priority, exposure_auto, exposure_absolute'
    with pytest.raises(CameraError, match=rf"'zoom' is not .*; {there}.*v4l2\.focus_device"):
        find_lens(node, 'zoom', is_apart=False)
    with pytest.raises(CameraError, match=r'focus_absolute$'):
        find_lens(node, 'zoom', is_apart=True)
