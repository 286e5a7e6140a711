"""Plan the requested sweep for a camera."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sff_ros.cameras.focus_camera import FocusCamera
from sff_ros.cameras.reach import Codes, Dioptres, Recorded
from sff_ros.config.nodes import FEWEST_SLICES, SweepConfig
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.plan import MOST_SLICES, SweepPlan, explicit, of_recording, uniform
from sff_ros.errors import ConfigError

_TOLERANCE_DPT = 1e-6  # of rounding in 1 / metres
BLUR_STEP_PX = 1.0  # diameter, between neighbouring slices of an automatic plan


def plan_sweep(config: SweepConfig, camera: FocusCamera) -> SweepPlan:
    """Plan a sweep for a camera.

    A recorded sweep is replayed as taken: its images are its positions.

    Raises:
        ConfigError: the sweep leaves the lens's range, or positions are given for a recording;
            names the parameter and what is allowed.
    """
    match camera.reach:
        case Recorded(positions=positions):
            return _of_recording(config, positions)
        case Codes() as codes:
            return _in_codes(config, codes)
        case Dioptres() as reach:
            return _within_reach(_in_dioptres(config, camera.optics, reach), reach)


def _of_recording(config: SweepConfig, positions: tuple[float, ...]) -> SweepPlan:
    if config.positions_dpt or config.near_m or config.far_m:
        raise ConfigError(
            'sweep.near_m, far_m and positions_dpt do not apply to a recorded sweep: '
            'its images are its positions'
        )
    return of_recording(positions)


def _in_codes(config: SweepConfig, codes: Codes) -> SweepPlan:
    """Plan the sweep of an uncalibrated lens: the whole range, in even steps of its codes."""
    if config.positions_dpt or config.near_m or config.far_m:
        raise ConfigError(
            'sweep.near_m, far_m and positions_dpt need a calibrated lens: set lens.file to a '
            'calibration (`sff calibrate lens` makes one)'
        )
    if config.num_slices == 0:
        raise ConfigError('sweep.num_slices is 0 (automatic), which needs a calibrated lens')
    positions = np.linspace(codes.low, codes.high, config.num_slices).tolist()
    return SweepPlan(tuple(positions), config.direction)


def _in_dioptres(config: SweepConfig, optics: ThinLens | None, reach: Dioptres) -> SweepPlan:
    """Plan the sweep of a calibrated lens as requested; it may leave the reach."""
    if config.positions_dpt and (config.near_m or config.far_m):
        raise ConfigError('sweep.positions_dpt replaces sweep.near_m and far_m: give only one')
    if config.positions_dpt:
        return explicit(config.positions_dpt, config.direction)
    near = 1 / config.near_m if config.near_m else reach.near_dpt
    far = 1 / config.far_m if config.far_m else reach.far_dpt
    if far >= near:
        raise ConfigError(
            f'sweep.near_m ({1 / near:.4g} m) must be less than sweep.far_m ({1 / far:.4g} m)'
        )
    return uniform(far, near, _count(config, optics, far, near), config.direction)


def _count(config: SweepConfig, optics: ThinLens | None, far_dpt: float, near_dpt: float) -> int:
    """Return the number of slices; from the depth of field if unspecified."""
    if config.num_slices:
        return config.num_slices
    if optics is None:
        raise ConfigError(
            'sweep.num_slices is 0 (automatic), which needs lens.focal_mm, lens.fnumber and '
            'lens.pitch_um'
        )
    count = slices_needed(optics, far_dpt, near_dpt)
    if count > MOST_SLICES:
        raise ConfigError(
            f'one pixel of blur from slice to slice would take {count} slices, more than '
            f'{MOST_SLICES}: bring sweep.near_m and far_m closer together, or set num_slices'
        )
    return max(count, FEWEST_SLICES)


def slices_needed(optics: ThinLens, far_dpt: float, near_dpt: float) -> int:
    """Return the number of slices, even in dioptres, that differ by at most a pixel of blur."""
    blur_px = optics.blur_diameter_px(far_dpt, near_dpt)
    return math.ceil(blur_px / BLUR_STEP_PX - 1e-9) + 1


def _within_reach(plan: SweepPlan, reach: Dioptres) -> SweepPlan:
    """Refuse a plan that leaves the lens's range; clip rounding errors."""
    far, near = plan.positions[0], plan.positions[-1]
    if far < reach.far_dpt - _TOLERANCE_DPT or near > reach.near_dpt + _TOLERANCE_DPT:
        raise ConfigError(
            f'the sweep (sweep.near_m, far_m or positions_dpt) goes from {far:.3f} to '
            f'{near:.3f} dpt, the lens reaches {reach.far_dpt:.3f} .. {reach.near_dpt:.3f} dpt '
            f'({1 / reach.near_dpt:.3f} m to '
            f'{f"{1 / reach.far_dpt:.3f} m" if reach.far_dpt else "infinity"})'
        )
    inside = (min(max(p, reach.far_dpt), reach.near_dpt) for p in plan.positions)
    return replace(plan, positions=tuple(inside))
