"""An emulated ROS camera driver: a node with images, and parameters that move a lens.

Each image is of one grey level, that of the lens code it was exposed at; where the lens moved
during the exposure it is MOVING. As a program it plays v4l2_camera until it is killed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from live_graph import Spinner
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.messages import to_camera_info, to_image

MOVING = 255
EXPOSED = 0.6  # of a period; the rest is reading out
WIDTH, HEIGHT = 48, 32


@dataclass(frozen=True)
class Played:
    """The driver to emulate.

    Attributes:
        focus: its parameter of the lens.
        low, high, step: the range that it declares; None: none.
        level: grey levels a code.
        others: its other parameters.
        late: how much later than a period after its start every other image arrives, periods.
        stamps: 'start', 'end' or 'arrival', 'zero', 'boot' or 'malformed'.
        compressed: send JPEG... as a lossless PNG.
        calibrated: None: no camera_info at all.
        deaf: codes that it refuses although they are in its range.
        forgetful: parameters reach the camera with the next frame, and a call before it replaces
            what earlier calls set, as in camera_ros 0.7.0 (ParameterHandler::PostSetApply).
        fixed: parameters that it accepts and sets back by the next frame.
    """

    node: str = 'v4l2_camera'
    image: str = 'image_raw'
    focus: str = 'focus_absolute'
    low: float | None = 0
    high: float = 250
    step: float = 5
    level: float = 1
    others: dict[str, Any] = field(
        default_factory=lambda: {
            'focus_automatic_continuous': True,
            'auto_exposure': 3,
            'video_device': '/dev/video0',
        }
    )
    rate: float = 100.0
    settle_s: float = 0.015
    late: float = 0.0
    stamps: str = 'arrival'
    reliable: bool = True
    compressed: bool = False
    calibrated: bool | None = True
    deaf: tuple[float, ...] = ()
    forgetful: bool = False
    fixed: tuple[str, ...] = ()


class PlayedDriver:
    """Plays a driver from its making to `close`, in a context of its own."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.asked: list[float] = []  # every code, in turn
        self.camera: dict[str, Any] = dict(played.others)  # what the camera itself has
        self.pending: dict[str, Any] = {}  # what it has from the next frame on
        self._taking = threading.Lock()
        self._moves: list[tuple[int, float]] = [(0, 0.0)]
        self._context = Context()
        self._context.init(args=[])
        self.node = Node(played.node, context=self._context, use_global_arguments=False)
        self._declare()
        kind: Any = CompressedImage if played.compressed else Image
        reliability = (
            ReliabilityPolicy.RELIABLE if played.reliable else ReliabilityPolicy.BEST_EFFORT
        )
        self._images = self.node.create_publisher(
            kind, played.image, QoSProfile(depth=5, reliability=reliability)
        )
        self._infos = self.node.create_publisher(
            CameraInfo, f'{played.image.rpartition("image_raw")[0]}camera_info', 5
        )
        self._stopping = threading.Event()
        self._spinner = Spinner([self.node], self._context)
        self._thread = threading.Thread(target=self._film, daemon=True)
        self._thread.start()

    def value(self, name: str) -> Any:
        """Return a parameter as it is now."""
        return self.node.get_parameter(name).value

    def fall_silent(self) -> None:
        """Stay in the graph without image or answer, as a killed process does for a while."""
        self._stopping.set()
        self._thread.join()
        self._error = self._spinner.stop()

    def close(self) -> None:
        """Leave the graph."""
        if not self._stopping.is_set():
            self.fall_silent()
        error = self._error
        self.node.destroy_node()
        self._context.shutdown()
        assert error is None, error

    def _declare(self) -> None:
        p = self.played
        number: Any = type(p.step)
        described = ParameterDescriptor()
        if p.low is not None and number is int:
            described.integer_range = [
                IntegerRange(from_value=int(p.low), to_value=int(p.high), step=int(p.step))
            ]
        elif p.low is not None:
            described.floating_point_range = [
                FloatingPointRange(from_value=p.low, to_value=p.high, step=p.step)
            ]
        self.node.declare_parameter(p.focus, number(p.low or 0), described)
        for name, value in p.others.items():
            self.node.declare_parameter(name, value)
        self.node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == self.played.focus and parameter.value in self.played.deaf:
                return SetParametersResult(successful=False, reason='the lens is stuck')
        with self._taking:
            self.pending = {parameter.name: parameter.value for parameter in parameters}
            if not self.played.forgetful:
                self._take()
        return SetParametersResult(successful=True)

    def _set_back(self) -> None:
        for name in self.played.fixed:
            old = Parameter(name, value=self.played.others[name])
            if self.value(name) != old.value:
                self.node.set_parameters([old])

    def _take(self) -> None:
        """Give the camera what was set; its lens moves unless its autofocus is on."""
        self.camera |= self.pending
        code = self.pending.get(self.played.focus)
        self.pending = {}
        if code is not None and self.camera.get('AfMode', 0) == 0:
            self.asked.append(code)
            self._moves.append((time.time_ns(), code))

    def _film(self) -> None:
        """Expose, read out and send, image after image, on an even grid."""
        period_ns = round(1e9 / self.played.rate)
        start_ns, is_late = time.time_ns(), False
        while not self._stopping.is_set():
            late = max(time.time_ns() - start_ns - period_ns, 0) // period_ns
            start_ns += (late + 1) * period_ns
            end_ns = start_ns + round(EXPOSED * period_ns)
            with self._taking:
                self._take()
            self._set_back()
            is_late = not is_late
            arrives_ns = start_ns + round(period_ns * (1 + self.played.late * is_late))
            while (left_ns := arrives_ns - time.time_ns()) > 0:
                time.sleep(left_ns * 1e-9)
                if self._stopping.is_set():
                    return
            arrival_ns = time.time_ns()
            if arrival_ns > start_ns + 2 * period_ns:
                continue  # a busy machine; stamped on arrival it would pass for a later image
            self._send(self._seen(start_ns, end_ns), start_ns, end_ns, arrival_ns)

    def _seen(self, start_ns: int, end_ns: int) -> int:
        """Return the grey level of what was exposed; the lens jumps when it has settled."""
        moves, settle_ns = list(self._moves), round(self.played.settle_s * 1e9)
        commanded_ns, code = [m for m in moves if m[0] <= end_ns][-1]
        return MOVING if commanded_ns + settle_ns > start_ns else round(code * self.played.level)

    def _send(self, level: int, start_ns: int, end_ns: int, arrival_ns: int) -> None:
        stamp_ns = {
            'start': start_ns,
            'end': end_ns,
            'arrival': arrival_ns,
            'zero': 0,
            'boot': time.monotonic_ns(),
            'malformed': arrival_ns - 10**9,
        }[self.played.stamps]
        header = Header(stamp=stamp_of(stamp_ns), frame_id='camera')
        if self.played.stamps == 'malformed':
            header.stamp.nanosec += 10**9
        image = np.full((HEIGHT, WIDTH), level, np.uint8)
        if self.played.calibrated is not None:
            known = Intrinsics(WIDTH, HEIGHT, 40.0, 41.0, 23.5, 15.5)
            info = known if self.played.calibrated else Intrinsics(WIDTH, HEIGHT)
            self._infos.publish(to_camera_info(info, header))
        if self.played.compressed:
            data = cv2.imencode('.png', image)[1].tobytes()
            self._images.publish(CompressedImage(header=header, format='png', data=data))
        else:
            self._images.publish(to_image(image, 'mono8', header))


# As camera_ros names it: dioptres, 20 grey levels each.
CAMERA_ROS = replace(
    Played(),
    node='camera',
    image='camera/image_raw',
    focus='LensPosition',
    low=0.0,
    high=10.0,
    step=0.0,
    level=20,
    others={'AfMode': 2, 'AeEnable': True},
)


if __name__ == '__main__':
    PlayedDriver(Played())
    threading.Event().wait()
