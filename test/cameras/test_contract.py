"""What every camera keeps to, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stack_files import make_folder

from sff_ros.cameras.camera import FocusCamera
from sff_ros.cameras.folder import FolderCamera
from sff_ros.cameras.simulated import SimulatedCamera
from sff_ros.config_cameras import FolderConfig, SimulatedConfig
from sff_ros.errors import CameraError

Factory = Callable[[Path], FocusCamera]


def simulated(folder: Path) -> FocusCamera:
    return SimulatedCamera(SimulatedConfig(width=96, height=64, realtime=False))


def folder_of_known_focus(folder: Path) -> FocusCamera:
    make_folder(folder, 4, 'focus_m: [0.25, 0.5, 1, .inf]')
    return FolderCamera(FolderConfig(path=str(folder), frame_rate=0.0))


def folder_of_unknown_focus(folder: Path) -> FocusCamera:
    return FolderCamera(FolderConfig(path=str(make_folder(folder)), frame_rate=0.0))


@pytest.fixture(
    params=[
        pytest.param(simulated, id='simulated'),
        pytest.param(folder_of_known_focus, id='folder'),
        pytest.param(folder_of_unknown_focus, id='folder-unknown-focus'),
    ]
)
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> FocusCamera:
    factory: Factory = request.param
    return factory(tmp_path)


def places(camera: FocusCamera) -> list[float]:
    """Four positions that the camera can visit."""
    if camera.positions is not None:
        return list(camera.positions[:4])
    assert camera.focus_range is not None, 'a lens without a range needs positions'
    reach = camera.focus_range
    return [float(f) for f in np.linspace(reach.far_dpt, reach.near_dpt, 4)]


def test_pictures_have_the_size_of_the_intrinsics(camera: FocusCamera) -> None:
    for focus in places(camera):
        image = camera.capture(focus).image
        assert image.shape[:2] == (camera.intrinsics.height, camera.intrinsics.width)
        assert image.dtype == np.uint8
        assert int(image.max()) - int(image.min()) > 20


def test_slices_know_their_focus_where_the_lens_is_calibrated(camera: FocusCamera) -> None:
    for focus in places(camera):
        expected = focus if camera.focus_range is not None else np.nan
        assert camera.capture(focus).focus_dpt == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_stamps_are_wall_clock_and_grow(camera: FocusCamera) -> None:
    near, *_, far = places(camera)
    stamps = [camera.capture(focus).stamp_ns for focus in (near, far, far, near, far)]
    assert np.all(np.diff(stamps) > 0)
    assert min(stamps) > 1_600_000_000 * 10**9


def test_pictures_differ_from_focus_to_focus(camera: FocusCamera) -> None:
    near, *_, far = places(camera)
    first, second = (camera.capture(focus).image.astype(float) for focus in (near, far))
    assert np.abs(first - second).mean() > 2


@pytest.mark.parametrize('focus', [-1.0, 500.0, float('nan'), float('inf')])
def test_focus_out_of_reach_is_refused_and_the_camera_goes_on(
    camera: FocusCamera, focus: float
) -> None:
    with pytest.raises(CameraError) as caught:
        camera.capture(focus)
    assert f'{focus:g}' in str(caught.value)
    assert '\n' not in str(caught.value)
    assert camera.capture(places(camera)[0]).image.any()


def test_closed_camera_refuses(camera: FocusCamera) -> None:
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match='closed'):
        camera.capture(places(camera)[0])
