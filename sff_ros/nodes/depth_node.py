"""Computes metric depth images and coloured points from focus maps."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.depth_pipeline import Depth, DepthPipeline, RectifiedFocus
from sff_ros.errors import StackError, quoted
from sff_ros.nodes.diagnostics import WARN, Diagnostics, Report, text_of
from sff_ros.nodes.exact_sync import StampMatcher
from sff_ros.nodes.lifecycle import QOS, ManagedNode, offer, transition, withdraw
from sff_ros.nodes.lifecycle import main as run_main
from sff_ros.nodes.messages import to_array, to_cloud, to_image, to_intrinsics
from sff_ros.nodes.parameters import NodeParameters
from sff_ros.nodes.watched_inputs import WatchedInputs
from sff_ros.nodes.worker import Worker

_MAPS = {'focus_map/image': Image, 'focus_map/confidence': Image,
         'all_in_focus/camera_info': CameraInfo}  # fmt: skip
_COLOUR = 'all_in_focus/image_rect_color'
_DEVIATION = 'focus_map/standard_deviation'  # subscribed to only while depth/... is
_OUTPUTS = {'depth/image_rect': Image, 'depth/camera_info': CameraInfo,
            'depth/standard_deviation': Image, 'depth/points': PointCloud2}  # fmt: skip
_CAPACITY = 16  # messages in the queue
_WARN_EVERY_S = 5.0

Arrival = tuple[str, Any, float]


class DepthNode(ManagedNode):
    """Lifecycle node `depth_node`: focus_map/*, all_in_focus/* -> depth/*."""

    def __init__(self) -> None:
        super().__init__('depth_node')
        self._settings = NodeParameters(self, DepthConfig)
        self._diagnostics = Diagnostics(self, 'none', self._report)
        self._statistics = self._diagnostics.statistics
        self._inputs = WatchedInputs(self, QOS)
        self._maps = StampMatcher(tuple(_MAPS), capacity=5)
        self._coloured = StampMatcher(('depth', _COLOUR), capacity=5)
        self._uncertain = StampMatcher(('depth', _DEVIATION), capacity=5)
        self._pipeline = DepthPipeline()
        self._out: dict[str, Publisher[Any]] = {}
        self._worker: Worker[Arrival] | None = None
        self._calibrated = True
        self._valid = 0.0

    @property
    def _config(self) -> DepthConfig:
        return self._settings.config

    @transition
    def on_configure(self) -> None:
        """Create the publishers."""
        self._out = offer(self, _OUTPUTS)
        self._settings.locked = True
        self.get_logger().info(f'{self._config}')

    def start(self) -> None:
        """Subscribe."""
        self._worker = Worker('depth', self._process, self._on_error, _CAPACITY)
        for topic, kind in {**_MAPS, _COLOUR: Image}.items():
            self._inputs.subscribe(kind, topic, partial(self._on_message, topic))

    def stop(self) -> None:
        """Unsubscribe and clear all state."""
        self._inputs.close()
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        self._maps.clear()
        self._coloured.clear()
        self._uncertain.clear()
        self._pipeline.reset()

    def release(self) -> None:
        """Destroy the publishers."""
        withdraw(self, self._out)
        self._settings.locked = False

    def _on_message(self, topic: str, message: Any) -> None:
        if topic == 'focus_map/confidence':
            self._follow_demand()
        if self._worker is not None:
            if not self._worker.submit((topic, message, time.monotonic())):
                self._statistics.count('overrun_messages')

    def _follow_demand(self) -> None:
        """Receive deviations only while somebody wants them; once a sweep, in the executor."""
        wanted = self._out['depth/standard_deviation'].get_subscription_count() > 0
        if wanted and _DEVIATION not in self._inputs:
            self._inputs.subscribe(Image, _DEVIATION, partial(self._on_message, _DEVIATION))
        elif not wanted:
            self._inputs.unsubscribe(_DEVIATION)

    def _process(self, arrival: Arrival) -> None:
        """Process one message; publish what it completes. Runs in the worker."""
        topic, message, arrived = arrival
        stamp = message.header.stamp
        stamp_ns(stamp)  # refuses a malformed one
        coloured = uncertain = None
        if topic == _COLOUR:
            coloured = self._coloured.add(topic, stamp, message)
        elif topic == _DEVIATION:
            uncertain = self._uncertain.add(topic, stamp, message)
        else:
            maps = self._maps.add(topic, stamp, message)
            if maps is None:
                return
            focus, confidence, info = maps
            depth = self._publish_depth(focus, confidence, info, arrived)
            coloured = self._coloured.add('depth', stamp, depth)
            if _DEVIATION in self._inputs:
                uncertain = self._uncertain.add('depth', stamp, depth)
        if uncertain is not None:
            self._publish_deviation(*uncertain)
        if coloured is not None and self._out['depth/points'].get_subscription_count():
            self._publish_points(*coloured)

    def _publish_depth(
        self, focus: Image, confidence: Image, info: CameraInfo, arrived: float
    ) -> Depth:
        """Publish the depth image of one sweep."""
        config = self._config
        depth = self._pipeline.depth(_rectified_focus(focus, confidence, info), config)
        in_mm = config.encoding == '16UC1'
        values = depth.millimetres if in_mm else depth.depth_m
        self._out['depth/camera_info'].publish(info)
        self._out['depth/image_rect'].publish(to_image(values, config.encoding, focus.header))
        self._statistics.count('depth_images')
        self._statistics.latency('focus_map_to_depth', time.monotonic() - arrived)
        self._valid = float(depth.valid.mean())
        return depth

    def _publish_deviation(self, depth: Depth, deviation: Image) -> None:
        """Publish the standard deviation of the depth image of one sweep.

        Raises:
            StackError: the map is malformed, or of another size.
        """
        if not self._out['depth/standard_deviation'].get_subscription_count():
            return
        dioptres = _float_map(deviation)
        if dioptres.shape != depth.depth_m.shape:
            raise StackError(
                f'{_DEVIATION} is {deviation.width}x{deviation.height}, the depth image is '
                f'{depth.camera.width}x{depth.camera.height}'
            )
        message = to_image(depth.deviation_m(dioptres), '32FC1', deviation.header)
        self._out['depth/standard_deviation'].publish(message)
        self._statistics.count('deviations')

    def _publish_points(self, depth: Depth, image: Image) -> None:
        """Publish the organised cloud; none if the camera is not calibrated."""
        self._calibrated = depth.camera.is_calibrated
        if not self._calibrated:
            return
        started = time.monotonic()
        colour = to_array(image)
        if colour.dtype not in (np.uint8, np.uint16):
            raise StackError(
                f'{_COLOUR} must have 8 or 16 bits, not encoding {quoted(image.encoding)}'
            )
        if colour.shape[:2] != depth.depth_m.shape:
            raise StackError(
                f'{_COLOUR} is {image.width}x{image.height}, the depth image is '
                f'{depth.camera.width}x{depth.camera.height}'
            )
        if colour.dtype != np.uint8:
            colour = (colour >> 8).astype(np.uint8)
        header = Header(stamp=image.header.stamp, frame_id=image.header.frame_id)
        points = self._pipeline.cloud(depth, colour)
        self._out['depth/points'].publish(to_cloud(points, header))
        self._statistics.count('clouds')
        self._statistics.latency('depth_to_cloud', time.monotonic() - started)

    def _on_error(self, err: Exception) -> None:
        """Count a rejected message; the node continues."""
        self._statistics.count('refused_maps')
        text = text_of(err)
        self._statistics.warn(text)
        self.get_logger().warning(text, throttle_duration_sec=_WARN_EVERY_S)

    def _report(self, report: Report) -> None:
        """Report inputs and outputs."""
        self._inputs.report(report, self._config.watchdog_s)
        report.values['unmatched_maps'] = str(self._maps.unmatched)
        report.values['valid_fraction'] = f'{self._valid:.3f}'
        report.values['min_confidence'] = f'{self._config.min_confidence:g}'
        if not self._calibrated:
            report.add(WARN, 'no depth/points: the camera matrix is zero (not calibrated)')


def _rectified_focus(focus: Image, confidence: Image, info: CameraInfo) -> RectifiedFocus:
    """Return the maps of one sweep.

    Raises:
        StackError: a map is malformed, or the three differ in size.
        CalibrationError: the camera is invalid.
    """
    dioptres, sure, camera = _float_map(focus), _float_map(confidence), to_intrinsics(info)
    if not dioptres.shape == sure.shape == (camera.height, camera.width):
        raise StackError(
            f'focus_map/image {dioptres.shape}, focus_map/confidence {sure.shape} and '
            f'all_in_focus/camera_info {(camera.height, camera.width)} differ in size'
        )
    return RectifiedFocus(dioptres, sure, camera)


def _float_map(message: Image) -> FloatMap:
    """Return a 32FC1 image.

    Raises:
        StackError: another encoding, or malformed.
    """
    if message.encoding != '32FC1':
        raise StackError(f'a focus map must be 32FC1, not {quoted(message.encoding)}')
    image: FloatMap = to_array(message)
    return image


def main() -> None:
    """Run depth_node."""
    run_main(DepthNode)


if __name__ == '__main__':
    main()
