"""Automatic settings of a webcam: off for a sweep, then restored."""

from __future__ import annotations

import contextlib
import errno
from typing import Any

import pytest
from fake_video import Open, refused

from sff_ros.cameras.v4l2 import abi
from sff_ros.cameras.v4l2.node import Control
from sff_ros.cameras.v4l2.roles import find_lens
from sff_ros.cameras.v4l2.settings import hold_still
from sff_ros.errors import CameraError

AUTO = 3  # V4L2_EXPOSURE_APERTURE_PRIORITY, what webcams call automatic
FOCUS_ABSOLUTE = 0x009A090A  # V4L2_CID_FOCUS_ABSOLUTE
LENS = Control(FOCUS_ABSOLUTE, 'focus_absolute', 0, 250, 5)
INTEGER, TITLE = 1, abi.V4L2_CTRL_TYPE_CTRL_CLASS
NAMES = {
    value: name.removeprefix('V4L2_CID_')
    for name, value in vars(abi).items()
    if name.startswith('V4L2_CID_')
} | {FOCUS_ABSOLUTE: 'FOCUS_ABSOLUTE'}
LIMITS = {'EXPOSURE_AUTO': (0, 3, 1), 'EXPOSURE_ABSOLUTE': (3, 2047, 1)}
LIMITS['FOCUS_ABSOLUTE'] = (0, 250, 5)


class Webcam:
    """The controls of a webcam that adapts until its automatic settings are switched off.

    Args:
        values: of its controls, by their name without V4L2_CID_.
    """

    def __init__(self, **values: int) -> None:
        self.values = values
        self.written: list[tuple[str, int]] = []
        self.is_gone = False

    def answer(self, request: str, argument: Any) -> None:
        if self.is_gone:
            raise refused(errno.ENODEV)
        if request == 'QUERYCTRL':
            self._describe(argument)
        elif request == 'G_CTRL':
            argument.value = self.values[NAMES[argument.id]]
        elif request == 'S_CTRL':
            self._write(NAMES[argument.id], argument.value)

    def _describe(self, query: Any) -> None:
        assert query.id & abi.V4L2_CTRL_FLAG_NEXT_CTRL
        after = query.id & ~abi.V4L2_CTRL_FLAG_NEXT_CTRL
        ids = [number for number, name in NAMES.items() if name in self.values and number > after]
        if not ids:
            raise refused(errno.EINVAL)
        query.id = min(ids)
        name = NAMES[query.id]
        query.name, query.type = name.replace('_', ', ').encode(), INTEGER
        query.minimum, query.maximum, query.step = LIMITS.get(name, (0, 250, 1))

    def _write(self, name: str, value: int) -> None:
        low, high, _ = LIMITS.get(name, (0, 250, 1))
        if not low <= value <= high:
            raise refused(errno.ERANGE)
        self.values[name] = value
        self.written.append((name, value))
        if (name, value) == ('EXPOSURE_AUTO', abi.V4L2_EXPOSURE_MANUAL):
            self.values['EXPOSURE_ABSOLUTE'] = 250  # the last manual value


FOUND = {
    'FOCUS_AUTO': 1,
    'EXPOSURE_AUTO_PRIORITY': 1,
    'EXPOSURE_AUTO': AUTO,
    'EXPOSURE_ABSOLUTE': 157,
    'AUTO_WHITE_BALANCE': 1,
    'WHITE_BALANCE_TEMPERATURE': 42,
    'FOCUS_ABSOLUTE': 30,
}


def test_automatic_settings_are_held_and_restored(opened: Open) -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        settings = hold_still(opened(camera), LENS, undo)
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
    # Manual values first: they are read-only while the automatic setting is on.
    names = [name for name, _ in camera.written]
    assert names[0] == 'FOCUS_ABSOLUTE'
    assert names.index('EXPOSURE_ABSOLUTE') < names.index('EXPOSURE_AUTO')
    assert names.index('FOCUS_ABSOLUTE') < names.index('FOCUS_AUTO')


def test_manual_settings_are_not_touched(opened: Open) -> None:
    manual = FOUND | {'FOCUS_AUTO': 0, 'EXPOSURE_AUTO_PRIORITY': 0, 'EXPOSURE_AUTO': 1}
    camera = Webcam(**(manual | {'AUTO_WHITE_BALANCE': 0}))
    with contextlib.ExitStack() as undo:
        settings = hold_still(opened(camera), LENS, undo)
        assert not settings.is_adapting()
        settings.freeze()
    assert camera.written == []


def test_a_fixed_exposure_is_set(opened: Open) -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        settings = hold_still(opened(camera), LENS, undo)
        settings.set_exposure(10_040)
        settings.freeze()
        assert (camera.values['EXPOSURE_AUTO'], camera.values['EXPOSURE_ABSOLUTE']) == (1, 100)
        assert settings.exposure_ns() == 10_000_000
    assert camera.values == FOUND


@pytest.mark.parametrize(
    ('values', 'exposure_us', 'message'),
    [
        (FOUND, 200, r'exposure_us is 200; video0 accepts 300 \.\. 204700 us'),
        (FOUND, 300_000, r'exposure_us is 300000; video0 accepts 300 \.\. 204700 us'),
        ({'FOCUS_ABSOLUTE': 1}, 300, 'exposure_us is 300, but video0 has no exposure control'),
    ],
)
def test_an_impossible_exposure_is_refused(
    opened: Open, values: dict[str, int], exposure_us: int, message: str
) -> None:
    camera = Webcam(**values)
    with contextlib.ExitStack() as undo:
        settings = hold_still(opened(camera), LENS, undo)
        with pytest.raises(CameraError, match=message):
            settings.set_exposure(exposure_us)
    assert camera.values == values


def test_a_camera_needs_no_automatic_settings(opened: Open) -> None:
    camera = Webcam(FOCUS_ABSOLUTE=30)
    with contextlib.ExitStack() as undo:
        settings = hold_still(opened(camera), LENS, undo)
        settings.freeze()
        assert settings.exposure_ns() is None
        camera.values['FOCUS_ABSOLUTE'] = 31
    assert camera.written == [('FOCUS_ABSOLUTE', 30)]


def test_restoring_a_camera_that_is_gone_is_no_error(opened: Open) -> None:
    camera = Webcam(**FOUND)
    with contextlib.ExitStack() as undo:
        hold_still(opened(camera), LENS, undo)
        camera.is_gone = True
    assert camera.values['FOCUS_AUTO'] == 0


def test_the_lens_is_found_by_name(opened: Open) -> None:
    node = opened(Webcam(**FOUND))
    assert find_lens(node, 'focus_absolute', is_separate=False) == LENS
    available = (
        'it has: auto_white_balance, white_balance_temperature, exposure_auto, exposure_absolute'
    )
    with pytest.raises(CameraError, match=rf"'zoom' is not .*; {available}.*v4l2\.focus_device"):
        find_lens(node, 'zoom', is_separate=False)
    with pytest.raises(CameraError, match=r'focus_absolute, focus_auto$'):
        find_lens(node, 'zoom', is_separate=True)


def test_a_value_that_the_driver_rejects(opened: Open) -> None:
    node = opened(Webcam(FOCUS_ABSOLUTE=30))
    message = r'video0 rejects focus_absolute = -1 \(0 \.\. 250\): Numerical result out of range'
    with pytest.raises(CameraError, match=message):
        node.write(LENS, -1)
    assert node.read(LENS) == 30


class Mixed:
    """A heading, a disabled control, a read-only one, and one with a negative range."""

    rows = (
        (1, b'User Controls', TITLE, 0, 0, 0),
        (5, b'Off', INTEGER, 0, 1, abi.V4L2_CTRL_FLAG_DISABLED),
        (6, b'Temperature, Sensor', INTEGER, -40, 125, abi.V4L2_CTRL_FLAG_READ_ONLY),
        (9, b'Focus (absolute)', INTEGER, -1024, -1, 0),
    )

    def answer(self, request: str, query: Any) -> None:
        after = query.id & ~abi.V4L2_CTRL_FLAG_NEXT_CTRL
        for row in self.rows:
            if row[0] > after:
                query.id, query.name, query.type, query.minimum, query.maximum, query.flags = row
                query.step = 1
                return
        raise refused(errno.EINVAL)


def test_headings_and_disabled_controls_are_left_out(opened: Open) -> None:
    assert opened(Mixed()).controls() == (
        Control(6, 'temperature_sensor', -40, 125, 1, is_writable=False),
        Control(9, 'focus_absolute', -1024, -1, 1),
    )
