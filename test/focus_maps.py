"""The focus maps of sweep after sweep, sent to depth_node as inference_node would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from live_graph import Graph
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.lifecycle import QOS
from sff_ros.nodes.messages import to_camera_info, to_image

Map = npt.NDArray[np.float32]
CAMERA = Intrinsics(32, 24, 40.0, 41.0, 15.5, 11.5)
HEIGHT, WIDTH = 24, 32
DEVIATION = 'focus_map/standard_deviation'
DEVIATION_DPT = 0.1


class Maps:
    """Publishes the focus maps of sweep after sweep, as inference_node would."""

    def __init__(self, graph: Graph) -> None:
        self._publish: dict[str, Callable[[Any], None]] = {
            'info': graph.publish(CameraInfo, 'all_in_focus/camera_info'),
            'sure': graph.publish(Image, 'focus_map/confidence'),
            'focus': graph.publish(Image, 'focus_map/image'),
            'colour': graph.publish(Image, 'all_in_focus/image_rect_color'),
        }
        self._graph = graph
        self.stamp_ns = 5_000_000_123

    def add_deviation(self) -> Callable[[], int]:
        """Publish deviations, too; return what counts who wants them."""
        publisher = self._graph.tester.create_publisher(Image, DEVIATION, QOS)
        self._publish['deviation'] = publisher.publish
        return publisher.get_subscription_count

    def send(
        self,
        dioptres: Map,
        confidence: Map | None = None,
        camera: Intrinsics = CAMERA,
        colour: Any = None,
        **other: Any,
    ) -> None:
        """Publish one sweep; `other` replaces a message by its name, None leaves it out."""
        self.stamp_ns += 100_000_000
        header = Header(stamp=stamp_of(self.stamp_ns), frame_id='lens')
        sure = np.ones_like(dioptres) if confidence is None else confidence
        image = colour_image() if colour is None else colour
        encoding = {'u1': 'rgb8', 'u2': 'mono16', 'f4': '32FC1'}[image.dtype.str[1:]]
        messages = {
            'info': to_camera_info(camera, header),
            'sure': to_image(sure, '32FC1', header),
            'focus': to_image(dioptres, '32FC1', header),
            'colour': to_image(image, encoding, header),
        }
        if 'deviation' in self._publish:
            messages['deviation'] = to_image(
                np.full_like(dioptres, DEVIATION_DPT), '32FC1', header
            )
        for name, message in {**messages, **other}.items():
            if message is not None:
                self._publish[name](message)


def colour_image() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def ramp() -> Map:
    """Dioptres from 1.25 to 2.5: 0.8 to 0.4 m."""
    return np.linspace(1.25, 2.5, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
