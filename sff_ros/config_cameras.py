"""The parameters of lenses and cameras: groups of capture_node's."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.config_schema import Checked, param

# Bayer patterns by their first two rows' first two pixels; 10: ten bits a pixel.
PIXEL_FORMATS = (
    *('YUYV', 'NV12', 'RGGB10', 'GRBG10', 'GBRG10', 'BGGR10'),
    *('RGGB', 'GRBG', 'GBRG', 'BGGR', 'GREY', 'MJPG'),
)


@dataclass(frozen=True, slots=True)
class LensConfig(Checked):
    """The lens of a real camera, beyond what its calibration says."""

    file: str = param(
        '', 'Calibration of the lens, as `sff calibrate` writes it; empty: not calibrated.'
    )
    settle_s: float = param(
        0.0, 'Wait after a move; 0: as calibrated, or 0.17 s (five frames at 30 Hz) where it was '
        'not measured.', unit='s', span=(0, 5),
    )  # fmt: skip
    focal_mm: float = param(0.0, 'Focal length; 0: unknown.', unit='mm', span=(0, 1000))
    fnumber: float = param(0.0, 'F-number; 0: unknown.', span=(0, 64))
    pitch_um: float = param(
        0.0, 'Pixel pitch at the picture size in use; 0: unknown.', unit='um', span=(0, 100)
    )


@dataclass(frozen=True, slots=True)
class SimulatedConfig(Checked):
    """The simulated camera: a thin lens in front of a procedural scene of known depth."""

    width: int = param(640, 'Picture width.', unit='px', span=(64, 4096))
    height: int = param(480, 'Picture height.', unit='px', span=(64, 4096))
    focal_mm: float = param(8.0, 'Focal length.', unit='mm', span=(1, 200))
    fnumber: float = param(2.8, 'F-number: focal length by aperture diameter.', span=(0.7, 32))
    pitch_um: float = param(6.9, 'Pixel pitch.', unit='um', span=(0.5, 50))
    near_m: float = param(0.3, 'Nearest point of the scene.', unit='m', span=(0.05, 100))
    far_m: float = param(0.8, 'Farthest point of the scene.', unit='m', span=(0.06, 1000))
    frame_rate: float = param(30.0, 'Frames a second.', unit='Hz', span=(1, 1000))
    settle_s: float = param(0.0, 'Time the lens needs after a move.', unit='s', span=(0, 5))
    noise: float = param(
        1.5, 'Read noise, standard deviation in grey levels of 255.', span=(0, 50)
    )
    breathing: float = param(
        0.0, 'Relative growth of the picture from the far to the near end.', span=(-0.2, 0.2)
    )
    drop_rate: float = param(0.0, 'Share of frames that are lost.', span=(0, 1))
    seed: int = param(0, 'Seed of scene, noise and lost frames.', span=(0, 2**31 - 1))
    realtime: bool = param(True, 'Keep to the frame rate; false: as fast as possible.')


@dataclass(frozen=True, slots=True)
class FolderConfig(Checked):
    """The folder camera: a recorded sweep, replayed."""

    path: str = param('', 'Directory of images in natural order, with an optional stack.yaml.')
    frame_rate: float = param(
        10.0, 'Frames a second; 0: as fast as possible.', unit='Hz', span=(0, 1000)
    )


@dataclass(frozen=True, slots=True)
class V4l2Config(Checked):
    """A camera of the kernel's video system (USB, CSI) whose lens is one of its controls."""

    device: str = param(
        '', 'The camera: a path of /dev/v4l/by-id, which stays the same, or N for /dev/videoN.'
    )
    width: int = param(640, 'Picture width.', unit='px', span=(16, 16384))
    height: int = param(480, 'Picture height.', unit='px', span=(16, 16384))
    frame_rate: float = param(
        30.0, "Frames a second, at least: the camera's next faster rate is taken.", unit='Hz',
        span=(1, 1000),
    )  # fmt: skip
    pixel_format: str = param(
        'auto', 'What the camera sends; auto: the best that it has at this size, without '
        'compression where that reaches the frame rate.', choices=('auto', *PIXEL_FORMATS),
    )  # fmt: skip
    focus_control: str = param(
        'focus_absolute', 'The control that moves the lens, as `v4l2-ctl -l` names it.'
    )
    focus_device: str = param(
        '', 'The device that has that control, such as /dev/v4l-subdev1; empty: the camera.'
    )
    exposure_us: int = param(
        0, 'Exposure of every frame, in steps of 100; 0: what automatic exposure found.',
        unit='us', span=(0, 10**6),
    )  # fmt: skip
    warm_up_s: float = param(
        0.3, 'How long automatic exposure, gain and white balance may get used to the light '
        'before they are held.', unit='s', span=(0, 10),
    )  # fmt: skip
