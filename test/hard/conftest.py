"""ROS for tests that call the callbacks of nodes themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy


@pytest.fixture
def ros() -> Iterator[None]:
    rclpy.init(args=['--ros-args', '--log-level', 'fatal'])
    yield
    rclpy.shutdown()
