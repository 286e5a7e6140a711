"""Slices made by hand and published as a camera driver would."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from live_graph import Graph
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, JointState

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.messages import (
    header_of,
    slice_encoding,
    to_camera_info,
    to_focus,
    to_image,
)

FRAME = 'hand_made'
QOS = QoSProfile(depth=60)
Spoil = Callable[[Image, CameraInfo, JointState], None]


class HandMade:
    """Publishes slices of a flat wall that is sharp in the middle slice of five.

    Args:
        graph: where; a node that listens to stack/* must be there.
        intrinsics: of the images.
    """

    COUNT, SHARP = 5, 2
    WIDTH, HEIGHT = 64, 48
    STEP_NS = 10_000_000

    def __init__(self, graph: Graph, intrinsics: Intrinsics | None = None) -> None:
        self._image = graph.publish(Image, 'stack/image', QOS)
        self._info = graph.publish(CameraInfo, 'stack/camera_info', QOS)
        self._focus = graph.publish(JointState, 'stack/focus', QOS)
        self._intrinsics = intrinsics or Intrinsics(
            self.WIDTH, self.HEIGHT, 80.0, 80.0, (self.WIDTH - 1) / 2, (self.HEIGHT - 1) / 2
        )
        self.images = wall(self.COUNT, self.SHARP, (self.HEIGHT, self.WIDTH))
        self.frame = FRAME
        self.sweeps = 0
        self.last_ns = 1_000_000_000_000

    def change_camera(self, intrinsics: Intrinsics, frame: str) -> None:
        """Go on with another camera, of any size."""
        self._intrinsics, self.frame = intrinsics, frame
        self.images = wall(self.COUNT, self.SHARP, (intrinsics.height, intrinsics.width))

    def messages(self, index: int, focus_dpt: float) -> tuple[Image, CameraInfo, JointState]:
        """Return the three messages of the next slice."""
        self.last_ns += self.STEP_NS
        slice_ = Slice(
            self.images[index],
            LensState(focus_dpt),
            self.last_ns,
            index,
            self.COUNT,
            self.sweeps,
        )
        header = header_of(stamp_of(self.last_ns), self.frame)
        image = to_image(slice_.image, slice_encoding(slice_.image), header)
        return image, to_camera_info(self._intrinsics, header), to_focus(slice_, header)

    def send(self, parts: tuple[Image, CameraInfo, JointState]) -> None:
        """Publish one slice."""
        image, info, focus = parts
        self._focus(focus)
        self._info(info)
        self.send_image(image)

    def send_image(self, image: Image) -> None:
        """Publish the image alone."""
        self._image(image)

    def sweep(
        self,
        without: Sequence[int] = (),
        focus: Callable[[int], float] = lambda index: 1.0 + 0.5 * index,
        spoil: dict[int, Spoil] | None = None,
    ) -> None:
        """Publish a sweep; `without` leaves slices out, `spoil` changes the messages of some."""
        self.sweeps += 1
        for index in range(self.COUNT):
            parts = self.messages(index, focus(index))
            if spoil and index in spoil:
                spoil[index](*parts)
            if index not in without:
                self.send(parts)


def wall(count: int, sharp: int, size: tuple[int, int]) -> list[npt.NDArray[np.uint8]]:
    """Return images of a textured wall, the more blurred the farther from slice `sharp`."""
    texture = np.random.default_rng(3).integers(0, 256, (*size, 3)).astype(np.uint8)
    radii = [0.7 + 1.2 * abs(index - sharp) for index in range(count)]
    return [np.asarray(cv2.GaussianBlur(texture, (0, 0), r), np.uint8) for r in radii]
