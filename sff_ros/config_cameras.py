"""The parameters of lenses and cameras: groups of capture_node's."""

from __future__ import annotations

from dataclasses import dataclass

from sff_ros.config_schema import Checked, param


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
    settle_s: float = param(
        0.0,
        'Time the lens needs after a move, until it is within 1 % of the step.',
        unit='s',
        span=(0, 5),
    )
    noise: float = param(
        1.5, 'Read noise, standard deviation in grey levels of 255.', span=(0, 50)
    )
    breathing: float = param(
        0.0, 'Relative growth of the picture from the far to the near end.', span=(-0.2, 0.2)
    )
    codes: int = param(
        0, 'The lens is told codes 0 .. this, which mean nothing until it is calibrated; 0: it is '
        'told dioptres.', span=(0, 65535),
    )  # fmt: skip
    play: float = param(
        0.0, 'Width of the hysteresis of a lens that is told codes, in these.', span=(0, 1000)
    )
    bend: float = param(
        0.1, 'How far dioptres leave a straight line over the codes, of their range.',
        span=(-0.2, 0.2),
    )  # fmt: skip
    scene: str = param(
        'table', 'table: things on a table; board: a calibration board, each sweep of '
        '`sff calibrate` elsewhere; plane: a textured plane at plane_m.',
        choices=('table', 'board', 'plane'),
    )  # fmt: skip
    plane_m: float = param(0.5, 'Distance of the plane.', unit='m', span=(0.05, 100))
    square_mm: float = param(25.0, 'Side of a square of the board.', unit='mm', span=(1, 1000))
    vibration_px: float = param(
        0.0, 'Amplitude of a shaking camera, sideways.', unit='px', span=(0, 20)
    )
    vibration_hz: float = param(7.0, 'How often it shakes.', unit='Hz', span=(0.1, 1000))
    ball_px_s: float = param(
        0.0, 'Speed of the ball on the table, back and forth, in whole pixels.', span=(0, 10000)
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
