"""Subscribes to the running camera as a user's program would."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState, PointCloud2

from sff_ros.core.image import FloatMap, RgbImage
from sff_ros.core.image import Image as ImageArray
from sff_ros.core.metrics import score
from sff_ros.core.sweep.stack import mid_sweep_ns
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.errors import SffError
from sff_ros.middleware.start import start_ros
from sff_ros.nodes.messages import from_cloud, to_array, to_place

_QOS = QoSProfile(depth=15, reliability=ReliabilityPolicy.RELIABLE)
_GRACE_S = 2.0  # after its end, before a sweep without result counts as lost


@dataclass(slots=True)
class Seen:
    """What was received so far.

    Attributes:
        started: sweeps whose last slice arrived: their stamp, ns, and its arrival, s.
        results: stamps of the sweeps with a result, ns.
        latencies_s: last slice -> depth (or slice positions if focus is unknown), between
            arrivals here.
        slices: the images of the newest complete sweep, and focus of each, dpt.
        depth_m, position, confidence, sharp, ground_truth_m, cloud: the newest of each.
        errors: mean absolute error in metres and mean relative error of each sweep.
        valid: share of pixels with a depth, of each sweep.
        diagnostics: the newest values of each node, by node name.
        problems: the newest diagnostics message of each node; empty if OK.
    """

    started: dict[int, float] = field(default_factory=dict)
    results: list[int] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    slices: list[tuple[float, ImageArray]] = field(default_factory=list)
    depth_m: FloatMap | None = None
    position: FloatMap | None = None
    confidence: FloatMap | None = None
    sharp: ImageArray | None = None
    ground_truth_m: FloatMap | None = None
    cloud: PointCloud2 | None = None
    errors: list[tuple[float, float]] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    diagnostics: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def points(self) -> tuple[FloatMap, RgbImage] | None:
        """Return the newest cloud: (H, W, 3) m and (H, W, 3) RGB; None if there is none."""
        return None if self.cloud is None else from_cloud(self.cloud)

    def lost_sweeps(self) -> int:
        """Return how many sweeps after the first result had none.

        Before it, discovery was still in progress; the newest may still be in progress.
        """
        if not self.results:
            return 0
        now, first = time.monotonic(), min(self.results)
        due = {s for s, came in self.started.items() if s > first and now - came > _GRACE_S}
        return len(due - set(self.results))

    def dropped_slices(self) -> int:
        """Return how many slices were missing in the sweeps that inference_node assembled."""
        return int(self.diagnostics.get('inference_node', {}).get('stack_missing_slices', 0))


class Observer(Node):
    """Subscribes to the camera's topics and stores the messages in `seen`."""

    def __init__(self, seen: Seen) -> None:
        super().__init__('sff_observer')
        self.seen = seen
        self._sweep: tuple[float, int | None] = (-1.0, None)
        self._images: dict[int, ImageArray] = {}
        self._focus: dict[int, float] = {}
        self._watch(JointState, 'stack/focus', self._on_focus)
        self._watch(Image, 'focus_map/slice_position', self._on_position)
        self._watch(Image, 'focus_map/confidence', self._on_confidence)
        self._watch(Image, 'all_in_focus/image_rect_color', self._on_sharp)
        self._watch(Image, 'depth/image_rect', self._on_depth)
        self._watch(PointCloud2, 'depth/points', self._on_points)
        self._watch(Image, 'sim/depth/image_rect', self._on_ground_truth)
        self._watch(DiagnosticArray, '/diagnostics', self._on_diagnostics)
        self._slices = self._watch(Image, 'stack/image', self._on_slice)

    def _watch(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> Any:
        def tolerant(message: Any) -> None:
            with contextlib.suppress(SffError):  # malformed: the nodes say so
                callback(message)

        return self.create_subscription(kind, topic, tolerant, _QOS)

    def _on_focus(self, message: JointState) -> None:
        """Record the end of a sweep; keep the images of the previous one."""
        focus_dpt, index, count, sweep = to_place(message)
        stamp = stamp_ns(message.header.stamp)
        if sweep != self._sweep[0]:
            self._keep_slices(count)
            # The start of a sweep in progress when this program joined is unknown.
            self._sweep = (sweep, stamp if index == 0 else None)
            self._focus.clear()
        self._focus[stamp] = focus_dpt
        if index == count - 1 and self._sweep[1] is not None:
            self.seen.started[mid_sweep_ns(self._sweep[1], stamp)] = time.monotonic()

    def _keep_slices(self, count: int) -> None:
        """Keep one whole sweep for the contact sheet, then stop receiving slices."""
        if self._slices is None:
            return
        if len(self._focus) == count and set(self._focus) <= set(self._images):
            self.seen.slices = [
                (focus, self._images[stamp]) for stamp, focus in self._focus.items()
            ]
            self.destroy_subscription(self._slices)
            self._slices = None
        self._images.clear()

    def _on_slice(self, message: Image) -> None:
        self._images[stamp_ns(message.header.stamp)] = to_array(message)

    def _on_result(self, message: Image) -> None:
        stamp = stamp_ns(message.header.stamp)
        self.seen.results.append(stamp)
        if stamp in self.seen.started:
            self.seen.latencies_s.append(time.monotonic() - self.seen.started[stamp])

    def _on_position(self, message: Image) -> None:
        self.seen.position = to_array(message)
        if self._focus and np.isnan(next(iter(self._focus.values()))):
            self._on_result(message)

    def _on_depth(self, message: Image) -> None:
        self._on_result(message)
        depth = to_array(message)
        self.seen.depth_m = depth
        self.seen.valid.append(float(np.isfinite(depth).mean()))
        if self.seen.ground_truth_m is not None and np.isfinite(depth).any():
            scores = score(depth, self.seen.ground_truth_m, bad_threshold=np.inf)
            self.seen.errors.append((scores.mae, scores.abs_rel))

    def _on_confidence(self, message: Image) -> None:
        self.seen.confidence = to_array(message)

    def _on_sharp(self, message: Image) -> None:
        self.seen.sharp = to_array(message)

    def _on_points(self, message: PointCloud2) -> None:
        self.seen.cloud = message

    def _on_ground_truth(self, message: Image) -> None:
        self.seen.ground_truth_m = to_array(message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.partition(':')[0].rpartition('/')[2]
            self.seen.diagnostics[name] = {v.key: v.value for v in status.values}
            self.seen.problems[name] = '' if status.message == 'OK' else status.message


def observe(seen: Seen, go_on: Callable[[], bool]) -> None:
    """Fill `seen` while `go_on`, called after every message, returns true."""
    start_ros()
    observer = Observer(seen)
    try:
        while go_on():
            rclpy.spin_once(observer, timeout_sec=0.1)
    finally:
        observer.destroy_node()
        rclpy.shutdown()
