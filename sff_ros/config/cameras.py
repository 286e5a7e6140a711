"""The parameters of lenses and cameras: groups of those of capture_node."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.config.schema import Checked, param
from sff_ros.errors import ConfigError

# Bayer patterns by their first two rows' first two pixels; 10: ten bits a pixel.
PIXEL_FORMATS = (
    *('YUYV', 'NV12', 'RGGB10', 'GRBG10', 'GBRG10', 'BGGR10'),
    *('RGGB', 'GRBG', 'GBRG', 'BGGR', 'GREY', 'MJPG'),
)


@dataclass(frozen=True, slots=True)
class LensConfig(Checked):
    """The lens of a real camera, in addition to its calibration."""

    file: str = param(
        '', 'Calibration of the lens, written by `sff calibrate`; empty: not calibrated.'
    )
    settle_s: float = param(
        0.0, 'Wait after a move; 0: as calibrated, or 0.17 s (five frames at 30 Hz) if not '
        'measured.', unit='s', span=(0, 5),
    )  # fmt: skip
    focal_mm: float = param(0.0, 'Focal length; 0: unknown.', unit='mm', span=(0, 1000))
    fnumber: float = param(0.0, 'F-number; 0: unknown.', span=(0, 64))
    pitch_um: float = param(
        0.0, 'Pixel pitch at the image size in use; 0: unknown.', unit='um', span=(0, 100)
    )


@dataclass(frozen=True, slots=True)
class SimulatedConfig(Checked):
    """The simulated camera: a thin lens in front of a procedural scene of known depth."""

    width: int = param(640, 'Image width.', unit='px', span=(64, 4096))
    height: int = param(480, 'Image height.', unit='px', span=(64, 4096))
    focal_mm: float = param(8.0, 'Focal length.', unit='mm', span=(1, 200))
    fnumber: float = param(2.8, 'F-number: focal length by aperture diameter.', span=(0.7, 32))
    pitch_um: float = param(6.9, 'Pixel pitch.', unit='um', span=(0.5, 50))
    near_m: float = param(0.3, 'Nearest point of the scene.', unit='m', span=(0.05, 100))
    far_m: float = param(0.8, 'Farthest point of the scene.', unit='m', span=(0.06, 1000))
    frame_rate: float = param(30.0, 'Frame rate.', unit='Hz', span=(1, 1000))
    settle_s: float = param(
        0.0,
        'Time from a move until the lens is within 1 % of the step.',
        unit='s',
        span=(0, 5),
    )
    noise: float = param(
        1.5, 'Read noise, standard deviation in grey levels of 255.', span=(0, 50)
    )
    breathing: float = param(
        0.0, 'Relative growth of the image from the far to the near end.', span=(-0.2, 0.2)
    )
    codes: int = param(
        0, 'The lens takes codes 0 .. this, without physical unit until it is calibrated; 0: it '
        'takes dioptres.', span=(0, 65535),
    )  # fmt: skip
    field_dpt: float = param(
        0.0, 'Field curvature: shift of focus towards near at tan^2 = 1 off the axis.', unit='dpt',
        span=(-100, 100),
    )  # fmt: skip
    backlash: float = param(
        0.0, 'Width of the hysteresis of a lens with codes, in codes.', span=(0, 1000),
        formerly='simulated.play',
    )  # fmt: skip
    bend: float = param(
        0.1, 'Deviation of dioptres from linear in the code, as a share of the range.',
        span=(-0.2, 0.2),
    )  # fmt: skip
    scene: str = param(
        'table', 'table: objects on a table; board: a calibration board, in another pose for each '
        'sweep of `sff calibrate`; plane: a textured plane at plane_m.',
        choices=('table', 'board', 'plane'),
    )  # fmt: skip
    plane_m: float = param(0.5, 'Distance of the plane.', unit='m', span=(0.05, 100))
    square_mm: float = param(25.0, 'Side of a square of the board.', unit='mm', span=(1, 1000))
    vibration_px: float = param(
        0.0, 'Amplitude of horizontal camera vibration.', unit='px', span=(0, 20)
    )
    vibration_rate: float = param(7.0, 'Frequency of the vibration.', unit='Hz', span=(0.1, 1000))
    ball_speed: float = param(
        0.0,
        'Speed of the ball on the table, back and forth, in whole pixels.',
        unit='px/s',
        span=(0, 10000),
    )
    drop_rate: float = param(0.0, 'Share of frames that are lost.', span=(0, 1))
    seed: int = param(0, 'Seed of scene, noise and lost frames.', span=(0, 2**31 - 1))
    realtime: bool = param(True, 'Run at the frame rate; false: as fast as possible.')


@dataclass(frozen=True, slots=True)
class FolderConfig(Checked):
    """The folder camera: replays a recorded sweep."""

    path: str = param('', 'Directory of images in natural order, with an optional stack.yaml.')
    frame_rate: float = param(
        10.0, 'Frame rate; 0: as fast as possible.', unit='Hz', span=(0, 1000)
    )


@dataclass(frozen=True, slots=True)
class V4l2Config(Checked):
    """A Video4Linux camera (USB, CSI) whose lens is one of its controls."""

    device: str = param(
        '',
        'The camera: a path in /dev/v4l/by-id, which is stable; "0", in quotes, is short for '
        '/dev/video0.',
    )
    width: int = param(640, 'Image width.', unit='px', span=(16, 16384))
    height: int = param(480, 'Image height.', unit='px', span=(16, 16384))
    frame_rate: float = param(
        30.0, "Minimum frame rate: the camera's next faster rate is used.", unit='Hz',
        span=(1, 1000),
    )  # fmt: skip
    pixel_format: str = param(
        'auto', 'Pixel format; auto: the best at this size, uncompressed if that reaches the '
        'frame rate.', choices=('auto', *PIXEL_FORMATS),
    )  # fmt: skip
    focus_control: str = param(
        'focus_absolute', 'The control that moves the lens, named as in `v4l2-ctl -l`.'
    )
    focus_device: str = param(
        '', 'The device with that control, such as /dev/v4l-subdev1; empty: the camera.'
    )
    exposure_us: int = param(
        0, 'Exposure of every frame, in steps of 100; 0: as set by automatic exposure.',
        unit='us', span=(0, 10**6),
    )  # fmt: skip
    warm_up_s: float = param(
        0.3, 'Time for automatic exposure, gain and white balance to converge before they are '
        'locked.', unit='s', span=(0, 10),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RosDriverConfig(Checked):
    """A camera owned by a running ROS driver; config/cameras has presets for common ones."""

    node: str = param('', 'Node of the driver, for example /camera.')
    image: str = param(
        '', 'Topic of its images, Image or CompressedImage, for example /camera/image_raw.'
    )
    camera_info: str = param('', 'Topic of its intrinsics; empty: camera_info beside the images.')
    focus: str = param('', 'Its parameter that moves the lens.')
    prepare: str = param(
        '', 'Parameters of the driver to set before the first sweep, in one call and in this '
        'order, for example `AfMode=0, AeEnable?=false`; `a|b=1` sets the first that exists, `?` '
        'allows that none does. All are restored when the camera is closed.',
    )  # fmt: skip
    low: float = param(
        0.0, 'Lowest lens code; low and high both 0: as declared by the driver.', span=(-1e6, 1e6)
    )
    high: float = param(0.0, 'Highest lens code.', span=(-1e6, 1e6))
    step: float = param(
        0.0, 'Step of lens codes; 0: as declared by the driver, else 1 for integers and '
        'continuous for doubles.', span=(0, 1e6),
    )  # fmt: skip
    dioptres_per_code: float = param(
        0.0, 'Dioptres per code, from its manufacturer; this and dioptres_at_zero both 0: codes '
        'have no physical unit.', unit='dpt', span=(-1000, 1000),
    )  # fmt: skip
    dioptres_at_zero: float = param(0.0, 'Dioptres at code 0.', unit='dpt', span=(-1000, 1000))
    stamps: str = param(
        'arrival', 'Event that the driver stamps: start or end of exposure, or arrival at the '
        'driver. Exposure is assumed to begin 0, 1 or 2 frame periods before, the earliest '
        'possible start, so that no image of an old focus is used.',
        choices=('start', 'end', 'arrival'),
    )  # fmt: skip
    frame_rate: float = param(
        0.0, 'Frame rate; 0: measured from stamps.', unit='Hz', span=(0, 1000)
    )
    identity: str = param(
        '', 'Identifies this camera, for its calibration; empty: the name of the node.'
    )
    identity_parameter: str = param(
        '', 'Parameter of the driver to append to the identity, such as a serial number.'
    )
    timeout_s: float = param(
        4.0, 'Longest wait for the driver: for an image, a response, or its start; '
        'discovery may take 3 s.', unit='s', span=(0.1, 60),
    )  # fmt: skip

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if (self.low, self.high) != (0, 0) and self.low >= self.high:
            raise ConfigError(
                f'ros_driver.low is {self.low:g}, high is {self.high:g}; allowed: low < high, or '
                'both 0 for the range declared by the driver'
            )
        if self.dioptres_at_zero and not self.dioptres_per_code:
            raise ConfigError(
                f'ros_driver.dioptres_at_zero is {self.dioptres_at_zero:g} dpt, but '
                'dioptres_per_code is 0: set both, or neither'
            )
