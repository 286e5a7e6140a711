"""Print the depth error in pixels of blur, on planes and on the table scene, for several lenses.

    ./run python benchmarks/depth_error.py [--backend NAME]

`sff plan` assumes this error: in dioptres it is the error in pixels over the lens's pixels of blur
per dioptre.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import LensConfig, SimulatedConfig
from sff_ros.config.nodes import SweepConfig
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import FocalStack
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import choose_backend
from sff_ros.pipeline import ShapeFromFocus

# Focal length mm, f-number, pixel pitch um, near m, far m.
LENSES = (
    (8.0, 2.8, 6.9, 0.3, 0.8),
    (8.0, 1.4, 6.9, 0.3, 0.8),
    (12.0, 2.0, 6.9, 0.3, 1.0),
    (4.0, 2.0, 3.0, 0.15, 0.5),
    (25.0, 4.0, 5.0, 0.6, 1.2),
)
AUTOMATIC = SweepConfig(num_slices=0)


def sweep(config: SimulatedConfig) -> FocalStack:
    """Take a sweep of as many slices as the depth of field requires."""
    camera = LensCamera(SimulatedLens(config), None, LensConfig())
    order = plan_sweep(AUTOMATIC, camera).order(0)
    return FocalStack(tuple(camera.capture(focus, i, len(order)) for i, focus in enumerate(order)))


def error_px(
    backend: DepthBackend,
    stack: FocalStack,
    ground_truth_dpt: npt.NDArray[np.float32],
    lens: ThinLens,
) -> tuple[float, float]:
    """Return the mean error in pixels of blur at confident pixels, and the share of those."""
    found = ShapeFromFocus(backend).estimate(stack)
    dioptres = found.dioptres
    assert dioptres is not None
    sure = (found.estimate.confidence >= 0.5) & np.isfinite(dioptres)
    error = np.abs(dioptres - ground_truth_dpt)[sure]
    middle = float(np.median(ground_truth_dpt))
    return float(error.mean()) * lens.blur_diameter_px(middle + 1, middle), float(sure.mean())


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--backend', default='auto')
    backend = choose_backend(parser.parse_args(argv).backend).backend
    print(
        f'{"lens":<34} {"slices":>6} {"plane, px":>10} {"valid":>6} {"table, px":>10} {"valid":>6}'
    )
    for focal, fnumber, pitch, near, far in LENSES:
        config = SimulatedConfig(
            focal_mm=focal, fnumber=fnumber, pitch_um=pitch, near_m=near, far_m=far, realtime=False
        )
        optical = SimulatedOptics(config)
        lens = optical.lens
        planes = []
        for share in (0.2, 0.5, 0.8):
            dioptres = 1 / far + share * (1 / near - 1 / far)
            stack = sweep(replace(config, scene='plane', plane_m=1 / dioptres))
            planes.append(
                error_px(backend, stack, np.full(stack.shape, dioptres, np.float32), lens)
            )
        stack = sweep(config)
        table = error_px(backend, stack, np.float32(1) / optical.true_depth_m, lens)
        flat = np.mean(planes, axis=0)
        name = f'{focal:g} mm f/{fnumber:g}, {pitch:g} um, {near:g}-{far:g} m'
        print(
            f'{name:<34} {len(stack.slices):>6} {flat[0]:>10.3f} {flat[1]:>6.2f} '
            f'{table[0]:>10.3f} {table[1]:>6.2f}'
        )


if __name__ == '__main__':
    main()
