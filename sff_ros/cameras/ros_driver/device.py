"""A camera owned by a running ROS driver: its images, and its parameter that moves the lens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rclpy.parameter import Parameter

from sff_ros.cameras.lens_device import CodeRange, Frame
from sff_ros.cameras.ros_driver.exposure_times import Exposure, exposure_of, period_of
from sff_ros.cameras.ros_driver.lens import lens_codes, nominal_table
from sff_ros.cameras.ros_driver.link import DriverLink
from sff_ros.cameras.ros_driver.parameters import DriverParameters, plain
from sff_ros.cameras.ros_driver.settings import parse_settings
from sff_ros.cameras.ros_driver.stream import ImageStream, Received
from sff_ros.config.cameras import RosDriverConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.errors import CalibrationError, CameraError, CameraLostError, ConfigError

TAKEN_BY = 2  # frames after a call by which the camera has what was set
LOST_S = 0.3  # wait for a driver that is lost, and probably dead
MEASURED = 7  # frames from which the frame rate is measured


class RosDriverDevice:
    """A driver's camera, prepared for sweeps; implements LensDevice.

    Args:
        config: names of the driver, its topics and parameters.

    Raises:
        ConfigError: a name is missing, or `prepare` cannot be read.
        CameraError: the driver is missing, sends no usable images, or refuses a setting.
        CalibrationError: its camera_info is invalid.
    """

    def __init__(self, config: RosDriverConfig) -> None:
        for name in ('node', 'image', 'focus'):
            if not getattr(config, name):
                raise ConfigError(
                    f'ros_driver.{name} is empty: set it, or take a preset of config/cameras'
                )
        settings = parse_settings(config.prepare)
        node, image = absolute(config.node), absolute(config.image)
        info = absolute(config.camera_info) if config.camera_info else info_beside(image)
        self._config = config
        self._is_open = True
        self._is_lost = False
        self._link = link = DriverLink()
        try:
            self._driver = DriverParameters(link, node, config.timeout_s)
            self._number, self._codes = lens_codes(self._driver, config)
            self._nominal = nominal_table(self._codes, config)
            self._identity = identity_of(self._driver, config)
            self._stream = ImageStream(link, image, info, config.timeout_s)
            self._driver.is_gone = lambda: not self._stream.is_same_driver
        except BaseException:
            link.close()
            raise
        try:
            self._driver.prepare(settings)
            self._driver.remember(config.focus)
            # Before anything else is set: see DriverParameters.set.
            self._stream.flush()
            for _ in range(TAKEN_BY):
                self._stream.take(lambda _: True)
            self._driver.check_prepared()
            self._period_ns = self._measure_period()
            self._intrinsics = self._find_intrinsics()
        except BaseException:
            self.close()
            raise

    @property
    def identity(self) -> str:
        """From the config, else the node name and the value of its identity parameter."""
        return self._identity

    @property
    def codes(self) -> CodeRange:
        """From the config, else from the driver's declaration of its parameter."""
        return self._codes

    @property
    def intrinsics(self) -> Intrinsics:
        """From camera_info; only the image size if there is none."""
        return self._intrinsics

    @property
    def period_ns(self) -> int:
        """Frame period: from the config, else measured from stamps."""
        return self._period_ns

    @property
    def nominal(self) -> LensCalibration | None:
        """Codes -> dioptres from the config; None if unspecified."""
        if self._nominal is None:
            return None
        return LensCalibration(self._nominal, self.intrinsics)

    def now_ns(self) -> int:
        """Return the time on the wall clock, which drivers stamp with."""
        return time.time_ns()

    def move(self, code: float) -> None:
        """Set the driver's focus parameter; return when the driver has responded.

        Raises:
            CameraError: the driver refuses, with its reason, or this is closed.
            CameraLostError: the driver is gone or does not respond.
        """
        self._check_open()
        value = round(code) if self._number is int else float(code)
        with self._noting_loss():
            self._driver.set(Parameter(self._config.focus, value=value).to_parameter_msg())

    def frame(self, not_before_ns: int) -> Frame:
        """Block until the first image whose exposure certainly began at that time or later.

        Raises:
            CameraError: none arrived in time, it is damaged, its stamp is unusable, or this is
                closed.
            CameraLostError: the driver is gone, was restarted, or is silent.
        """
        self._check_open()
        with self._noting_loss():
            received = self._stream.take(
                lambda received: self._exposure(received).start_ns >= not_before_ns,
                (not_before_ns - self.now_ns()) * 1e-9,
            )
        image = self._stream.decoded(received)
        height, width = image.shape[:2]
        if (width, height) != (self._intrinsics.width, self._intrinsics.height):
            raise CameraError(
                f'{self._stream.topic} is {width}x{height} now and was {self._intrinsics.width}x'
                f'{self._intrinsics.height}: clean capture_node up and configure it again'
            )
        exposure = self._exposure(received)
        return Frame(image, exposure.start_ns, exposure.duration_ns, exposure.middle_ns)

    def close(self) -> None:
        """Restore the driver's parameters and disconnect; idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        if self._stream.is_same_driver:  # leave a restarted one as its user set it
            self._driver.restore(LOST_S if self._is_lost else self._config.timeout_s)
        self._link.close()

    @contextlib.contextmanager
    def _noting_loss(self) -> Iterator[None]:
        """Remember that the driver was lost, so that `close` does not wait for it in vain."""
        try:
            yield
        except CameraLostError:
            self._is_lost = True
            raise

    def _check_open(self) -> None:
        if not self._is_open:
            raise CameraError('the camera is closed')

    def _exposure(self, received: Received) -> Exposure:
        try:
            return exposure_of(
                received.stamp_ns, received.arrival_ns, self._config.stamps, self._period_ns
            )
        except CameraError as err:
            raise CameraError(f'{self._stream.topic}: {err}') from err

    def _measure_period(self) -> int:
        """Return the time from frame to frame, ns."""
        if self._config.frame_rate:
            return round(1e9 / self._config.frame_rate)
        self._stream.flush()
        received = [self._stream.take(lambda _: True) for _ in range(MEASURED)]
        try:
            stamps = [one.stamp_ns for one in received]
            # Zeros are reported where they are used.
            return 0 if 0 in stamps else period_of(stamps)
        except CameraError as err:
            raise CameraError(f'{self._stream.topic}: {err}') from err

    def _find_intrinsics(self) -> Intrinsics:
        """Return the driver's intrinsics; check that they match the size of its images."""
        received = self._stream.take(lambda received: self._exposure(received).duration_ns > 0)
        image = self._stream.decoded(received)
        height, width = image.shape[:2]
        known = self._stream.intrinsics() or Intrinsics(width, height)
        if (known.width, known.height) != (width, height):
            raise CalibrationError(
                f'camera_info is for {known.width}x{known.height}, {self._stream.topic} is '
                f'{width}x{height}: calibrate the driver at this size'
            )
        return known


def absolute(name: str) -> str:
    """Return a graph name with its leading slash."""
    return '/' + name.strip('/')


def info_beside(image: str) -> str:
    """Return the camera_info topic that image_transport pairs with an image topic."""
    return image.removesuffix('/compressed').rpartition('/')[0] + '/camera_info'


def identity_of(driver: DriverParameters, config: RosDriverConfig) -> str:
    """Return what distinguishes the camera from others."""
    name = config.identity or driver.node
    if not config.identity_parameter:
        return name
    return f'{name}:{plain(driver.get(config.identity_parameter))}'
