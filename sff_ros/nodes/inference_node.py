"""Computes a focus map from the slices of a sweep as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from sff_ros.config.nodes import InferenceConfig
from sff_ros.core.alignment.aligner import as_alignment
from sff_ros.core.image import FloatMap, Warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.blank import BlankSlice
from sff_ros.depth_pipeline import DepthPipeline
from sff_ros.errors import SffError, StackError
from sff_ros.inference.choice import Choice, choose_backend, open_standby
from sff_ros.inference.warm_up import BackgroundBackend, in_background
from sff_ros.nodes.diagnostics import WARN, Diagnostics, Report, text_of
from sff_ros.nodes.exact_sync import StampMatcher, stamp_of
from sff_ros.nodes.lifecycle import QOS, ManagedNode, offer, transition, withdraw
from sff_ros.nodes.lifecycle import main as run_main
from sff_ros.nodes.messages import (
    header_of,
    slice_encoding,
    to_breathing,
    to_camera_info,
    to_image,
    to_slice,
)
from sff_ros.nodes.motion_report import Moved, report_motion
from sff_ros.nodes.parameters import NodeParameters
from sff_ros.nodes.watched_inputs import WatchedInputs
from sff_ros.nodes.worker import Worker
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

_INPUTS = {'stack/image': Image, 'stack/camera_info': CameraInfo, 'stack/focus': JointState}
_OUTPUTS = {
    'focus_map/image': Image,
    'focus_map/confidence': Image,
    'focus_map/standard_deviation': Image,
    'focus_map/slice_position': Image,
    'all_in_focus/camera_info': CameraInfo,
    'all_in_focus/image_rect_color': Image,
}
_CAPACITY = 64  # slices in the queue: a few sweeps, while a backend starts
_WARN_EVERY_S = 5.0

Parts = tuple[Image, CameraInfo, JointState, float]


class InferenceNode(ManagedNode):
    """Lifecycle node `inference_node`: stack/* -> focus_map/*, all_in_focus/*."""

    def __init__(self) -> None:
        super().__init__('inference_node')
        self._settings = NodeParameters(self, InferenceConfig)
        self._diagnostics = Diagnostics(self, 'none', self._report)
        self._statistics = self._diagnostics.statistics
        self._inputs = WatchedInputs(self, QOS)
        self._matcher = StampMatcher(tuple(_INPUTS), capacity=30)
        self._out: dict[str, Publisher[Any]] = {}
        self._pipeline: ShapeFromFocus | None = None
        self._choice: Choice | None = None
        self._reloaded: Choice | None = None
        self._worker: Worker[Parts] | None = None
        self._depth = DepthPipeline()
        self._focus_known = True
        self._doubt = ''
        self._moved: Moved | None = None
        self.create_service(Trigger, '~/reload_model', self._on_reload)

    @property
    def _config(self) -> InferenceConfig:
        return self._settings.config

    @transition
    def on_configure(self) -> None:
        """Load the backend."""
        choice = self._choose()
        self._pipeline = ShapeFromFocus(choice.backend, self._on_blank)
        self._use(choice)
        self._out = offer(self, _OUTPUTS)
        self._settings.locked = True

    def start(self) -> None:
        """Subscribe."""
        self._worker = Worker('inference', self._process, self._on_error, _CAPACITY)
        for topic, kind in _INPUTS.items():
            self._inputs.subscribe(kind, topic, partial(self._on_part, topic))

    def _choose(self) -> Choice:
        """Load the backend; while its engine is built, a slower one runs."""
        config = self._config
        choice = choose_backend(config.backend, config.model)
        standby = partial(open_standby, config.model)
        backend = in_background(choice.backend, standby, self.get_logger().info)
        return replace(choice, backend=backend)

    def _use(self, choice: Choice) -> None:
        """Record and log the backend in use, and why."""
        self._choice = choice
        self._diagnostics.hardware_id = choice.backend.spec.name
        self.get_logger().info(f'backend: {choice}')

    def stop(self) -> None:
        """Unsubscribe; discard the current sweep."""
        self._inputs.close()
        self._matcher.clear()
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        if self._pipeline is not None:
            self._pipeline.reset()

    def release(self) -> None:
        """Release the backend."""
        withdraw(self, self._out)
        self._pipeline = self._choice = self._reloaded = None
        self._settings.locked = False

    def _on_part(self, topic: str, message: Any) -> None:
        """Match the three messages of a slice and queue them for the worker."""
        parts = self._matcher.add(topic, message.header.stamp, message)
        if parts is None or self._worker is None:
            return
        self._statistics.count('slices')
        if not self._worker.submit((*parts, time.monotonic())):
            self._statistics.count('overrun_slices')

    def _process(self, parts: Parts) -> None:
        """Process one slice; publish if it ends a sweep. Runs in the worker."""
        image, info, focus, arrived = parts
        pipeline, config = self._pipeline, self._config
        assert pipeline is not None
        camera, warp = _camera_of(image, info)
        slice_ = to_slice(image, focus, warp)
        if self._reloaded is not None:
            reloaded, self._reloaded = self._reloaded, None
            pipeline.use(reloaded.backend)
            self._use(reloaded)
        align = as_alignment(config.align)
        setup = SweepSetup(camera, image.header.frame_id, align, config.max_missing)
        dropped = pipeline.counts['dropped_sweeps']
        focus_map = pipeline.add(slice_, setup)
        if pipeline.counts['dropped_sweeps'] > dropped:
            self._warn(f'a sweep lacks over {config.max_missing} of its slices and is dropped')
        if focus_map is not None:
            self._publish(focus_map, arrived)

    def _publish(self, result: FocusMap, arrived: float) -> None:
        """Publish one sweep's outputs; those for depth first, the image last."""
        header = header_of(stamp_of(result.stack.stamp_ns), result.setup.frame_id)
        maps = self._depth.rectify(result)
        self._out['all_in_focus/camera_info'].publish(to_camera_info(maps.camera, header))
        confidence = to_image(maps.confidence(), '32FC1', header)
        self._out['focus_map/confidence'].publish(confidence)
        dioptres = maps.dioptres()
        self._focus_known = dioptres is not None
        if dioptres is not None:
            self._out['focus_map/image'].publish(to_image(dioptres, '32FC1', header))
            self._statistics.latency('last_slice_to_focus_map', time.monotonic() - arrived)
        self._doubt = result.estimate.doubt
        self._moved = Moved(
            result.alignment.method, result.camera_px, result.moving, result.alignment.dropped
        )
        self._publish_if_wanted('focus_map/standard_deviation', maps.deviation_dpt, header)
        self._publish_if_wanted('focus_map/slice_position', maps.position, header)
        image = maps.all_in_focus()
        message = to_image(image, slice_encoding(image), header)
        self._out['all_in_focus/image_rect_color'].publish(message)
        self._statistics.count('sweeps')

    def _publish_if_wanted(
        self, topic: str, make: Callable[[], FloatMap | None], header: Header
    ) -> None:
        """Make and publish a map if somebody subscribes to it, and it can be known."""
        if self._out[topic].get_subscription_count():
            values = make()
            if values is not None:
                self._out[topic].publish(to_image(values, '32FC1', header))

    def _on_blank(self, blank: BlankSlice, sweep: int) -> None:
        """Name a slice without an image; counted as stack_blank_slices."""
        self._warn(f'{blank} (sweep {sweep}) and left out: check the light and the driver')

    def _on_error(self, err: Exception) -> None:
        """Count a rejected slice or a failure of the backend; the node continues."""
        self._statistics.count('refused_slices' if isinstance(err, StackError) else 'failures')
        self._warn(text_of(err))

    def _warn(self, text: str) -> None:
        """Show a warning in diagnostics for a while, and log it once in a while."""
        self._statistics.warn(text)
        self.get_logger().warning(text, throttle_duration_sec=_WARN_EVERY_S)

    def _on_reload(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Reload the backend; the old one runs until the new one is ready."""
        if self._pipeline is None:
            response.message = 'not configured: configure the node first'
            return response
        try:
            reloaded = self._choose()
            self._reloaded = reloaded
            response.success, response.message = True, str(reloaded)
        except SffError as err:
            response.message = str(err)
        return response

    def _report(self, report: Report) -> None:
        """Report inputs, backend and counts."""
        self._inputs.report(report, self._config.watchdog_s)
        report.values['unmatched_slices'] = str(self._matcher.unmatched)
        if self._matcher.last_gap:
            report.values['last_unmatched_lacked'] = ', '.join(self._matcher.last_gap)
        if self._pipeline is not None:
            backend = self._pipeline.backend
            report.values['backend'] = backend.spec.name
            if isinstance(backend, BackgroundBackend):
                state = backend.state
                report.values['engine'] = str(state)
                if state.stage == 'failed':
                    report.add(WARN, f'engine {state}')
            if self._choice is not None and self._choice.refused:
                report.values['backends_refused'] = '; '.join(self._choice.refused)
            for name, value in dict(self._pipeline.counts).items():
                report.values[f'stack_{name}'] = str(value)
        if self._worker is not None:
            report.values['backlog'] = str(self._worker.backlog)
        self._report_sweep(report)

    def _report_sweep(self, report: Report) -> None:
        """Report what was found of the last sweep."""
        if self._moved is not None:
            report_motion(self._moved, report)
        if self._doubt:
            report.add(WARN, self._doubt)
        if not self._focus_known:
            report.add(WARN, 'focus distances unknown: no focus_map/image, slice positions only')


def _camera_of(image: Image, info: CameraInfo) -> tuple[Intrinsics, Warp | None]:
    """Return the reference camera of an image, and its breathing.

    Raises:
        StackError: the two messages differ in size, or the camera is invalid.
    """
    if (image.width, image.height) != (info.width, info.height):
        raise StackError(
            f'stack/camera_info is for {info.width}x{info.height}, stack/image is '
            f'{image.width}x{image.height}'
        )
    try:
        return to_breathing(info)
    except SffError as err:
        raise StackError(f'stack/camera_info: {err}') from err


def main() -> None:
    """Run inference_node."""
    run_main(InferenceNode)


if __name__ == '__main__':
    main()
