"""Organised clouds on the wire."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from sff_ros.core.depth.cloud import CloudBuilder, unproject
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import StackError
from sff_ros.nodes import messages
from sff_ros.nodes.messages import from_cloud, to_cloud

CAMERA = Intrinsics(24, 16, 30.0, 31.0, 11.5, 7.5)


def scene() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(2)
    depth = rng.uniform(0.3, 0.8, (16, 24)).astype(np.float32)
    depth[0, 0], depth[0, 1], depth[0, 2] = np.nan, np.inf, -np.inf
    return depth, rng.integers(0, 256, (16, 24, 3)).astype(np.uint8)


def cloud_of(depth: Any, colour: Any) -> PointCloud2:
    return to_cloud(CloudBuilder(CAMERA).fill(depth, colour), Header(frame_id='lens'))


def test_layout() -> None:
    cloud = cloud_of(*scene())
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (16, 24, 32, 768)
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        ('x', 0, 7, 1),
        ('y', 4, 7, 1),
        ('z', 8, 7, 1),
        ('rgb', 16, 7, 1),
    ]
    assert not cloud.is_dense
    assert not cloud.is_bigendian
    assert cloud.header.frame_id == 'lens'
    assert len(cloud.data) == 16 * 24 * 32


def test_invalid_points_are_nan_and_no_zeros() -> None:
    points, _ = from_cloud(cloud_of(*scene()))
    assert np.isnan(points[0, :3]).all()
    assert np.isfinite(points[1:]).all()
    assert not (points == 0).all(axis=-1).any()


@pytest.mark.parametrize('with_sensor_msgs_py', [False, True])
def test_points_and_colours_come_back(
    with_sensor_msgs_py: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_sensor_msgs_py:
        pytest.importorskip('sensor_msgs_py', reason='sensor_msgs_py is not installed')
    else:
        monkeypatch.setattr(messages, 'point_cloud2', None)
    depth, colour = scene()
    points, rgb = from_cloud(cloud_of(depth, colour))
    np.testing.assert_array_equal(points, unproject(depth, CAMERA))
    np.testing.assert_array_equal(rgb, colour)


def test_grey_colours() -> None:
    depth, colour = scene()
    _, rgb = from_cloud(cloud_of(depth, colour[..., 0]))
    np.testing.assert_array_equal(rgb, np.repeat(colour[..., :1], 3, axis=-1))


def test_a_plane_stays_a_plane() -> None:
    depth, colour = scene()
    points, _ = from_cloud(cloud_of(np.full_like(depth, 0.5), colour))
    assert (points[..., 2] == np.float32(0.5)).all()
    steps = np.diff(points[..., 0], axis=1)
    np.testing.assert_allclose(steps, 0.5 / 30.0, rtol=1e-4)


def test_a_cloud_of_other_fields_is_refused() -> None:
    for field, change in ((3, {'offset': 29}), (0, {'offset': 2**32 - 1}), (1, {'datatype': 8})):
        cloud = cloud_of(*scene())
        for name, value in change.items():
            setattr(cloud.fields[field], name, value)
        with pytest.raises(StackError, match=r'not an organised cloud of x, y, z, rgb'):
            from_cloud(cloud)


@pytest.mark.parametrize('change', [{'width': 0}, {'point_step': 0}, {'row_step': 40}])
def test_a_cloud_of_other_steps_is_refused(change: dict[str, int]) -> None:
    cloud = cloud_of(*scene())
    for name, value in change.items():
        setattr(cloud, name, value)
    cloud.data = cloud.data[: cloud.row_step * cloud.height]
    with pytest.raises(StackError, match=r'not an organised cloud of x, y, z, rgb'):
        from_cloud(cloud)


@pytest.mark.parametrize('spoil', ['fields', 'data'])
def test_another_cloud_is_refused(spoil: str) -> None:
    cloud = cloud_of(*scene())
    setattr(cloud, spoil, getattr(cloud, spoil)[:-1])
    with pytest.raises(StackError, match=r'not an organised cloud of x, y, z, rgb: fields x, y'):
        from_cloud(cloud)
