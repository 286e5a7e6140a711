"""`sff plan`: slices, sweep time and depth error of a lens, without hardware."""

from __future__ import annotations

import argparse
import math

import numpy as np

from sff_ros.cameras.plan import slices_needed
from sff_ros.config.nodes import FEWEST_SLICES
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.plan import MOST_SLICES
from sff_ros.errors import ConfigError

HELP = 'Plan a sweep: slices, time and expected depth error of a lens.'
EPILOG = """\
Depth of field is the baseline of shape from focus. A lens of focal length f, f-number N and pixel
pitch p makes A v / p pixels of blur of a dioptre, with the aperture A = f / N and the distance
v = f / (1 - f / d) from lens to sensor; depth z is then off by z^2 times the error in dioptres.
The sharpest focus is found to 0.03 px of blur on flat, textured surfaces and to 0.2 px in everyday
scenes, edges and weak texture included: benchmarks/depth_error.py and models/MODEL_CARD.md measure
this. Calibration errors add to it.
"""

# Error of the sharpest focus, px of blur diameter.
TEXTURED_PX, EVERYDAY_PX = 0.03, 0.2
ROWS = 5
EXPOSURE = 0.5  # of the frame period, if --exposure is not given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff plan`."""
    for name, text in (
        ('--focal-mm', 'focal length, mm'),
        ('--fnumber', 'f-number'),
        ('--pitch-um', 'pixel pitch at the image size in use, um'),
        ('--near', 'nearest surface, m'),
        ('--far', 'farthest surface, m; inf allowed'),
    ):
        parser.add_argument(name, type=float, required=True, help=text)
    parser.add_argument(
        '--frame-rate', metavar='HZ', type=float, default=30.0, help='default: %(default)s'
    )
    parser.add_argument(
        '--settle', metavar='S', type=float, default=0.045,
        help='of the lens after a step (default: %(default)s, two frames of 30 Hz minus the '
        'exposure)',
    )  # fmt: skip
    parser.add_argument(
        '--exposure', metavar='S', type=float,
        help='of a frame (default: half of the frame period)',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run `sff plan`.

    Raises:
        ConfigError: a value is not positive, or the lens cannot focus that near.
    """
    lens = _checked(args)
    far_dpt, near_dpt = 1 / args.far, 1 / args.near
    count = max(slices_needed(lens, far_dpt, near_dpt), FEWEST_SLICES)
    blur_px = lens.blur_diameter_px(far_dpt, near_dpt)
    print(
        f'{args.focal_mm:g} mm f/{args.fnumber:g}, {args.pitch_um:g} um: a dioptre is '
        f'{blur_px / (near_dpt - far_dpt):.1f} px of blur'
    )
    print(
        f'slices: {count}, {(near_dpt - far_dpt) / (count - 1):.3f} dpt apart, '
        f'{blur_px / (count - 1):.1f} px of blur from one to the next'
    )
    if count > MOST_SLICES:
        print(f'        more than {MOST_SLICES}: sweep a part of the range, or set num_slices')
    step_s, continuous_s = sweep_times(count, args.frame_rate, args.settle, args.exposure)
    print(f'sweep: {step_s:.2f} s in steps, {continuous_s:.2f} s in continuous motion')
    print(f'\n{"distance":>10} {"1 px of blur":>14} {"textured plane":>20} {"everyday scene":>20}')
    for dioptres in np.linspace(near_dpt, max(far_dpt, near_dpt / 100), ROWS).tolist():
        print(_row(lens, 1 / dioptres))
    return 0


def sweep_times(
    count: int, frame_rate: float, settle_s: float, exposure_s: float | None = None
) -> tuple[float, float]:
    """Return how long a sweep takes in steps, and in continuous motion, s.

    In steps, the lens is commanded when an exposure ends, and the first frame after it has
    settled is taken.

    Args:
        count: slices.
        frame_rate: Hz.
        settle_s: of the lens after a step.
        exposure_s: of a frame; None: EXPOSURE of the frame period.
    """
    period_s = 1 / frame_rate
    exposed_s = EXPOSURE * period_s if exposure_s is None else exposure_s
    frames = math.ceil((exposed_s + settle_s) / period_s - 1e-9)
    return count * max(frames, 1) * period_s, count * period_s


def _checked(args: argparse.Namespace) -> ThinLens:
    """Return the lens; reject invalid values."""
    names = ('focal_mm', 'fnumber', 'pitch_um', 'near', 'far', 'frame_rate')
    for name in names:
        value = getattr(args, name)
        if not value > 0 or (math.isinf(value) and name != 'far'):
            raise ConfigError(f'--{name.replace("_", "-")} is {value:g}; allowed: more than 0')
    if not 0 <= args.settle < math.inf:
        raise ConfigError(f'--settle is {args.settle:g}; allowed: 0 s or more')
    if args.exposure is not None and not 0 < args.exposure <= 1 / args.frame_rate:
        raise ConfigError(
            f'--exposure is {args.exposure:g}; allowed: more than 0 s, up to the frame period, '
            f'{1 / args.frame_rate:.4g} s'
        )
    if args.near >= args.far:
        raise ConfigError(f'--near {args.near:g} m must be less than --far {args.far:g} m')
    if args.near * 1e3 <= args.focal_mm:
        raise ConfigError(
            f'--near is {args.near:g} m: a lens of {args.focal_mm:g} mm cannot focus within its '
            'focal length'
        )
    return ThinLens(args.focal_mm * 1e-3, args.fnumber, args.pitch_um * 1e-6)


def _row(lens: ThinLens, distance_m: float) -> str:
    one_px = lens.error_m(distance_m, 1.0)
    errors = [lens.error_m(distance_m, px) for px in (TEXTURED_PX, EVERYDAY_PX)]
    shown = [f'{e * 1e3:.2f} mm ({100 * e / distance_m:.2f} %)' for e in errors]
    return f'{distance_m:>8.3f} m {one_px * 1e3:>11.1f} mm {shown[0]:>20} {shown[1]:>20}'
