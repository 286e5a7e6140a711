"""ROS for tests that call the callbacks of nodes themselves."""

from __future__ import annotations

from collections.abc import Iterator

import live_graph as live_graph  # loads what rclpy warns about
import pytest
import rclpy

from sff_ros.middleware.start import start_ros


@pytest.fixture
def ros() -> Iterator[None]:
    start_ros(['--ros-args', '--log-level', 'fatal'])
    yield
    rclpy.shutdown()
