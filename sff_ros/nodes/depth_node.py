"""Turns focus maps into metric depth pictures and coloured points."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.depth.cloud import CloudBuilder
from sff_ros.core.depth.filters import TemporalFilter, remove_speckles
from sff_ros.core.depth.metric import metric_depth, to_millimetres
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import StackError
from sff_ros.nodes.diagnostics import WARN, Diagnostics, Report
from sff_ros.nodes.exact_sync import StampMatcher
from sff_ros.nodes.lifecycle import QOS, offer, transition, withdraw
from sff_ros.nodes.lifecycle import main as run_main
from sff_ros.nodes.messages import to_array, to_cloud, to_image, to_intrinsics
from sff_ros.nodes.parameters import NodeParameters
from sff_ros.nodes.watched_inputs import WatchedInputs
from sff_ros.nodes.worker import Worker

_MAPS = {'focus_map/image': Image, 'focus_map/confidence': Image,
         'all_in_focus/camera_info': CameraInfo}  # fmt: skip
_COLOUR = 'all_in_focus/image_rect_color'
_OUTPUTS = {'depth/image_rect': Image, 'depth/camera_info': CameraInfo,
            'depth/points': PointCloud2}  # fmt: skip
_CAPACITY = 16  # messages that may wait
_WARN_EVERY_S = 5.0

Arrival = tuple[str, Any, float]


class DepthNode(LifecycleNode):
    """Lifecycle node `depth_node`: focus_map/*, all_in_focus/* -> depth/*."""

    def __init__(self) -> None:
        super().__init__('depth_node')
        self._settings = NodeParameters(self, DepthConfig)
        self._diagnostics = Diagnostics(self, 'none', self._report)
        self._statistics = self._diagnostics.statistics
        self._inputs = WatchedInputs(self, QOS)
        self._maps = StampMatcher(tuple(_MAPS), capacity=5)
        self._coloured = StampMatcher(('depth', _COLOUR), capacity=5)
        self._temporal = TemporalFilter()
        self._builder: CloudBuilder | None = None
        self._out: dict[str, Publisher[Any]] = {}
        self._worker: Worker[Arrival] | None = None
        self._calibrated = True
        self._valid = 0.0

    @property
    def _config(self) -> DepthConfig:
        return self._settings.config

    @transition
    def on_configure(self) -> None:
        """Offer the outputs."""
        self._out = offer(self, _OUTPUTS)
        self._settings.locked = True
        self.get_logger().info(f'{self._config}')

    @transition
    def on_activate(self) -> None:
        """Start listening."""
        self._worker = Worker('depth', self._process, self._on_error, _CAPACITY)
        for topic, kind in {**_MAPS, _COLOUR: Image}.items():
            self._inputs.subscribe(kind, topic, partial(self._on_message, topic))

    @transition
    def on_deactivate(self) -> None:
        """Stop listening and forget the past."""
        self._stop()

    @transition
    def on_cleanup(self) -> None:
        """Withdraw the outputs."""
        self._release()

    @transition
    def on_shutdown(self) -> None:
        """Stop and release whatever is held, in any state."""
        self._stop()
        self._release()

    def _stop(self) -> None:
        self._inputs.close()
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        self._maps.clear()
        self._coloured.clear()
        self._temporal.reset()

    def _release(self) -> None:
        withdraw(self, self._out)
        self._builder = None
        self._settings.locked = False

    def _on_message(self, topic: str, message: Any) -> None:
        if self._worker is not None:
            if not self._worker.submit((topic, message, time.monotonic())):
                self._statistics.count('overrun_messages')

    def _process(self, arrival: Arrival) -> None:
        """Take one message; publish what it completes. Runs in the worker."""
        topic, message, arrived = arrival
        if topic == _COLOUR:
            coloured = self._coloured.add(topic, message.header.stamp, message)
        else:
            maps = self._maps.add(topic, message.header.stamp, message)
            if maps is None:
                return
            focus, confidence, info = maps
            depth, intrinsics = self._publish_depth(focus, confidence, info, arrived)
            coloured = self._coloured.add('depth', message.header.stamp, (depth, intrinsics))
        if coloured is not None and self._out['depth/points'].get_subscription_count():
            (depth, intrinsics), picture = coloured
            self._publish_points(depth, intrinsics, picture)

    def _publish_depth(
        self, focus: Image, confidence: Image, info: CameraInfo, arrived: float
    ) -> tuple[FloatMap, Intrinsics]:
        """Publish the depth picture of one sweep."""
        config = self._config
        dioptres, sure = _float_map(focus), _float_map(confidence)
        intrinsics = to_intrinsics(info)
        if not dioptres.shape == sure.shape == (intrinsics.height, intrinsics.width):
            raise StackError(
                f'focus_map/image {dioptres.shape}, focus_map/confidence {sure.shape} and '
                f'all_in_focus/camera_info {(intrinsics.height, intrinsics.width)} differ in size'
            )
        sure_enough = sure >= config.min_confidence
        kept = np.where(sure_enough, dioptres, np.float32(np.nan))
        kept = remove_speckles(kept, config.speckle_size_px, config.speckle_step_dpt)
        kept = self._temporal.apply(kept, config.temporal_weight, config.temporal_step_dpt)
        depth = metric_depth(
            kept, sure, min_depth_m=config.min_depth_m, max_depth_m=config.max_depth_m
        )
        in_mm = config.encoding == '16UC1'
        picture = to_image(
            to_millimetres(depth) if in_mm else depth, config.encoding, focus.header
        )
        self._out['depth/camera_info'].publish(info)
        self._out['depth/image_rect'].publish(picture)
        self._statistics.count('depth_images')
        self._statistics.latency('focus_map_to_depth', time.monotonic() - arrived)
        self._valid = float(np.isfinite(depth).mean())
        return depth, intrinsics

    def _publish_points(self, depth: FloatMap, intrinsics: Intrinsics, picture: Image) -> None:
        """Publish the organised cloud; none where the camera is not calibrated."""
        self._calibrated = intrinsics.is_calibrated
        if not self._calibrated:
            return
        started = time.monotonic()
        if self._builder is None or self._builder.intrinsics != intrinsics:
            self._builder = CloudBuilder(intrinsics)
        colour = to_array(picture)
        if colour.shape[:2] != depth.shape:
            raise StackError(
                f'{_COLOUR} is {picture.width}x{picture.height}, the depth picture is '
                f'{depth.shape[1]}x{depth.shape[0]}'
            )
        if colour.dtype != np.uint8:
            colour = (colour >> 8).astype(np.uint8)
        header = Header(stamp=picture.header.stamp, frame_id=picture.header.frame_id)
        self._out['depth/points'].publish(to_cloud(self._builder.fill(depth, colour), header))
        self._statistics.count('clouds')
        self._statistics.latency('depth_to_cloud', time.monotonic() - started)

    def _on_error(self, err: Exception) -> None:
        """Count what was refused; the node goes on."""
        self._statistics.count('refused_maps')
        self._statistics.warn(str(err) or type(err).__name__)
        self.get_logger().warning(
            str(err) or type(err).__name__, throttle_duration_sec=_WARN_EVERY_S
        )

    def _report(self, report: Report) -> None:
        """Say what arrives and what is published."""
        self._inputs.report(report, self._config.watchdog_s)
        report.values['unmatched_maps'] = str(self._maps.unmatched)
        report.values['valid_fraction'] = f'{self._valid:.3f}'
        report.values['min_confidence'] = f'{self._config.min_confidence:g}'
        if not self._calibrated:
            report.add(WARN, 'no depth/points: the camera matrix is zero (not calibrated)')


def _float_map(message: Image) -> FloatMap:
    """Return a 32FC1 picture.

    Raises:
        StackError: another encoding, or malformed.
    """
    if message.encoding != '32FC1':
        raise StackError(f'a focus map must be 32FC1, not {message.encoding!r}')
    picture: FloatMap = to_array(message)
    return picture


def main() -> None:
    """Run depth_node."""
    run_main(DepthNode)


if __name__ == '__main__':
    main()
