"""The images of a driver's topic: buffers the newest, returns the first that fits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from sff_ros.cameras.ros_driver.link import LOOK_S, DriverLink, wait_for
from sff_ros.core.image import Image as ImageArray
from sff_ros.core.image import check_image
from sff_ros.core.image_encodings import decode, decompress
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.errors import CameraError, CameraLostError, StackError
from sff_ros.files.camera_info import from_message

KEPT = 8  # images; a sweep takes them as they arrive
INFO_S = 0.5  # without camera_info until a camera counts as uncalibrated
KINDS: dict[str, Any] = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A received image.

    Attributes:
        message: sensor_msgs/Image or CompressedImage.
        arrival_ns: time of arrival, ns on the wall clock.
    """

    message: Any
    arrival_ns: int

    @property
    def stamp_ns(self) -> int:
        """The stamp of its header, ns.

        Raises:
            CameraError: it is malformed.
        """
        try:
            return stamp_ns(self.message.header.stamp)
        except StackError as err:
            raise CameraError(str(err)) from err


class ImageStream:
    """Subscribes to the pictures and intrinsics of a driver.

    Args:
        link: connection to the driver.
        image, camera_info: topics.
        timeout_s: longest wait for a picture.

    Raises:
        CameraError: the topic has no publisher, or is not of images.
    """

    def __init__(self, link: DriverLink, image: str, camera_info: str, timeout_s: float) -> None:
        self.topic = image
        self._link = link
        self._timeout_s = timeout_s
        self._news = threading.Condition()
        self._kept: deque[Received] = deque(maxlen=KEPT)
        self._last_ns = 0
        self._info: CameraInfo | None = None
        publishers = wait_for(lambda: link.publishers(image), timeout_s)
        if not publishers:
            there = link.topics(tuple(KINDS))
            raise CameraLostError(
                f'no publisher of {image}: set ros_driver.image'
                + (f'; topics with images: {", ".join(there)}' if there else '')
            )
        kinds = {info.topic_type for info in publishers}
        if len(kinds) > 1 or not kinds <= KINDS.keys():
            raise CameraError(
                f'{image} carries {", ".join(sorted(kinds))}: set ros_driver.image to a topic of '
                f'{" or ".join(KINDS)}'
            )
        self._senders = self._seen_senders()
        link.subscribe(CameraInfo, camera_info, self._on_info)
        link.subscribe(KINDS[kinds.pop()], image, self._on_image)

    @property
    def is_same_driver(self) -> bool:
        """Whether the publisher is still the driver that was prepared."""
        return self._seen_senders() == self._senders

    def take(self, fits: Callable[[Received], bool], wait_s: float = 0.0) -> Received:
        """Block until an image fits, and drop those before it; none is returned twice.

        Args:
            fits: called for each image in turn; its exceptions propagate.
            wait_s: time before which none can fit.

        Raises:
            CameraError: none fit in time.
            CameraLostError: the driver is gone, was restarted, or is silent.
        """
        end = time.monotonic() + max(wait_s, 0.0) + self._timeout_s
        while True:
            self._check_sender()
            with self._news:
                self._news.wait_for(lambda: self._kept, LOOK_S)
                waiting = [self._kept.popleft() for _ in range(len(self._kept))]
                for k, received in enumerate(waiting):
                    if fits(received):
                        self._kept.extendleft(reversed(waiting[k + 1 :]))
                        return received
            if time.monotonic() > end:
                raise self._overdue()

    def flush(self) -> None:
        """Drop all images received so far."""
        with self._news:
            self._kept.clear()

    def intrinsics(self) -> Intrinsics | None:
        """Return the driver's intrinsics; None if the camera is not calibrated.

        Raises:
            CalibrationError: its camera_info is invalid.
        """
        info = wait_for(lambda: self._info, INFO_S)
        return from_message(info) if info is not None and info.k[0] != 0 else None

    def decoded(self, received: Received) -> ImageArray:
        """Return the pixels of a picture, (H, W) or (H, W, 3) RGB.

        Raises:
            CameraError: it is damaged, or its encoding is unknown.
        """
        message = received.message
        try:
            if isinstance(message, CompressedImage):
                pixels = decompress(message.data, message.format)
            else:
                pixels = decode(message)
            check_image(pixels)
        except StackError as err:
            raise CameraError(f'{self.topic}: {err}') from err
        return pixels

    def _on_image(self, message: Any) -> None:
        with self._news:
            self._last_ns = time.time_ns()
            self._kept.append(Received(message, self._last_ns))
            self._news.notify()

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _seen_senders(self) -> set[bytes]:
        return {bytes(info.endpoint_gid) for info in self._link.publishers(self.topic)}

    def _check_sender(self) -> None:
        if not self.is_same_driver:
            raise CameraLostError(f'{self.topic} is no longer published: the driver is gone')

    def _overdue(self) -> CameraError:
        silent_s = (time.time_ns() - self._last_ns) * 1e-9
        if silent_s > self._timeout_s:
            return CameraLostError(
                f'no image on {self.topic} for {self._timeout_s:g} s: is the driver running, '
                'and does it stream?'
            )
        return CameraError(
            f'images arrive on {self.topic}, but none was exposed late enough within '
            f'{self._timeout_s:g} s'
        )
