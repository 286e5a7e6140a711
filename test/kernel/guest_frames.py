"""In the virtual machine: frames of the V4L2 driver, and how it changes the camera."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from vivid import (
    BLACK,
    BLUE,
    GREEN,
    PERIOD_NS,
    RED,
    WHITE,
    Vivid,
    level_of,
    opened,
    uncalibrated,
)

from sff_ros.config.cameras import PIXEL_FORMATS


@pytest.mark.parametrize('source', [0, 1], ids=['end-of-frame', 'start-of-exposure'])
def test_no_frame_is_of_an_old_setting(vivid: Vivid, source: int) -> None:
    vivid.set(contrast=0, timestamp_source=source)
    codes = np.random.default_rng(source).integers(0, 256, 200).tolist()
    with opened() as device:
        camera = uncalibrated(device)
        # vivid wraps grey around at black; the level of every setting is still unique.
        expected = {code: level_of(camera.capture(code)) for code in sorted(set(codes))}
        assert len(set(expected.values())) == len(expected) > 100
        seen = [level_of(camera.capture(code)) for code in codes]
    assert [s for s in seen if s not in expected.values()] == []
    old = sum(s != expected[code] for s, code in zip(seen, codes, strict=True))
    assert old == 0


def test_the_first_frame_after_a_move_would_be_old(vivid: Vivid) -> None:
    # The control of the test above: by arrival alone every frame is of the previous setting.
    vivid.set(contrast=0)
    old = 0
    with opened() as device:
        for code in range(0, 200, 10):
            before = int(device.frame(device.now_ns()).image[0, 0])
            time.sleep(0.05)  # a frame is ready by then
            device.move(code)
            old += int(device.frame(0).image[0, 0]) == before
    assert old == 20


def test_frames_are_at_even_times_on_both_clocks(
    vivid: Vivid, caplog: pytest.LogCaptureFixture
) -> None:
    with opened() as device:
        assert device.period_ns == PERIOD_NS
        frames = [device.frame(0) for _ in range(30)]
        late_ns = time.time_ns() - frames[-1].stamp_ns
        assert caplog.records == []  # it stamps them
    steps = np.diff([frame.start_ns for frame in frames])
    assert steps.min() > 0
    assert np.median(steps) == pytest.approx(PERIOD_NS, rel=0.2)  # to a jiffy, 4 ms
    to_epoch = {frame.stamp_ns - frame.start_ns for frame in frames}
    assert max(to_epoch) - min(to_epoch) < 10_000_000
    assert 0 < late_ns < 10**9


def test_stale_frames_are_dropped_quickly(vivid: Vivid) -> None:
    with opened() as device:
        time.sleep(0.5)  # all buffers are full by then
        start_ns = device.now_ns()
        frame = device.frame(start_ns)
        assert frame.start_ns >= start_ns
        # Exposure and read-out that an end-of-frame stamp must allow for, and the next tick.
        assert device.now_ns() - start_ns < 15 * PERIOD_NS


def test_automatic_settings_are_held_and_restored(vivid: Vivid) -> None:
    vivid.set(brightness=77)
    with opened() as device:
        assert vivid.get('gain_automatic') == 0
        gain = vivid.get('gain')
        device.move(200)
        assert vivid.get('brightness') == 200
        assert vivid.get('gain') == gain
    assert (vivid.get('gain_automatic'), vivid.get('brightness')) == (1, 77)


def test_warm_up_lasts_as_configured_and_only_if_needed(vivid: Vivid) -> None:
    for automatic in (1, 0):
        vivid.set(gain_automatic=automatic)
        start_s = time.monotonic()
        with opened(warm_up_s=0.8):
            assert (time.monotonic() - start_s > 0.8) == bool(automatic)


@pytest.mark.parametrize('name', [name for name in PIXEL_FORMATS if name != 'MJPG'])
def test_colours_are_right_in_every_format(vivid: Vivid, name: str) -> None:
    colours = {BLACK: (0, 0, 0), WHITE: (1, 1, 1), RED: (1, 0, 0), GREEN: (0, 1, 0)}
    colours[BLUE] = (0, 0, 1)
    luma = np.array([0.2126, 0.7152, 0.0722])  # vivid's default is sRGB by Rec. 709
    deep = name.endswith('10')
    with opened(pixel_format=name) as device:
        for pattern, colour in colours.items():
            vivid.set(test_pattern=pattern)
            image = device.frame(device.now_ns()).image
            assert image.dtype == (np.uint16 if deep else np.uint8)
            assert image.shape == ((180, 320) if name == 'GREY' else (180, 320, 3))
            expected = luma @ colour if name == 'GREY' else np.array(colour)
            mean = image.reshape(180 * 320, -1).mean(axis=0) / (65472 if deep else 255)
            np.testing.assert_allclose(mean, np.broadcast_to(expected, mean.shape), atol=0.02)


def test_auto_chooses_uncompressed_colour(vivid: Vivid) -> None:
    with opened(pixel_format='auto', frame_rate=29.0) as device:
        assert device.frame(0).image.shape == (180, 320, 3)
        assert device.period_ns == 33_333_333  # the next faster rate of the camera
        assert device.identity == 'vivid at platform:vivid-000'


def test_a_lens_may_be_a_separate_device(vivid: Vivid) -> None:
    vivid.set(contrast=0, brightness=79)
    with opened(focus_device='/dev/video0') as device:
        camera = uncalibrated(device)
        assert level_of(camera.capture(10)) != level_of(camera.capture(90))
        assert vivid.get('brightness') == 90
    assert (vivid.get('gain_automatic'), vivid.get('brightness')) == (1, 79)


def test_the_lens_moves_while_a_frame_is_waited_for(vivid: Vivid) -> None:
    with opened() as device:
        stop = threading.Event()
        moves = 0

        def keep_moving() -> None:
            nonlocal moves
            while not stop.wait(0.005):
                device.move(moves % 256)
                moves += 1

        thread = threading.Thread(target=keep_moving)
        thread.start()
        frames = [device.frame(device.now_ns()) for _ in range(20)]
        stop.set()
        thread.join()
    assert all(a.start_ns < b.start_ns for a, b in itertools.pairwise(frames))
    assert moves > 40
