"""Fit the sweep that was asked for to what a camera can do."""

from __future__ import annotations

from dataclasses import replace

from sff_ros.cameras.camera import FocusCamera, FocusRange
from sff_ros.config import SweepConfig
from sff_ros.core.sweep import SweepPlan, explicit, uniform
from sff_ros.errors import ConfigError

_TOLERANCE_DPT = 1e-6  # of rounding in 1 / metres


def plan_sweep(config: SweepConfig, camera: FocusCamera) -> SweepPlan:
    """Plan a sweep for a camera.

    A recorded sweep is replayed as it was taken: its images are its positions.

    Raises:
        ConfigError: the sweep leaves the lens's range, or a recording is asked for positions of
            its own; says which parameter and what is allowed.
    """
    if camera.positions is not None:
        if config.positions_dpt or config.near_m or config.far_m:
            raise ConfigError(
                'sweep.near_m, far_m and positions_dpt do not apply to a recorded sweep: '
                'its images are its positions'
            )
        return explicit(camera.positions)
    reach = camera.focus_range
    if reach is None:
        raise ConfigError('this camera knows neither dioptres nor positions: nothing to sweep')
    if config.positions_dpt and (config.near_m or config.far_m):
        raise ConfigError('sweep.positions_dpt replaces sweep.near_m and far_m: give only one')
    if config.positions_dpt:
        plan = explicit(config.positions_dpt, config.direction)
    else:
        near = 1 / config.near_m if config.near_m else reach.near_dpt
        far = 1 / config.far_m if config.far_m else reach.far_dpt
        if far >= near:
            raise ConfigError(
                f'sweep.near_m ({1 / near:.4g} m) must be less than sweep.far_m ({1 / far:.4g} m)'
            )
        plan = uniform(far, near, config.num_slices, config.direction)
    return _within_reach(plan, reach)


def _within_reach(plan: SweepPlan, reach: FocusRange) -> SweepPlan:
    """Refuse a plan that leaves the lens's range; take away what rounding put outside."""
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
