"""A camera that a ROS driver owns, over real DDS; the driver is played."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from driver_devices import CONFIG, Open, Play, levels
from film_on_demand import FilmTime
from played_driver import CAMERA_ROS, HEIGHT, MOVING, WIDTH, Played, PlayedDriver

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.lens_device import CodeRange
from sff_ros.cameras.reach import Dioptres
from sff_ros.cameras.ros_driver import stream
from sff_ros.cameras.ros_driver.device import RosDriverDevice
from sff_ros.cameras.ros_driver.link import DriverLink, wait_for
from sff_ros.config.cameras import LensConfig, RosDriverConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CameraError, CameraLostError

CAMERA_ROS_CONFIG = RosDriverConfig(
    node='/camera',
    image='/camera/image_raw',
    focus='LensPosition',
    prepare='AfMode=0, AeEnable=false',
    dioptres_per_code=1.0,
    timeout_s=60.0,
)


def random_codes(count: int, seed: int = 0) -> list[float]:
    """Codes of the lens, each other than the one before."""
    steps = np.random.default_rng(seed).integers(1, 51, count)
    return [float(code) for code in np.cumsum(steps) % 51 * 5]


@pytest.mark.parametrize(
    ('stamps', 'moves'), [('arrival', 100), ('end', 20), ('start', 20)], ids=str
)
def test_no_picture_of_an_old_focus_passes(
    play: Play, opened: Open, stamps: str, moves: int
) -> None:
    driver = play(stamps=stamps, rate=150.0, late=0.9)
    device = opened(stamps=stamps, frame_rate=150.0)
    codes = random_codes(moves)
    assert levels(device, codes, driver.played.settle_s) == codes
    assert driver.asked == codes


def test_stamps_that_are_taken_for_another_kind_do_let_it_pass(play: Play, opened: Open) -> None:
    driver = play(stamps='arrival')
    codes = random_codes(30)
    seen = levels(opened(stamps='start'), codes, driver.played.settle_s)
    assert seen.count(MOVING) > 25


def test_what_the_driver_says_is_known(play: Play, opened: Open) -> None:
    others = {'auto_exposure': 3, 'focus_auto': True, 'video_device': '/dev/video2'}
    play(others=others, stamps='start')
    device = opened(identity_parameter='video_device')
    assert device.identity == '/v4l2_camera:/dev/video2'
    assert device.codes == CodeRange(0, 250, 5)
    assert device.intrinsics == Intrinsics(WIDTH, HEIGHT, 40.0, 41.0, 23.5, 15.5)
    assert device.nominal is None
    assert device.period_ns == 10_000_000
    assert opened(identity='bench', frame_rate=50.0).period_ns == 20_000_000
    assert opened(identity='bench').identity == 'bench'
    assert opened(low=50.0, high=100.0, step=2.0).codes == CodeRange(50, 100, 2)


def test_frames_follow_each_other_on_the_wall_clock(
    play: Play, opened: Open, clock: FilmTime
) -> None:
    play(stamps='start')
    device = opened(stamps='start')
    frames = [device.frame(0) for _ in range(10)]
    starts = [frame.start_ns for frame in frames]
    assert (np.diff(starts) > 0).all()
    assert 0 < clock.time_ns() - frames[-1].stamp_ns < 30_000_000
    for frame in frames:
        assert frame.stamp_ns == frame.start_ns + device.period_ns // 2
        assert frame.exposure_ns == device.period_ns
    later = device.now_ns() + 60_000_000
    assert 0 <= device.frame(later).start_ns - later < 10_000_000


def test_settings_are_made_and_put_back(play: Play, opened: Open) -> None:
    driver = play()
    device = opened()
    assert driver.value('focus_automatic_continuous') is False
    assert driver.value('auto_exposure') == 1
    device.move(200)
    assert driver.value('focus_absolute') == 200
    device.close()
    assert driver.value('focus_automatic_continuous') is True
    assert driver.value('auto_exposure') == 3
    assert driver.value('focus_absolute') == 0
    device.close()
    for use in (lambda: device.move(5), lambda: device.frame(0)):
        with pytest.raises(CameraError, match='the camera is closed'):
            use()


@pytest.mark.parametrize('reliable', [True, False])
@pytest.mark.parametrize('compressed', [True, False])
def test_any_quality_of_service_and_compressed_pictures(
    play: Play, opened: Open, reliable: bool, compressed: bool
) -> None:
    image = 'image_raw/compressed' if compressed else 'image_raw'
    driver = play(reliable=reliable, compressed=compressed, image=image)
    device = opened(image=image)
    assert device.intrinsics.fx == 40.0
    assert levels(device, [100, 35], driver.played.settle_s) == [100, 35]


@pytest.mark.parametrize('calibrated', [False, None])
def test_a_camera_that_is_not_calibrated(
    play: Play, opened: Open, calibrated: bool | None
) -> None:
    play(calibrated=calibrated)
    assert opened().intrinsics == Intrinsics(WIDTH, HEIGHT)


def test_dioptres_of_a_driver_that_promises_them(play: Play, opened: Open) -> None:
    driver = play(CAMERA_ROS)
    device = opened(CAMERA_ROS_CONFIG)
    assert device.codes == CodeRange(0, 10, 0)
    camera = LensCamera(device, None, LensConfig(settle_s=driver.played.settle_s))
    assert camera.calibration_status == 'approximate'
    assert camera.reach == Dioptres(0, 10)
    for dioptres in (0.0, 2.35, 7.5, 10.0):
        slice_ = camera.capture(dioptres)
        assert slice_.focus_dpt == pytest.approx(dioptres)
        assert slice_.image[0, 0] == round(dioptres * 20)
    assert [driver.value(name) for name in ('AfMode', 'AeEnable')] == [0, False]
    assert opened(CAMERA_ROS_CONFIG, dioptres_at_zero=0.5).nominal is not None


def test_a_refused_focus_is_named_and_the_camera_goes_on(play: Play, opened: Open) -> None:
    driver = play(deaf=(100,))
    device = opened()
    with pytest.raises(CameraError) as caught:
        device.move(100)
    assert str(caught.value) == '/v4l2_camera refuses focus_absolute = 100: the lens is stuck'
    with pytest.raises(CameraError, match=r'refuses focus_absolute = 255: .*range'):
        device.move(255)
    assert levels(device, [50], driver.played.settle_s) == [50]
    camera = LensCamera(device, None, LensConfig(settle_s=driver.played.settle_s))
    for _ in range(2):  # what was refused is asked for again, and is no slice
        with pytest.raises(CameraError, match='the lens is stuck'):
            camera.capture(100)
    assert camera.capture(150).image[0, 0] == 150


@pytest.mark.parametrize(
    ('played', 'config', 'words'),
    [
        ({'stamps': 'zero'}, {}, '/image_raw: its stamps are zero'),
        ({'stamps': 'boot'}, {}, 's before the arrival of the images: the driver must stamp by'),
        ({'stamps': 'malformed'}, {}, '/image_raw: a stamp must have sec >= 0 and nanosec < 1e9'),
        ({'low': None}, {}, 'no range for focus_absolute: set ros_driver.low and ros_driver.high'),
        (
            {},
            {'node': 'v4l2_cam', 'timeout_s': 1.2},
            'no node /v4l2_cam offers parameters: start the driver, or set',
        ),
        (
            {},
            {'image': '/image'},
            'no publisher of /image: set ros_driver.image; topics with',
        ),
        ({}, {'image': '/camera_info'}, '/camera_info carries sensor_msgs/msg/CameraInfo: set'),
        (
            {},
            {'focus': 'focus_absolut'},
            "parameter 'focus_absolut'; did you mean focus_absolute?",
        ),
        ({}, {'prepare': 'autofocus=false'}, "/v4l2_camera has no parameter 'autofocus'"),
        ({}, {'prepare': 'auto_exposure=on'}, '/v4l2_camera refuses auto_exposure = True: '),
        ({}, {'focus': 'use_sim_time'}, 'use_sim_time of /v4l2_camera is False: set ros_driver.f'),
        ({}, {'dioptres_per_code': -1.0}, 'make -250 dpt at an end of 0 .. 250: set ros_driver.'),
    ],
)
def test_what_keeps_it_from_opening_is_said(
    play: Play, opened: Open, played: dict[str, Any], config: dict[str, Any], words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    driver = play(**played)
    # What is not there is waited for in vain, but the driver itself must be found before.
    monkeypatch.setattr(stream, 'wait_for', lambda look, _: wait_for(look, 1.2))
    with pytest.raises(CameraError) as caught:
        opened(**config)
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)
    assert driver.value('focus_automatic_continuous') is True


def test_a_driver_that_went_away_is_lost_and_can_be_opened_again(play: Play, opened: Open) -> None:
    first = PlayedDriver(Played())
    device = opened()
    device.move(50)
    first.close()
    with pytest.raises(CameraLostError, match='/image_raw is no longer published'):
        device.frame(device.now_ns() + 10_000_000_000)
    with pytest.raises(CameraLostError, match='/v4l2_camera is gone'):
        device.move(55)
    device.close()
    again = play(others={'focus_automatic_continuous': True, 'auto_exposure': 3})
    device = opened()
    assert levels(device, [60], again.played.settle_s) == [60]


def test_a_driver_that_was_started_anew_is_lost_and_left_as_it_is(
    play: Play, opened: Open
) -> None:
    first = PlayedDriver(Played())
    device = opened()
    first.close()
    second = play(others={'focus_automatic_continuous': True, 'auto_exposure': 2})
    with pytest.raises(CameraLostError):
        device.frame(device.now_ns())
    device.close()
    assert second.value('auto_exposure') == 2


def test_a_call_ends_when_the_driver_was_started_anew(
    play: Play, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = play()
    device = opened(timeout_s=60.0)
    first.fall_silent()
    played: list[Any] = []
    is_gone = device._driver.is_gone

    def asked() -> bool:
        # Asked while the call waits: a driver that was there before would have answered it.
        if not played:
            played.append(play(others={'focus_automatic_continuous': True, 'auto_exposure': 2}))
        return is_gone()

    monkeypatch.setattr(device._driver, 'is_gone', asked)
    with pytest.raises(CameraLostError, match='/v4l2_camera was restarted'):
        device.move(50)
    device.close()
    assert played[0].value('auto_exposure') == 2


def test_a_dead_driver_is_not_waited_for_again(
    play: Play, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a driver that comes back is missed for twice the timeout."""
    waits: list[float] = []
    call = DriverLink.call

    def noted(link: DriverLink, client: Any, request: Any, wait_s: float, *more: Any) -> Any:
        waits.append(wait_s)
        return call(link, client, request, wait_s, *more)

    driver = play()
    device = opened(timeout_s=5.0)
    driver.fall_silent()
    monkeypatch.setattr(DriverLink, 'call', noted)
    with pytest.raises(CameraLostError, match='does not respond'):
        device.move(50)
    device.close()
    assert len(waits) == 2  # to move, to restore
    assert waits[1] < 1.0


def test_nothing_is_left_behind(play: Play) -> None:
    driver = play()
    before = {thread.name for thread in threading.enumerate()}
    for _ in range(2):
        RosDriverDevice(CONFIG).close()
    assert {thread.name for thread in threading.enumerate()} == before
    names = [name for name, _ in driver.node.get_node_names_and_namespaces()]
    assert names == ['v4l2_camera']
