from __future__ import annotations

import dataclasses
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from simulated_camera import Simulated

from sff_ros.cameras.simulated import optics as simulated_optics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.errors import CameraError, ConfigError

SMALL = SimulatedConfig(width=160, height=120, noise=0.0, realtime=False)
PERIOD_NS = round(1e9 / 30)


def open_camera(**changes: Any) -> Simulated:
    return Simulated(dataclasses.replace(SMALL, **changes))


def grey(camera: Simulated, focus: float) -> npt.NDArray[np.float32]:
    return np.asarray(camera.capture(focus).image.mean(axis=2), np.float32)


def rays(camera: Simulated) -> npt.NDArray[np.float64]:
    """Direction of each pixel, (H, W, 3), 1 along Z."""
    k = camera.intrinsics
    v, u = np.indices((k.height, k.width))
    return np.stack(((u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u)), axis=-1)


def test_intrinsics_are_those_of_the_lens_in_the_middle_of_the_scene() -> None:
    camera = open_camera(width=640, height=480)
    k = camera.intrinsics
    assert camera.optical.reference_dpt == pytest.approx((1 / 0.3 + 1 / 0.8) / 2)
    # 8 mm / (1 - 8 mm * 2.29167 dpt) = 8.14941 mm, in pixels of 6.9 um
    assert (k.fx, k.fy) == pytest.approx((1181.07, 1181.07), abs=0.01)
    assert (k.width, k.height, k.cx, k.cy) == (640, 480, 319.5, 239.5)
    assert k.distortion == ()


def test_lens_reaches_a_tenth_beyond_the_scene() -> None:
    span = 1 / 0.3 - 1 / 0.8
    reach = open_camera().reach
    assert reach.near_dpt == pytest.approx(1 / 0.3 + span / 10)
    assert reach.far_dpt == pytest.approx(1 / 0.8 - span / 10)
    assert open_camera(far_m=1000.0).reach.far_dpt == 0


@pytest.mark.parametrize(
    ('near_m', 'far_m', 'width', 'height'),
    [
        (0.3, 0.8, 160, 120),
        (0.5, 2.0, 160, 120),
        (1.0, 1000.0, 160, 120),
        (0.3, 0.8, 640, 96),
        (0.3, 0.8, 96, 320),
    ],
)
def test_depth_covers_the_picture_and_fills_the_range(
    near_m: float, far_m: float, width: int, height: int
) -> None:
    camera = open_camera(near_m=near_m, far_m=far_m, width=width, height=height)
    depth = camera.true_depth_m
    assert depth.shape == (height, width)
    assert depth.dtype == np.float32
    position = (1 / depth - 1 / far_m) / (1 / near_m - 1 / far_m)
    assert position.min() >= -1e-5
    assert position.max() <= 1 + 1e-5
    assert position.min() < 0.15
    assert position.max() > 0.7


def test_depth_of_the_table_is_that_of_a_plane_below_the_camera() -> None:
    camera = open_camera()
    depth = camera.true_depth_m[115:, 5:60].astype(float)
    v = (np.arange(115, 120) - 59.5) / (2.46 * 120)
    # 0.165 m above the table, 18 degrees downwards
    expected = 0.165 / (math.sin(math.radians(18)) + v * math.cos(math.radians(18)))
    np.testing.assert_allclose(depth, np.broadcast_to(expected[:, None], depth.shape), rtol=1e-5)


@pytest.mark.parametrize(('near_m', 'far_m'), [(0.3, 0.8), (0.6, 3.0)])
def test_table_is_a_plane_in_the_camera_of_the_intrinsics(near_m: float, far_m: float) -> None:
    camera = open_camera(near_m=near_m, far_m=far_m)
    points = rays(camera) * camera.true_depth_m[..., None]
    table = np.concatenate((points[90:, :80].reshape(-1, 3), points[100:, 110:].reshape(-1, 3)))
    centred = table - table.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][2]
    assert np.abs(centred @ normal).max() < 1e-5 * far_m


def test_ball_is_round() -> None:
    camera = open_camera()
    points = rays(camera) * camera.true_depth_m[..., None]
    # The scene is laid out for a focal length of 2.46 image heights.
    points[..., :2] *= camera.intrinsics.fx / (2.46 * 120)
    row, column = np.indices((120, 160))
    ball = points[np.hypot(row - 54, column - 34.5) < 19]
    system = np.column_stack((2 * ball, np.ones(len(ball))))
    *centre, rest = np.linalg.lstsq(system, (ball**2).sum(axis=1), rcond=None)[0]
    assert math.sqrt(rest + np.square(centre).sum()) == pytest.approx(0.034, abs=2e-4)


def test_every_surface_is_sharpest_at_its_own_depth() -> None:
    camera = open_camera(width=640, height=480)
    reach = camera.reach
    focus = np.linspace(reach.far_dpt, reach.near_dpt, 41)
    stack = np.array(
        [np.square(cv2.Laplacian(grey(camera, f), cv2.CV_32F)) for f in focus.tolist()]
    )
    dioptres = 1 / camera.true_depth_m
    # wall, parcel, can, ball, carton, table
    for x, y in ((240, 60), (60, 60), (300, 140), (120, 220), (520, 160), (200, 380)):
        window = np.s_[y - 6 : y + 7, x - 6 : x + 7]
        top = int(np.argmax(np.stack([image[window] for image in stack]).mean(axis=(1, 2))))
        assert focus[top] == pytest.approx(dioptres[window].mean(), abs=0.08), (x, y)


def test_seed_fixes_everything() -> None:
    def take(seed: int) -> list[npt.NDArray[Any]]:
        camera = open_camera(seed=seed, noise=2.0)
        return [camera.capture(focus).image for focus in (1.5, 2.5, 2.5)]

    first, again, other = take(1), take(1), take(2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first[0].astype(float) - other[0]).mean() > 4
    np.testing.assert_array_equal(
        open_camera(seed=1).true_depth_m, open_camera(seed=2).true_depth_m
    )


@pytest.mark.parametrize('noise', [0.0, 1.5, 4.0])
def test_noise_has_the_level_asked_for_and_is_new_in_every_frame(noise: float) -> None:
    camera = open_camera(noise=noise)
    images = [camera.capture(2.0).image for _ in range(6)]
    frames = np.array([image.astype(float) for image in images])[:, 20:100]
    inside = ((frames > 30) & (frames < 225)).all(axis=0)
    for i in range(5):
        spread = (frames[i + 1] - frames[i])[inside].std() / math.sqrt(2)
        # Rounding to whole grey levels adds 1/12.
        expected = math.sqrt(noise**2 + 1 / 12) if noise else 0
        assert spread == pytest.approx(expected, rel=0.05)
    clean = open_camera(noise=0.0).capture(2.0).image[20:100]
    assert (frames - clean)[:, inside].mean() == pytest.approx(0, abs=0.05)


def test_grey_levels_are_the_root_of_light_rounded_to_the_nearest() -> None:
    camera = open_camera()
    light = np.clip(camera.optical._expose(2.0), 0, 1)
    assert np.abs(camera.capture(2.0).image - 255 * np.sqrt(light)).max() < 0.55


def test_pictures_belong_to_the_caller() -> None:
    camera = open_camera()
    image = camera.capture(2.0).image
    kept = image.copy()
    image[:] = 0
    np.testing.assert_array_equal(camera.capture(2.0).image, kept)


def test_all_in_focus_is_at_least_as_sharp_as_any_slice() -> None:
    camera = open_camera()
    sharpness = [
        float(np.square(cv2.Laplacian(image, cv2.CV_32F)).mean())
        for image in (
            camera.optical.all_in_focus,
            *(camera.capture(f).image for f in (1.3, 2.2, 3.1)),
        )
    ]
    assert sharpness[0] > 1.5 * max(sharpness[1:])


def measured_scale(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Return how much `one` must grow about its centre to look like `other`."""
    height, width = one.shape
    scales = np.arange(0.95, 1.0501, 0.0025)
    errors = []
    for scale in scales.tolist():
        grow = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, scale)
        grown = cv2.warpAffine(one, grow, (width, height), flags=cv2.INTER_CUBIC)
        errors.append(float(np.square(grown - other)[20:-20, 20:-20].mean()))
    best = int(np.argmin(errors))
    below, least, above = errors[best - 1 : best + 2]
    return float(scales[best] + 0.00125 * (below - above) / (below - 2 * least + above))


@pytest.mark.parametrize('breathing', [0.02, -0.04])
def test_breathing_scales_the_picture_about_its_centre(breathing: float) -> None:
    still = open_camera(width=640, height=480)
    breathes = open_camera(width=640, height=480, breathing=breathing)
    reach = still.reach
    assert breathes.optical.scale_at(reach.near_dpt) == pytest.approx(1 + breathing / 2)
    assert breathes.optical.scale_at(reach.far_dpt) == pytest.approx(1 - breathing / 2)
    for focus in (reach.far_dpt, 2.0, reach.near_dpt):
        measured = measured_scale(grey(still, focus), grey(breathes, focus))
        assert measured == pytest.approx(breathes.optical.scale_at(focus), abs=3e-4)
    reference = still.optical.reference_dpt
    np.testing.assert_allclose(grey(still, reference), grey(breathes, reference), atol=1)


@pytest.mark.parametrize(
    ('settle_s', 'periods'),
    [
        # A frame ends half a period after its start; only then is the lens commanded.
        (0.0, 1),
        (0.4 / 30, 1),
        (0.6 / 30, 2),
        (0.1, 4),
    ],
)
def test_moved_lens_waits_until_it_has_settled(settle_s: float, periods: int) -> None:
    camera = open_camera(settle_s=settle_s)
    stamps = [camera.capture(focus).stamp_ns for focus in (2.0, 2.0, 2.5, 2.5, 2.0)]
    assert np.diff(stamps).tolist() == [PERIOD_NS * n for n in (1, periods, 1, periods)]


def test_lost_frames_are_reported_and_the_camera_goes_on() -> None:
    def lost(seed: int) -> list[bool]:
        camera = open_camera(drop_rate=0.3, seed=seed)
        result = []
        for _ in range(200):
            try:
                camera.capture(2.0)
            except CameraError:
                result.append(True)
            else:
                result.append(False)
        return result

    assert 0.2 < np.mean(lost(0)) < 0.4
    assert lost(0) == lost(0) != lost(1)
    with pytest.raises(CameraError, match=r'^the frame at 2 dpt was lost$'):
        open_camera(drop_rate=1.0).capture(2.0)


def test_lost_frame_takes_as_long_as_a_good_one() -> None:
    camera = open_camera(drop_rate=0.5)
    stamps: list[int] = []
    while len(stamps) < 20:
        try:
            stamps.append(camera.capture(2.0).stamp_ns)
        except CameraError:
            pass
    steps = np.diff(stamps) // PERIOD_NS
    assert set(steps.tolist()) >= {1, 2}


def test_slices_are_rendered_once_and_the_oldest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered: list[float] = []
    camera = open_camera(width=64, height=64)
    expose = camera.optical._expose

    def count(focus_dpt: float, ball_px: int) -> npt.NDArray[np.float32]:
        rendered.append(focus_dpt)
        return expose(focus_dpt, ball_px)

    monkeypatch.setattr(camera.optical, '_expose', count)
    monkeypatch.setattr(simulated_optics, 'CACHED_SLICES', 3)
    for focus in (1.5, 2.0, 2.5, 2.00001, 1.5, 3.0, 2.5, 1.5):
        camera.capture(focus)
    # 3.0 pushes out 2.5, the one not used for longest, which then pushes out 2.0.
    assert rendered == [1.5, 2.0, 2.5, 3.0, 2.5]


@pytest.mark.parametrize('focus', [1.0, 3.6, -1.0, math.nan, math.inf])
def test_focus_out_of_reach_names_the_range(focus: float) -> None:
    with pytest.raises(CameraError) as caught:
        open_camera().capture(focus)
    assert str(caught.value) == f'focus must be within 1.042 .. 3.542 dpt, not {focus:.4g}'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'near_m': 0.8, 'far_m': 0.8}, ('near_m', 'far_m', '0.8')),
        ({'near_m': 2.0}, ('near_m', 'far_m', '2', '0.8')),
        ({'near_m': 0.1, 'focal_mm': 100.0}, ('near_m 0.1', 'focal_mm 100')),
        ({'focal_mm': 50.0, 'fnumber': 1.4}, ('blur', 'fnumber 1.4', 'focal_mm 50')),
    ],
)
def test_impossible_optics_are_refused(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        open_camera(**changes)
    for word in words:
        assert word in str(caught.value)
    assert '\n' not in str(caught.value)
