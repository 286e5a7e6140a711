"""A calibration from sweeps that a calibrated camera saved is that of the live one."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from stack_files import texture

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.cli.arguments import read_capture_config
from sff_ros.cli.calibrate_lens import from_one_side
from sff_ros.cli.main import main
from sff_ros.config.cameras import LensConfig
from sff_ros.config.nodes import SweepConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.files.lens_yaml import read_lens
from sff_ros.files.stack import write_stack

BACKLASH = 40.0
POSITIONS, SLICES = 5, 21  # of the board; of a sweep
GIVEN = {
    'codes': 1023, 'backlash': BACKLASH, 'width': 384, 'height': 288, 'pitch_um': 11.5,
    'focal_mm': 12.0, 'fnumber': 2.8, 'near_m': 0.27, 'far_m': 1.2, 'square_mm': 20.0,
    'scene': 'board', 'settle_s': 0.02, 'realtime': 'false',
}  # fmt: skip
PARAMETERS = [f'simulated.{name}:={value}' for name, value in GIVEN.items()]
BOARD = ('--board', '11x7x20')


@pytest.fixture(scope='module')
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calibration that the command makes with the camera."""
    out = tmp_path_factory.mktemp('live') / 'lens.yaml'
    camera = [word for given in PARAMETERS for word in ('-p', given)]
    counts = ['--places', str(POSITIONS), '--slices', str(SLICES), '--patience', '0.04']
    assert main(['calibrate', 'lens', *camera, *BOARD, *counts, '--out', str(out)]) == 0
    return out


def saved(folder: Path) -> list[Path]:
    """Sweep over the same boards with a calibrated camera, in a triangle; save every sweep."""
    config = read_capture_config(argparse.Namespace(params_file=[], param=PARAMETERS))
    device = SimulatedLens(config.simulated)
    codes = np.linspace(0, device.codes.high, 33).tolist()
    table = LensTable(tuple(codes), tuple(map(device.true_dioptres, codes)))
    known = LensCalibration(table, device.optical.intrinsics, backlash=BACKLASH, settle_s=0.04)
    camera = LensCamera(device, known, LensConfig())
    plan = plan_sweep(SweepConfig(num_slices=SLICES), camera)
    folders = []
    for sweep in range(2 * POSITIONS):
        if sweep % 2 == 0:
            device.next_board()
        order = plan.order(sweep)
        slices = [camera.capture(f, k, len(order), sweep) for k, f in enumerate(order)]
        folders.append(folder / f'stack_{sweep:02d}')
        write_stack(folders[-1], slices, camera.intrinsics)
    return folders


@pytest.mark.parametrize(
    ('codes', 'position_codes', 'kept'),
    [
        ((10, 20, 30, 40), (8, 18, 28, 38), [0, 1, 2, 3]),
        ((10, 24, 34, 44), (12, 22, 32, 42), [1, 2, 3]),
        ((44, 30, 20, 10), (42, 32, 22, 12), [1, 2, 3]),
        ((40, 30, 20, 10), (40, 30, 20, 10), [0, 1, 2, 3]),
        ((10, 20, 30, 40), (math.nan,) * 4, [1, 2, 3]),
    ],
)
def test_slices_from_the_other_side_are_left_out(
    codes: tuple[float, ...], position_codes: tuple[float, ...], kept: list[int]
) -> None:
    pairs = zip(codes, position_codes, strict=True)
    assert from_one_side([LensState(code=c, position_code=p) for c, p in pairs]) == kept


def test_sweeps_of_two_image_sizes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name, size in (('a', (64, 48)), ('b', (64, 48)), ('c', (80, 60))):
        image = texture(0, (size[1], size[0], 3))
        slices = [Slice(image, LensState(code=float(k)), k, k, 4) for k in range(4)]
        folders.append(tmp_path / name)
        write_stack(folders[-1], slices, Intrinsics(*size))
    out = tmp_path / 'lens.yaml'
    assert main(['calibrate', 'lens', *map(str, folders), *BOARD, '--out', str(out)]) == 1
    message = 'sweeps differ in image size: a is 64x48, c is 80x60; a calibration is for one size'
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_saved_sweeps_give_the_table_and_the_backlash_of_the_live_camera(
    live: Path, tmp_path: Path
) -> None:
    folders = saved(tmp_path)
    known = yaml.safe_load((folders[3] / 'stack.yaml').read_text())
    apart = np.array(known['position_codes']) - known['lens_codes']
    # A sweep down stops half the backlash above what was commanded, but for its first slice, where
    # the sweep up had ended.
    expected = np.array([-1, *[1] * (SLICES - 1)]) * BACKLASH / 2
    assert apart == pytest.approx(expected, abs=1.0)

    out = tmp_path / 'again.yaml'
    names = [str(folder) for folder in folders]
    assert main(['calibrate', 'lens', *names, *BOARD, '--out', str(out)]) == 0
    before, found = read_lens(live), read_lens(out)
    assert before.backlash == pytest.approx(BACKLASH, abs=1.0)
    assert found.backlash == pytest.approx(before.backlash, abs=1.0)
    low = max(before.table.codes[0], found.table.codes[0])
    high = min(before.table.codes[-1], found.table.codes[-1])
    assert high - low > 0.9 * (before.table.codes[-1] - before.table.codes[0])
    codes = np.linspace(low, high, 50).tolist()
    errors = [found.table.to_dioptres(c) - before.table.to_dioptres(c) for c in codes]
    assert np.abs(errors).max() < 0.01
