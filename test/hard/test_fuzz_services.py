"""Whatever services, parameters, the demo and conversions are given: it is taken or refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fuzz_messages import clouds, compressed, images, infos, joints
from fuzzing import FLOATS, MARKS, damaged, fuzz, refusal, st, values
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2
from sensor_msgs.srv import SetCameraInfo
from stack_files import encode, texture
from std_msgs.msg import Header

from sff_ros.config.nodes import NODE_CONFIGS
from sff_ros.config.schema import walk
from sff_ros.core.image_encodings import FOREIGN, PLAIN, PLANAR, decompress
from sff_ros.nodes.capture_node import CaptureNode
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.diagnostics import Report
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import (
    from_cloud,
    to_array,
    to_breathing,
    to_camera_info,
    to_place,
)
from sff_ros.nodes.observer import Observer, Seen

pytestmark = MARKS


def test_calibrations(ros: None, tmp_path: Path) -> None:
    """A camera_info is saved as it was sent, or refused."""
    node = CaptureNode()
    url = (tmp_path / 'camera.yaml').as_uri()
    small = [Parameter('simulated.width', value=64), Parameter('simulated.height', value=64)]
    node.set_parameters([*small, Parameter('camera_info_url', value=url)])
    assert node.trigger_configure() == rclpy.lifecycle.TransitionCallbackReturn.SUCCESS

    def check(info: CameraInfo) -> None:
        info.height = info.width
        request = SetCameraInfo.Request(camera_info=info)
        response = node._on_set_camera_info(request, SetCameraInfo.Response())
        assert response.status_message
        assert node._intrinsics is not None
        to_camera_info(node._intrinsics, Header())
        node._report(Report())

    try:
        fuzz(check, infos(), 200)
    finally:
        node.release()
        node.destroy_node()


@pytest.mark.parametrize('kind', [CaptureNode, InferenceNode, DepthNode])
def test_parameters(ros: None, kind: Any) -> None:
    """Any parameter may be set to anything; what is refused says why."""
    node = kind()
    names = [name for name, *_ in walk(NODE_CONFIGS[node.get_name()])]
    scalars = values.filter(lambda v: type(v) in (bool, float, str) or _is_int64(v))
    lists = st.one_of(
        st.lists(st.sampled_from(FLOATS), max_size=120), st.lists(st.sampled_from(('', 'x')))
    )
    change = st.tuples(st.sampled_from(names), st.one_of(scalars, lists, st.none()))

    def check(changes: list[tuple[str, Any]]) -> None:
        for name, value in changes:
            (result,) = node.set_parameters([Parameter(name, value=value)])
            assert result.successful or result.reason
        node._report(Report())

    try:
        fuzz(check, st.lists(change, min_size=1, max_size=4), 100)
    finally:
        node.destroy_node()


def _is_int64(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def test_what_the_demo_observes(ros: None) -> None:
    observer = Observer(Seen())
    kinds = {Image: images(), JointState: joints(), PointCloud2: clouds()}
    heard: list[Any] = [s for s in observer.subscriptions if s.msg_type in kinds]
    assert len(heard) == 8
    call = st.sampled_from(range(len(heard))).flatmap(
        lambda at: st.tuples(st.just(at), kinds[heard[at].msg_type])
    )

    def check(calls: list[tuple[int, Any]]) -> None:
        for at, message in calls:
            heard[at].callback(message)
        with refusal():
            observer.seen.points()

    try:
        fuzz(check, st.lists(call, min_size=1, max_size=6), 150)
    finally:
        observer.destroy_node()


@pytest.mark.parametrize('encoding', [*PLAIN, *FOREIGN, *PLANAR])
def test_images(encoding: str) -> None:
    def check(image: Image) -> None:
        with refusal():
            assert to_array(image).shape[:2] == (image.height, image.width)

    fuzz(check, images(encoding), 40)


def test_conversions() -> None:
    def check(given: tuple[CameraInfo, JointState, Any, Any]) -> None:
        info, joint, cloud, packed = given
        with refusal():
            camera, warp = to_breathing(info)
            assert warp is None or np.isfinite(warp).all()
            assert math.isfinite(camera.fx)
        with refusal():
            to_place(joint)
        with refusal():
            points, colour = from_cloud(cloud)
            assert points.shape == colour.shape
        with refusal():
            decompress(packed.data, packed.format)

    fuzz(check, st.tuples(infos(), joints(), clouds(), compressed()), 400)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_compressed_images(suffix: str) -> None:
    def check(content: bytes) -> None:
        with refusal():
            assert decompress(content, 'jpeg').ndim in (2, 3)

    fuzz(check, damaged(encode(texture(0, (24, 20, 3)), suffix)), 200)
