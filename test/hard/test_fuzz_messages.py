"""Malformed messages: every callback takes them or refuses them, and what follows is right."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from fuzz_messages import images, infos, joints
from fuzzing import MARKS, fuzz, refusal, st
from hand_made import HandMade, wall
from std_msgs.msg import Header

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.nodes.depth_node import DepthNode
from sff_ros.nodes.diagnostics import Report
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import (
    from_cloud,
    to_array,
    to_camera_info,
    to_focus,
    to_image,
)

pytestmark = MARKS

CAMERA = Intrinsics(64, 48, 80.0, 80.0, 31.5, 23.5)
COUNT, SHARP = HandMade.COUNT, HandMade.SHARP
FOCUS_DPT = tuple(1.0 + 0.5 * index for index in range(COUNT))
WALL = wall(COUNT, SHARP, (CAMERA.height, CAMERA.width))
STEP_NS = 10_000_000


class Recorder:
    """Stands for a publisher with a subscriber."""

    def __init__(self) -> None:
        self.newest: Any = None

    def publish(self, message: Any) -> None:
        self.newest = message

    def get_subscription_count(self) -> int:
        return 1


class Stamps:
    """Stamps that grow."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000

    def header(self) -> Header:
        self.ns += STEP_NS
        return Header(stamp=stamp_of(self.ns), frame_id='lens')


def configured(node: Any) -> Any:
    """Return a node that is configured and publishes to recorders."""
    assert node.trigger_configure() == rclpy.lifecycle.TransitionCallbackReturn.SUCCESS
    node._out = {topic: Recorder() for topic in node._out}
    return node


def sweep(stamps: Stamps, number: int) -> list[list[Any]]:
    """Return image, camera_info and focus of each slice of a sweep of a wall."""
    parts = []
    for index, image in enumerate(WALL):
        header = stamps.header()
        slice_ = Slice(image, LensState(FOCUS_DPT[index]), stamps.ns, index, COUNT, number)
        parts.append(
            [
                to_image(image, 'rgb8', header),
                to_camera_info(CAMERA, header),
                to_focus(slice_, header),
            ]
        )
    return parts


def stamps_of_any_kind() -> Any:
    """Return a strategy of stamps, most of them malformed or far away."""
    seconds = st.sampled_from((-(2**31), -1, 0, 1_000, 2**31 - 1))
    nanoseconds = st.sampled_from((0, 10**9 - 1, 10**9, 4_000_000_000, 2**32 - 1))
    return st.builds(lambda sec, ns: Time(sec=sec, nanosec=ns), seconds, nanoseconds)


def test_slices(ros: None) -> None:
    """Any message of any slice may be malformed; the next sweep has the right depth."""
    node = configured(
        InferenceNode(),
    )
    stamps, number = Stamps(), 0
    kinds = (images(), infos(), joints(), stamps_of_any_kind())
    spoil = st.integers(0, 3).flatmap(
        lambda kind: st.tuples(st.integers(0, COUNT - 1), st.just(kind), kinds[kind])
    )

    def check(spoils: list[tuple[int, int, Any]]) -> None:
        nonlocal number
        spoilt, good = sweep(stamps, number + 1), sweep(stamps, number + 2)
        number += 2
        for index, kind, message in spoils:
            if kind == 3:
                for part in spoilt[index]:
                    part.header.stamp = message
                continue
            message.header = spoilt[index][kind].header
            spoilt[index][kind] = message
        for parts in spoilt:
            with refusal():
                node._process((*parts, time.monotonic()))
            assert_plausible(node._out)
        for parts in good:
            node._process((*parts, time.monotonic()))
        dioptres = to_array(node._out['focus_map/image'].newest)
        assert dioptres.shape == (CAMERA.height, CAMERA.width)
        assert np.median(dioptres) == pytest.approx(FOCUS_DPT[SHARP], abs=0.1)
        node._report(Report())

    try:
        fuzz(check, st.lists(spoil, min_size=2, max_size=4), 150)
    finally:
        node.destroy_node()


def assert_plausible(out: dict[str, Recorder]) -> None:
    """Check that what was published is finite where it says that it is sure."""
    newest = out['focus_map/confidence'].newest
    if newest is None:
        return
    confidence = to_array(newest)
    assert np.isfinite(confidence).all()
    assert (confidence >= 0).all()
    assert (confidence <= 1).all()
    dioptres = to_array(out['focus_map/image'].newest)
    assert not np.isnan(dioptres[confidence >= 0.5]).any()
    assert to_array(out['all_in_focus/image_rect_color'].newest).dtype in (np.uint8, np.uint16)


def test_parts_of_slices(ros: None) -> None:
    """Messages are matched whatever is in them, and memory stays bounded."""
    node = configured(InferenceNode())
    topics = st.sampled_from(('stack/image', 'stack/camera_info', 'stack/focus'))
    part = st.tuples(topics, st.integers(0, 50), st.one_of(images(), infos(), joints()))

    def check(parts: list[tuple[str, int, Any]]) -> None:
        for topic, at, message in parts:
            message.header.stamp = stamp_of(at)
            node._on_part(topic, message)
        node._report(Report())

    try:
        fuzz(check, st.lists(part, max_size=40), 40)
    finally:
        node.destroy_node()


def test_maps(ros: None) -> None:
    """Any message of depth_node's may be malformed; the next depth is right."""
    node = configured(DepthNode())
    stamps = Stamps()
    topics = (
        *('focus_map/image', 'focus_map/confidence', 'all_in_focus/camera_info'),
        *('all_in_focus/image_rect_color',),
    )
    spoil = st.sampled_from(topics).flatmap(
        lambda topic: st.tuples(
            st.just(topic), infos() if topic.endswith('camera_info') else images()
        )
    )
    shape = (CAMERA.height, CAMERA.width)

    def maps() -> dict[str, Any]:
        header = stamps.header()
        return {
            topics[0]: to_image(np.full(shape, 2.0, np.float32), '32FC1', header),
            topics[1]: to_image(np.ones(shape, np.float32), '32FC1', header),
            topics[2]: to_camera_info(CAMERA, header),
            topics[3]: to_image(WALL[SHARP], 'rgb8', header),
        }

    def check(spoils: list[tuple[str, Any]]) -> None:
        spoilt = maps()
        for topic, message in spoils:
            message.header = spoilt[topic].header
            spoilt[topic] = message
        for topic, message in spoilt.items():
            with refusal():
                node._process((topic, message, time.monotonic()))
        for topic, message in maps().items():
            node._process((topic, message, time.monotonic()))
        depth = to_array(node._out['depth/image_rect'].newest)
        assert depth.shape == shape
        assert (depth == 0.5).all()
        points, _ = from_cloud(node._out['depth/points'].newest)
        assert (points[..., 2] == 0.5).all()
        node._report(Report())

    try:
        fuzz(check, st.lists(spoil, min_size=1, max_size=2), 250)
    finally:
        node.destroy_node()
