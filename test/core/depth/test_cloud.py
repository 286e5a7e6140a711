from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.depth.cloud import POINT_STEP, CloudBuilder, rays, unproject
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError, StackError

CAMERA = Intrinsics(40, 30, 50.0, 60.0, 21.0, 12.0)
NAN, INF = float('nan'), float('inf')


def depth_map(seed: int = 0) -> FloatMap:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.2, 3, (30, 40)).astype(np.float32)
    depth.flat[:3] = [NAN, INF, -INF]
    return depth


def colours(seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (30, 40, 3)).astype(np.uint8)


def test_principal_point_looks_straight_ahead() -> None:
    points = unproject(np.full((30, 40), 1.5, np.float32), CAMERA)
    assert points.shape == (30, 40, 3)
    assert points.dtype == np.float32
    assert points[12, 21].tolist() == [0.0, 0.0, 1.5]
    np.testing.assert_allclose(points[12, 31], [1.5 * 10 / 50, 0, 1.5], rtol=1e-6)  # x right
    np.testing.assert_allclose(points[18, 21], [0, 1.5 * 6 / 60, 1.5], rtol=1e-6)  # y down


def test_points_project_back_onto_their_pixels() -> None:
    points = unproject(depth_map(), CAMERA)[1:].reshape(-1, 3).astype(float)
    u, v, w = CAMERA.matrix @ points.T
    rows, columns = np.mgrid[1:30, 0:40]
    np.testing.assert_allclose(u / w, columns.ravel(), atol=1e-4)
    np.testing.assert_allclose(v / w, rows.ravel(), atol=1e-4)


@pytest.mark.parametrize('normal', [(0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (-0.3, 0.4, 1.0)])
def test_a_plane_stays_a_plane(normal: tuple[float, float, float]) -> None:
    """The dioptres of n . p = 1 are linear in the pixel; its points are on it again."""
    rows, columns = np.mgrid[0:30, 0:40]
    ray = np.stack(((columns - 21) / 50, (rows - 12) / 60, np.ones((30, 40))), axis=-1)
    depth = (1 / (ray @ np.array(normal))).astype(np.float32)
    points = unproject(depth, CAMERA)
    np.testing.assert_allclose(points @ np.array(normal), 1.0, rtol=1e-5)


def test_depth_that_is_not_finite_gives_no_point() -> None:
    points = unproject(depth_map(), CAMERA)
    assert np.isnan(points[0, :3]).all()
    assert np.isfinite(points[0, 3:]).all()
    assert np.isfinite(points[1:]).all()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'fx': 0.0, 'fy': 0.0}, 'no points without intrinsics'),
        ({'distortion': (0.1, 0.0, 0.0, 0.0)}, 'rectified image, this one is distorted'),
        ({'width': 41}, 'intrinsics are for 41x30, the depth image is 40x30'),
        ({'width': 30, 'height': 40}, 'intrinsics are for 30x40, the depth image is 40x30'),
    ],
)
def test_camera_that_gives_no_points(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        rays((30, 40), replace(CAMERA, **changes))
    with pytest.raises(CalibrationError, match=message):
        unproject(depth_map(), replace(CAMERA, **changes))


def test_builder_refuses_an_uncalibrated_camera() -> None:
    with pytest.raises(CalibrationError, match='no points without intrinsics'):
        CloudBuilder(Intrinsics(40, 30))


def test_layout_in_bytes() -> None:
    """As PCL and RViz read it: float32 x, y, z at 0, 4, 8; bytes B, G, R, 0 at 16."""
    depth, colour = depth_map(), colours()
    data = CloudBuilder(CAMERA).fill(depth, colour).tobytes()
    assert POINT_STEP == 32
    assert len(data) == 30 * 40 * 32
    points = unproject(depth, CAMERA)
    for row, column in ((0, 5), (12, 21), (29, 39)):
        point = data[(row * 40 + column) * 32 :][:32]
        assert struct.unpack_from('<3f', point) == tuple(points[row, column].tolist())
        r, g, b = colour[row, column].tolist()
        assert point[12:16] == bytes(4)
        assert point[16:20] == bytes((b, g, r, 0))
        assert point[20:] == bytes(12)


def test_builder_agrees_with_unproject() -> None:
    builder = CloudBuilder(CAMERA)
    for seed in range(3):
        cloud = builder.fill(depth_map(seed), colours(seed))
        assert cloud.shape == (30, 40, 8)
        np.testing.assert_array_equal(cloud[..., :3], unproject(depth_map(seed), CAMERA))


def test_buffer_is_reused_and_nothing_of_the_past_stays() -> None:
    builder = CloudBuilder(CAMERA)
    first = builder.fill(depth_map(0), colours(0))
    second = builder.fill(depth_map(1), colours(1))
    assert np.shares_memory(first, second)
    fresh = CloudBuilder(CAMERA).fill(depth_map(1), colours(1))
    assert second.tobytes() == fresh.tobytes()


def test_grey_is_all_three_colours() -> None:
    grey = colours()[..., 0]
    cloud = CloudBuilder(CAMERA).fill(depth_map(), grey)
    in_colour = CloudBuilder(CAMERA).fill(depth_map(), np.stack([grey] * 3, axis=-1))
    assert cloud.tobytes() == in_colour.tobytes()


def test_images_of_another_size_are_refused() -> None:
    builder = CloudBuilder(Intrinsics(8, 6, 10.0, 10.0, 4.0, 3.0))
    depth, colour = np.ones((6, 8), np.float32), np.zeros((6, 8, 3), np.uint8)
    with pytest.raises(StackError, match=r'depth is \(6, 7\), the camera \(6, 8\)'):
        builder.fill(depth[:, :7], colour)
    with pytest.raises(StackError, match=r'colour is \(5, 8, 3\), the camera \(6, 8\)'):
        builder.fill(depth, colour[:5])
