"""Print the time of a sweep with stepped and with continuous lens motion, at 30 frames a second.

    ./run python benchmarks/sweep.py

The lens is the simulated one, driven by lens codes, which settles to within 1 % in 45 ms: two
frames, less the half frame of exposure before. Images are small, so that rendering time is
negligible.
"""

from __future__ import annotations

import itertools
import statistics

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.simulated.actuator import SETTLED
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.config.cameras import LensConfig, SimulatedConfig
from sff_ros.config.nodes import SweepConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.stack import Slice

SETTLE_S = 0.045
SWEEPS = 8
LENS = SimulatedConfig(
    width=96, height=64, pitch_um=46.0, fnumber=0.8, codes=1023, backlash=20.0, bend=0.0,
    settle_s=SETTLE_S,
)  # fmt: skip


def open_lens() -> tuple[LensCamera, SimulatedLens]:
    """Open the lens with its true calibration."""
    device = SimulatedLens(LENS)
    ends = (device.true_dioptres(0), device.true_dioptres(1023))
    known = LensCalibration(
        LensTable((0.0, 1023.0), ends),
        Intrinsics(LENS.width, LENS.height, 180.0, 180.0),
        backlash=LENS.backlash,
        settle_s=SETTLE_S,
        lag_s=2 * SETTLE_S / SETTLED,
    )
    return LensCamera(device, known, LensConfig()), device


def main() -> None:
    """Print seconds per stack of 15 slices, and the error of focus labels."""
    for mode in ('step', 'continuous'):
        camera, device = open_lens()
        plan = plan_sweep(SweepConfig(num_slices=15), camera)
        starts: list[int] = []
        errors: list[float] = []
        for number in range(SWEEPS + 1):
            order = plan.order(number)
            slices: list[Slice] = []
            moving = mode == 'continuous'
            frames = camera.sweep_continuously(order) if moving else map(camera.capture, order)
            for slice_ in frames:
                middle_ns = slice_.stamp_ns - device._clock.epoch_ns
                ground_truth = device.true_dioptres(device._actuator.at(middle_ns))
                errors.append(slice_.focus_dpt - ground_truth)
                slices.append(slice_)
            starts.append(slices[0].stamp_ns)
        took_s = [(b - a) * 1e-9 for a, b in itertools.pairwise(starts)]
        rms_dpt = statistics.fmean(e * e for e in errors) ** 0.5
        print(
            f'{mode:<10} {statistics.median(took_s):.3f} s a stack of 15, at most '
            f'{max(took_s[1:]):.3f}; focus off by {rms_dpt:.4f} dpt rms'
        )
        camera.close()


if __name__ == '__main__':
    main()
