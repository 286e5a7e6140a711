"""Every parameter of the package, declared once: name, default, meaning, unit and range.

A field here is the ROS parameter, the YAML key and the line in docs/parameters.md of the same
name; for a nested class, prefixed with its field's name and a dot (`sweep.num_slices`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sff_ros.config.cameras import (
    FolderConfig,
    LensConfig,
    RosDriverConfig,
    SimulatedConfig,
    V4l2Config,
)
from sff_ros.config.schema import Checked, group, param
from sff_ros.errors import ConfigError

FEWEST_SLICES = 5  # of a planned sweep; a recording may have fewer


@dataclass(frozen=True, slots=True)
class SweepConfig(Checked):
    """The positions of a sweep, and their order."""

    near_m: float = param(
        0.0, 'Near end of the sweep; 0: the near limit of the lens.', unit='m', span=(0, 1000),
        live=True,
    )  # fmt: skip
    far_m: float = param(
        0.0, 'Far end of the sweep; 0: the far limit of the lens.', unit='m', span=(0, 1000),
        live=True,
    )  # fmt: skip
    num_slices: int = param(
        15, 'Slices of a sweep, evenly spaced in dioptres; 0: from the depth of field, for one '
        'pixel of blur between slices. Not used for a recording.',
        span=(0, 100), live=True,
    )  # fmt: skip
    positions_dpt: tuple[float, ...] = param(
        (), 'Positions, strictly monotonic; replaces near_m, far_m and num_slices.',
        unit='dpt', span=(0, 100), live=True,
    )  # fmt: skip
    direction: str = param(
        'triangle',
        'up: far to near, down: near to far, triangle: alternately (no fly-back of the lens).',
        choices=('up', 'down', 'triangle'), live=True,
    )  # fmt: skip
    mode: str = param(
        'step', 'step: the lens stops for every slice; continuous: it moves at '
        'constant speed, one slice per frame, and its position is computed (needs the lag of '
        '`sff calibrate settle`).',
        choices=('step', 'continuous'), live=True, formerly='sweep.motion',
    )  # fmt: skip

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if 0 < self.num_slices < FEWEST_SLICES:
            raise ConfigError(
                f'num_slices is {self.num_slices}; allowed: {FEWEST_SLICES} .. 100, or 0 for '
                'automatic'
            )
        if 0 < self.far_m <= self.near_m:
            raise ConfigError(
                f'sweep.near_m ({self.near_m:.4g} m) must be less than sweep.far_m '
                f'({self.far_m:.4g} m)'
            )


@dataclass(frozen=True, slots=True)
class CaptureConfig(Checked):
    """Parameters of capture_node."""

    autostart: bool = param(True, 'Configure and activate at start.')
    camera: str = param(
        'simulated',
        'Camera whose lens is swept.',
        choices=('simulated', 'folder', 'v4l2', 'ros_driver'),
    )
    mode: str = param(
        'continuous', 'continuous: sweep after sweep; triggered: one sweep per call of ~/trigger.',
        choices=('continuous', 'triggered'), live=True,
    )  # fmt: skip
    camera_info_url: str = param(
        '', 'Intrinsics as a camera_info YAML, file:// or package:// URL; empty: those of '
        'the camera.',
    )  # fmt: skip
    frame_id: str = param('sff_optical_frame', 'Optical frame: x right, y down, z forward.')
    frame_prefix: str = param('', 'Prefix of frame_id, for more than one camera.')
    save_directory: str = param(
        '~/.ros/sff_stacks', 'Directory for ~/save_stack, one new folder per stack.'
    )
    sweep: SweepConfig = group(SweepConfig)
    lens: LensConfig = group(LensConfig)
    simulated: SimulatedConfig = group(SimulatedConfig)
    folder: FolderConfig = group(FolderConfig)
    v4l2: V4l2Config = group(V4l2Config)
    ros_driver: RosDriverConfig = group(RosDriverConfig)


@dataclass(frozen=True, slots=True)
class InferenceConfig(Checked):
    """Parameters of inference_node."""

    autostart: bool = param(True, 'Configure and activate at start.')
    backend: str = param(
        'auto', 'Computes the focus map from the focus volume; auto: the best that loads.',
        choices=('auto', 'tensorrt', 'onnx', 'torch', 'peak'),
    )  # fmt: skip
    model: str = param(
        '', 'Network to run, a file of `sff export`: .onnx with its .onnx.json beside it, or '
        '.safetensors for torch; empty: the one in this package.',
    )  # fmt: skip
    max_missing: int = param(
        3, 'A sweep with more missing slices than this is dropped.', span=(0, 50), live=True
    )
    align: str = param(
        'auto', 'How slices are aligned. none: not at all; breathing: with the calibration of the '
        'lens; similarity, homography: also with a motion of this kind estimated from the images '
        '(20 ms per VGA slice); auto: breathing if focus distances or scales are known, '
        'similarity if the lens is not calibrated. The same as in `sff depth` and `sff '
        'evaluate`.',
        choices=('auto', 'none', 'breathing', 'similarity', 'homography'), live=True,
    )  # fmt: skip
    watchdog_s: float = param(
        5.0, 'Silence of an input before diagnostics warn.', unit='s', span=(0.1, 600),
        live=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DepthConfig(Checked):
    """Parameters of depth_node."""

    autostart: bool = param(True, 'Configure and activate at start.')
    encoding: str = param(
        '32FC1', 'Encoding of depth/image_rect: metres, or millimetres with 0 for invalid.',
        choices=('32FC1', '16UC1'), live=True,
    )  # fmt: skip
    min_confidence: float = param(
        0.5, 'Depth of lower confidence becomes NaN; 0: keep all.', span=(0, 1), live=True
    )
    min_depth_m: float = param(
        0.0, 'Nearer depth becomes -Inf (REP 117); 0: off.', unit='m', span=(0, 1000), live=True
    )
    max_depth_m: float = param(
        1000.0, 'Farther depth becomes +Inf (REP 117).', unit='m', span=(0, 1000), live=True
    )
    speckle_size_px: int = param(
        0, 'Connected patches of fewer pixels become NaN; 0: off.', unit='px', span=(0, 100000),
        live=True,
    )  # fmt: skip
    speckle_step_dpt: float = param(
        0.1, 'Neighbours that differ by more belong to different patches.', unit='dpt',
        span=(0.001, 10), live=True,
    )  # fmt: skip
    temporal_weight: float = param(
        0.0, 'Weight of the past in a running mean over sweeps; 0: off.', span=(0, 0.99),
        live=True,
    )  # fmt: skip
    temporal_step_dpt: float = param(
        0.1, 'A larger change is motion and resets the running mean.', unit='dpt',
        span=(0.001, 10), live=True,
    )  # fmt: skip
    watchdog_s: float = param(
        5.0, 'Silence of an input before diagnostics warn.', unit='s', span=(0.1, 600),
        live=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if self.min_depth_m >= self.max_depth_m:
            raise ConfigError(
                f'min_depth_m is {self.min_depth_m:g}, max_depth_m is {self.max_depth_m:g}; '
                'allowed: min_depth_m < max_depth_m'
            )


NODE_CONFIGS: Mapping[str, type[CaptureConfig] | type[InferenceConfig] | type[DepthConfig]] = {
    'capture_node': CaptureConfig,
    'inference_node': InferenceConfig,
    'depth_node': DepthConfig,
}
