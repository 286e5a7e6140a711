from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from simulated_time import SimulatedTime
from stack_files import encode, make_folder, texture

from sff_ros.cameras import recorded
from sff_ros.cameras.focus_camera import FocusCamera
from sff_ros.cameras.reach import Recorded
from sff_ros.cameras.recorded import FolderCamera
from sff_ros.config.cameras import FolderConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CameraError, ConfigError, StackError


def open_folder(folder: Path, frame_rate: float = 0.0) -> FolderCamera:
    return FolderCamera(FolderConfig(path=str(folder), frame_rate=frame_rate))


def test_positions_are_the_recorded_dioptres_in_file_order(tmp_path: Path) -> None:
    camera: FocusCamera = open_folder(make_folder(tmp_path, 4, 'focus_m: [0.25, 0.5, 1, .inf]'))
    assert camera.reach == Recorded((4.0, 2.0, 1.0, 0.0), in_dioptres=True)
    assert camera.intrinsics == Intrinsics(40, 32)
    slice_ = camera.capture(2.0 + 5e-7)
    assert slice_.focus_dpt == 2.0
    np.testing.assert_array_equal(slice_.image, texture(1))


@pytest.mark.parametrize('yaml', ['', 'lens_codes: [0, 5, 10, 15]'])
def test_positions_are_numbers_where_focus_is_unknown(tmp_path: Path, yaml: str) -> None:
    camera = open_folder(make_folder(tmp_path, 4, yaml))
    assert camera.reach == Recorded((0.0, 1.0, 2.0, 3.0), in_dioptres=False)
    for position in camera.reach.positions[::-1]:
        slice_ = camera.capture(position)
        assert np.isnan(slice_.focus_dpt)
        np.testing.assert_array_equal(slice_.image, texture(int(position)))


@pytest.mark.parametrize(
    ('focus', 'message'),
    [
        (2.00001, r'no image was recorded at 2.00001; the nearest is at 2 \(slice_1.png\)'),
        (9.0, r'recorded at 9; the nearest is at 4 \(slice_0.png\)'),
        (float('nan'), 'recorded at nan'),
    ],
)
def test_a_position_that_was_not_recorded_is_refused(
    tmp_path: Path, focus: float, message: str
) -> None:
    camera = open_folder(make_folder(tmp_path, 4, 'focus_dpt: [4, 2, 1, 0]'))
    with pytest.raises(CameraError, match=message):
        camera.capture(focus)
    assert camera.capture(4.0).focus_dpt == 4.0


def test_16_bit_pictures_share_one_gain(tmp_path: Path) -> None:
    images = [texture(i, (32, 40, 3), high) for i, high in enumerate((1000, 4000, 2000))]
    images[1][0, 0, 0] = 4000
    for i, image in enumerate(images):
        (tmp_path / f'{i}.png').write_bytes(encode(image))
    camera = open_folder(tmp_path)
    for i, image in enumerate(images):
        shown = camera.capture(float(i)).image
        assert shown.dtype == np.uint8
        assert np.abs(shown - image * (255 / 4000)).max() <= 0.501


def test_black_16_bit_pictures_stay_black(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f'{i}.png').write_bytes(encode(np.zeros((32, 40), np.uint16)))
    assert open_folder(tmp_path).capture(0.0).image.max() == 0


def test_stamps_grow_and_frames_keep_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = open_folder(make_folder(tmp_path), frame_rate=50.0)
    clock = SimulatedTime()
    monkeypatch.setattr(recorded, 'time', clock)
    before_ns = clock.time_ns()
    stamps = []
    for i in range(8):
        stamps.append(camera.capture(float(i % 4)).stamp_ns)
        clock.sleep(0.03 if i == 5 else 0.004)  # who asks may be late
    # The first frame comes at once, the others 20 ms apart, or when they are asked for.
    assert [(stamp - before_ns) // 1_000_000 for stamp in stamps] == [
        *(0, 20, 40, 60, 80, 100, 130, 150)
    ]


def test_stamps_grow_though_the_clock_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = open_folder(make_folder(tmp_path))
    monkeypatch.setattr(time, 'time_ns', lambda: 5000)
    assert [camera.capture(0.0).stamp_ns for _ in range(3)] == [5000, 5001, 5002]


def test_a_closed_camera_refuses(tmp_path: Path) -> None:
    camera = open_folder(make_folder(tmp_path))
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match='closed'):
        camera.capture(0.0)


def test_opening_checks_the_whole_recording(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'folder\.path is empty'):
        FolderCamera(FolderConfig())
    make_folder(tmp_path)
    (tmp_path / 'slice_3.png').write_bytes(encode(texture(3))[:-20])
    with pytest.raises(StackError, match=r'slice_3\.png: is cut off'):
        open_folder(tmp_path)


def test_a_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / 'sweep')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert open_folder(Path('~/sweep')).reach.positions == (0.0, 1.0, 2.0, 3.0)
