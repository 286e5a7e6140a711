"""What every camera keeps to, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stack_files import make_folder

from sff_ros.cameras.focus_camera import FocusCamera
from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.reach import Codes, Dioptres, Recorded, knows_focus
from sff_ros.cameras.recorded import FolderCamera
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import FolderConfig, LensConfig, SimulatedConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CameraError, StackError

Factory = Callable[[Path], FocusCamera]


def simulated(folder: Path) -> FocusCamera:
    config = SimulatedConfig(width=96, height=64, realtime=False)
    return LensCamera(SimulatedLens(config), None, LensConfig())


def folder_of_known_focus(folder: Path) -> FocusCamera:
    make_folder(folder, 4, 'focus_m: [0.25, 0.5, 1, .inf]')
    return FolderCamera(FolderConfig(path=str(folder), frame_rate=0.0))


def folder_of_unknown_focus(folder: Path) -> FocusCamera:
    return FolderCamera(FolderConfig(path=str(make_folder(folder)), frame_rate=0.0))


SMALL_LENS = SimulatedConfig(
    width=96, height=64, pitch_um=46.0, fnumber=0.8, codes=1023, backlash=10.0, realtime=False
)
# As the simulated lens is: dioptres against codes, from end to end of its reach.
CALIBRATION = LensCalibration(
    LensTable((0.0, 1023.0), (1.0417, 3.5417)), Intrinsics(96, 64, 180.0, 180.0), backlash=10.0
)


def calibrated_lens(folder: Path) -> FocusCamera:
    return LensCamera(SimulatedLens(replace(SMALL_LENS, bend=0.0)), CALIBRATION, LensConfig())


def lens_of_codes(folder: Path) -> FocusCamera:
    return LensCamera(SimulatedLens(SMALL_LENS), None, LensConfig())


@pytest.fixture(
    params=[
        pytest.param(calibrated_lens, id='lens'),
        pytest.param(lens_of_codes, id='lens-of-codes'),
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
    match camera.reach:
        case Recorded(positions=positions):
            return list(positions[:4])
        case Dioptres(far, near) | Codes(far, near):
            return [float(f) for f in np.linspace(far, near, 4)]


def test_pictures_have_the_size_of_the_intrinsics(camera: FocusCamera) -> None:
    for focus in places(camera):
        image = camera.capture(focus).image
        assert image.shape[:2] == (camera.intrinsics.height, camera.intrinsics.width)
        assert image.dtype == np.uint8
        assert int(image.max()) - int(image.min()) > 20


def test_slices_know_their_focus_where_the_lens_is_calibrated(camera: FocusCamera) -> None:
    for focus in places(camera):
        expected = focus if knows_focus(camera.reach) else np.nan
        # A lens that takes whole codes goes to the nearest, and says so.
        step_dpt = 2.5 / 1023 if isinstance(camera, LensCamera) else 1e-4
        got = camera.capture(focus)
        assert got.focus_dpt == pytest.approx(expected, abs=step_dpt, nan_ok=True)


def test_what_is_known_fits_together(camera: FocusCamera) -> None:
    assert knows_focus(camera.reach) == (camera.calibration_status != 'uncalibrated')
    if camera.optics is not None:
        assert camera.optics.blur_diameter_px(2.0, 1.0) > 0


def test_a_slice_is_whole_when_it_comes(camera: FocusCamera) -> None:
    slice_ = camera.capture(places(camera)[1], index=2, count=5, sweep=7)
    assert (slice_.index, slice_.count, slice_.sweep) == (2, 5, 7)
    if isinstance(camera.reach, Codes):
        assert slice_.lens.code == round(places(camera)[1])
    with pytest.raises(StackError, match='outside'):
        camera.capture(places(camera)[0], index=5, count=5)


def test_a_simulated_camera_knows_its_scene_however_it_is_driven(camera: FocusCamera) -> None:
    depth_m = camera.ground_truth_m
    assert (depth_m is not None) == isinstance(camera, LensCamera)
    if depth_m is not None:
        assert depth_m.shape == (camera.intrinsics.height, camera.intrinsics.width)
        assert 0.29 < depth_m.min() < 0.45 < 0.6 < depth_m.max() < 0.81


def test_stamps_are_wall_clock_and_grow(camera: FocusCamera) -> None:
    near, *_, far = places(camera)
    stamps = [camera.capture(focus).stamp_ns for focus in (near, far, far, near, far)]
    assert np.all(np.diff(stamps) > 0)
    assert min(stamps) > 1_600_000_000 * 10**9


def test_pictures_differ_from_focus_to_focus(camera: FocusCamera) -> None:
    near, *_, far = places(camera)
    first, second = (camera.capture(focus).image.astype(float) for focus in (near, far))
    assert np.abs(first - second).mean() > 2


@pytest.mark.parametrize('focus', [-1.0, 5000.0, float('nan'), float('inf')])
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
