"""Sweeps the lens and publishes the stack, slice by slice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, JointState
from sensor_msgs.srv import SetCameraInfo
from std_srvs.srv import Trigger

from sff_ros.cameras.open import open_camera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.reach import knows_focus
from sff_ros.config.nodes import CaptureConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stack import Slice, mid_sweep_ns
from sff_ros.errors import CalibrationError, SffError
from sff_ros.files.atomic_folder import free_folder
from sff_ros.files.home import expanded
from sff_ros.files.stack import write_stack
from sff_ros.files.unfinished import drop_leftovers
from sff_ros.nodes.camera_info_url import check_size, load_intrinsics, save_intrinsics
from sff_ros.nodes.diagnostics import ERROR, WARN, Diagnostics, Report
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.lifecycle import ManagedNode, offer, transition, withdraw
from sff_ros.nodes.lifecycle import main as run_main
from sff_ros.nodes.messages import (
    header_of,
    slice_encoding,
    to_camera_info,
    to_focus,
    to_image,
    to_intrinsics,
)
from sff_ros.nodes.parameters import NodeParameters
from sff_ros.nodes.sweeper import Sweeper

_STACK = {'stack/image': Image, 'stack/camera_info': CameraInfo, 'stack/focus': JointState}
_GROUND_TRUTH = {'sim/depth/image_rect': Image, 'sim/depth/camera_info': CameraInfo}


class CaptureNode(ManagedNode):
    """Lifecycle node `capture_node`: camera -> stack/*."""

    def __init__(self) -> None:
        super().__init__('capture_node')
        self._settings = NodeParameters(self, CaptureConfig, self._check_sweep)
        self._diagnostics = Diagnostics(self, self._config.camera, self._report)
        self._out: dict[str, Publisher[Any]] = {}
        self._intrinsics: Intrinsics | None = None
        self._last_sweep: tuple[Slice, ...] = ()
        self._stacks = Path()
        self._sweeper = Sweeper(
            opener=lambda: open_camera(self._config),
            config=lambda: self._config,
            on_slice=self._publish_slice,
            on_sweep=self._finish_sweep,
            statistics=self._diagnostics.statistics,
            log=self._log_trouble,
            is_heard=lambda: all(self._out[name].get_subscription_count() for name in _STACK),
        )
        self.create_service(Trigger, '~/trigger', self._on_trigger)
        self.create_service(Trigger, '~/save_stack', self._on_save_stack)
        self.create_service(SetCameraInfo, 'set_camera_info', self._on_set_camera_info)

    @property
    def _config(self) -> CaptureConfig:
        return self._settings.config

    def _check_sweep(self, config: CaptureConfig) -> None:
        """Refuse a new sweep that would be refused at configure, as long as a camera is open."""
        camera = self._sweeper.camera  # read once: its thread may close it at any time
        if camera is not None and config.sweep != self._config.sweep:
            plan_sweep(config.sweep, camera)

    def _log_trouble(self, text: str) -> None:
        self.get_logger().warning(text)

    @transition
    def on_configure(self) -> None:
        """Open the camera; check that sweep and calibration fit it."""
        self._stacks = expanded(self._config.save_directory)
        drop_leftovers(self._stacks)
        # Before the camera, so that subscribers are found while it opens.
        self._out = offer(self, _STACK)
        try:
            camera = self._sweeper.open()
            self._intrinsics = self._find_intrinsics(camera.intrinsics)
            if camera.ground_truth_m is not None:
                self._out |= offer(self, _GROUND_TRUTH)
        except Exception:
            self._sweeper.close()
            withdraw(self, self._out)
            raise
        self._settings.locked = True
        self._diagnostics.hardware_id = self._config.camera
        if not self._intrinsics.is_calibrated:
            self._log_trouble('intrinsics unknown: no points')
        self.get_logger().info(f'camera {self._config.camera}: {self._config.sweep}')

    def start(self) -> None:
        """Start sweeping."""
        self._sweeper.start()

    def stop(self) -> None:
        """Stop after the current frame."""
        self._sweeper.stop()

    def release(self) -> None:
        """Release the camera."""
        self._sweeper.close()
        withdraw(self, self._out)
        self._last_sweep = ()
        self._settings.locked = False

    def _find_intrinsics(self, own: Intrinsics) -> Intrinsics:
        """Return the calibration file's intrinsics, or the camera's own if none is configured."""
        url = self._config.camera_info_url
        return load_intrinsics(url, (own.width, own.height)) if url else own

    @property
    def _frame_id(self) -> str:
        return self._config.frame_prefix + self._config.frame_id

    def _publish_slice(self, slice_: Slice) -> None:
        """Publish one slice; the image last, so that its metadata arrive first."""
        assert self._intrinsics is not None
        header = header_of(stamp_of(slice_.stamp_ns), self._frame_id)
        publishers = self._out
        publishers['stack/focus'].publish(to_focus(slice_, header))
        info = to_camera_info(self._intrinsics, header, slice_.lens.warp)
        publishers['stack/camera_info'].publish(info)
        image = to_image(slice_.image, slice_encoding(slice_.image), header)
        publishers['stack/image'].publish(image)
        age_s = (time.time_ns() - slice_.stamp_ns) * 1e-9
        self._diagnostics.statistics.latency('exposure_to_published', age_s)

    def _finish_sweep(self, slices: tuple[Slice, ...]) -> None:
        self._last_sweep = slices
        camera = self._sweeper.camera
        depth_m = None if camera is None else camera.ground_truth_m
        if depth_m is None or self._intrinsics is None:
            return
        stamp = stamp_of(mid_sweep_ns(slices[0].stamp_ns, slices[-1].stamp_ns))
        header = header_of(stamp, self._frame_id)
        info = to_camera_info(self._intrinsics.rectified(), header)
        self._out['sim/depth/camera_info'].publish(info)
        self._out['sim/depth/image_rect'].publish(to_image(depth_m, '32FC1', header))

    def _on_trigger(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Start one sweep."""
        if self._config.mode != 'triggered':
            response.message = "mode is 'continuous': set it to 'triggered' first"
        elif not self._sweeper.ask():
            response.message = self._sweeper.problem or 'not active: activate the node first'
        else:
            response.success, response.message = True, 'sweep started'
        return response

    def _on_save_stack(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Write the last sweep to a folder for the folder camera and `sff depth`."""
        slices = self._last_sweep
        if not slices or self._intrinsics is None:
            response.message = 'no sweep has been taken yet'
            return response
        taken = time.strftime('%Y%m%d_%H%M%S', time.localtime(slices[0].stamp_ns * 1e-9))
        camera = self.get_namespace().strip('/').replace('/', '_')
        name = '_'.join(filter(None, ('stack', camera, taken, f'{slices[0].sweep:06d}')))
        folder = self._stacks / name
        try:
            self._stacks.mkdir(parents=True, exist_ok=True)
            folder = free_folder(folder)
            write_stack(folder, slices, self._intrinsics)
            response.success, response.message = True, str(folder)
        except (OSError, SffError) as err:
            response.message = f'{folder} could not be written: {err}'
        return response

    def _on_set_camera_info(
        self, request: SetCameraInfo.Request, response: SetCameraInfo.Response
    ) -> SetCameraInfo.Response:
        """Apply and save a calibration, as sent by camera_calibration's COMMIT."""
        try:
            if self._intrinsics is None:
                raise CalibrationError('configure the node first: the camera is not open')
            received = to_intrinsics(request.camera_info)
            size = (self._intrinsics.width, self._intrinsics.height)
            check_size(received, size, 'camera_info')
            if not self._config.camera_info_url:
                raise CalibrationError('camera_info_url is empty: set it to save a calibration')
            save_intrinsics(self._config.camera_info_url, received, self._config.camera)
            self._intrinsics = received
            response.success, response.status_message = True, self._config.camera_info_url
        except SffError as err:
            response.status_message = str(err)
        return response

    def _report(self, report: Report) -> None:
        """Report the state of the camera."""
        report.values['camera'] = self._config.camera
        report.values['calibrated'] = str(
            bool(self._intrinsics and self._intrinsics.is_calibrated)
        )
        if self._sweeper.problem:
            report.add(ERROR, self._sweeper.problem)
        if self._intrinsics is not None and not self._intrinsics.is_calibrated:
            url = self._config.camera_info_url
            why = f'{url} contains no calibration yet' if url else 'camera_info_url is empty'
            report.add(WARN, f'intrinsics unknown, so no points: {why}')
        camera = self._sweeper.camera  # read once: its thread may close it at any time
        if camera is None:
            return
        report.values['lens'] = camera.calibration_status
        if not knows_focus(camera.reach):
            report.add(WARN, 'focus distances unknown: slice positions only, no metric depth')
        elif camera.calibration_status != 'calibrated':
            report.add(
                WARN,
                'lens approximate: metres are based on nominal values of its maker, or on a '
                'calibration of large residual (`sff calibrate lens` measures it)',
            )


def main() -> None:
    """Run capture_node."""
    run_main(CaptureNode)


if __name__ == '__main__':
    main()
