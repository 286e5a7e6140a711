"""An uncalibrated camera is calibrated, and then measures depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.cameras.lens_camera import LensCamera
from sff_ros.cameras.open import open_camera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.simulated.device import SimulatedLens
from sff_ros.cli.main import main
from sff_ros.config.cameras import LensConfig, SimulatedConfig
from sff_ros.config.nodes import CaptureConfig, SweepConfig
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.sweep.stack import FocalStack
from sff_ros.errors import CalibrationError
from sff_ros.files.lens_yaml import read_lens
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

# 12 mm f/2.8 in front of 640x480 pixels of 6.9 um, which reaches from 0.25 m to 5 m.
LENS = SimulatedConfig(
    codes=1023, backlash=24.0, settle_s=0.05, breathing=0.04, focal_mm=12.0, fnumber=2.8,
    near_m=0.27, far_m=2.4, square_mm=20.0, field_dpt=4.0, realtime=False,
)  # fmt: skip
GIVEN = {
    'codes': 1023, 'backlash': 24.0, 'settle_s': 0.05, 'breathing': 0.04, 'focal_mm': 12.0,
    'fnumber': 2.8, 'near_m': 0.27, 'far_m': 2.4, 'square_mm': 20.0, 'scene': 'board',
    'field_dpt': 4.0, 'realtime': 'false',
}  # fmt: skip
CAMERA = [word for name, value in GIVEN.items() for word in ('-p', f'simulated.{name}:={value}')]


@pytest.fixture(scope='module')
def lens_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calibration of the simulated lens, by the command, with its sweeps beside it."""
    folder = tmp_path_factory.mktemp('calibration')
    more = ['--plot', str(folder / 'lens.png'), '--keep', str(folder / 'sweeps')]
    size = ['--board', '11x7x20', '--places', '8', '--slices', '21', '--patience', '0.1']
    code = main(['calibrate', 'lens', *CAMERA, *size, *more, '--out', str(folder / 'lens.yaml')])
    assert code == 0
    return folder / 'lens.yaml'


@pytest.fixture(scope='module')
def known(lens_yaml: Path) -> LensCalibration:
    return read_lens(lens_yaml)


@contextmanager
def opened(lens_yaml: Path, **scene: Any) -> Iterator[tuple[LensCamera, SimulatedLens]]:
    config = CaptureConfig(
        lens=LensConfig(file=str(lens_yaml)),
        simulated=replace(LENS, **scene),
        sweep=SweepConfig(num_slices=25),
    )
    camera = open_camera(config)
    assert isinstance(camera, LensCamera)
    device = camera._device
    assert isinstance(device, SimulatedLens)
    yield camera, device
    camera.close()


@pytest.mark.slow
def test_dioptres_are_within_two_hundredths_of_the_ground_truth(known: LensCalibration) -> None:
    lens = SimulatedLens(LENS)
    table = known.table
    # The table covers the boards that were shown: to 1 m at least, and nearer than 0.3 m.
    assert table.dioptres[0] < 1.0
    assert table.dioptres[-1] > 1 / 0.3
    codes = np.linspace(table.codes[0], table.codes[-1], 200).tolist()
    error = np.array([table.to_dioptres(code) - lens.true_dioptres(code) for code in codes])
    assert np.sqrt(np.mean(error**2)) < 0.02
    assert np.abs(error).max() < 0.05


@pytest.mark.slow
def test_breathing_is_within_a_thousandth(known: LensCalibration) -> None:
    lens = SimulatedLens(LENS)
    table, k = known.table, known.intrinsics
    ground_truth = lens.optical.intrinsics
    found, expected = [], []
    for code in np.linspace(table.codes[0], table.codes[-1], 50).tolist():
        dioptres = lens.true_dioptres(code)
        found.append(k.fx * table.scale_at(table.to_dioptres(code)))
        expected.append(ground_truth.fx * lens.optical.scale_at(dioptres))
    ratio = np.array(found) / expected
    assert np.ptp(ratio) < 1e-3  # the scale against that at the reference
    assert np.abs(ratio - 1).max() < 3e-3  # and the focal length itself
    assert (k.cx, k.cy) == pytest.approx((ground_truth.cx, ground_truth.cy), abs=8)
    assert known.centre_px == pytest.approx((319.5, 239.5), abs=3)


@pytest.mark.slow
def test_backlash_and_settling_are_known(known: LensCalibration) -> None:
    assert known.backlash == pytest.approx(LENS.backlash, abs=1.0)
    assert known.settle_s == pytest.approx(LENS.settle_s, abs=1 / LENS.frame_rate)
    # A critically damped lens that settles to 1 % in 50 ms lags 2 / 132.8 Hz behind.
    assert known.lag_s == pytest.approx(0.01507, abs=0.004)
    assert known.field_dpt == pytest.approx(LENS.field_dpt, abs=0.4)  # 0.02 dpt in the corner
    assert known.status == 'calibrated'
    assert known.device == 'simulated lens 0'


@pytest.mark.slow
@pytest.mark.parametrize('distance_m', [0.3, 0.45, 0.7, 1.0])
def test_depth_of_planes_is_within_a_hundredth(lens_yaml: Path, distance_m: float) -> None:
    with opened(lens_yaml, scene='plane', plane_m=distance_m) as (camera, _):
        plan = plan_sweep(SweepConfig(num_slices=25), camera)
        for sweep in (0, 1):  # from either side of the backlash
            depth_m = _depth(camera, plan.order(sweep))
            assert np.isfinite(depth_m).mean() > 0.7
            error = depth_m[np.isfinite(depth_m)] / distance_m - 1
            assert abs(float(np.median(error))) < 0.01
            assert float(np.abs(error).mean()) < 0.015


def _depth(camera: LensCamera, order: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """Sweep and return metres where sure."""
    slices = []
    for index, focus in enumerate(order):
        slice_ = camera.capture(focus, index, len(order))
        assert slice_.lens.warp is not None
        slices.append(slice_)
    setup = SweepSetup(camera.intrinsics, align='breathing')
    found = ShapeFromFocus(PeakBackend()).estimate(FocalStack(tuple(slices)), setup)
    dioptres = found.dioptres
    assert dioptres is not None
    sure = (found.estimate.confidence > 0.5) & np.isfinite(dioptres)
    return np.where(sure, 1 / dioptres, np.nan).astype(np.float32)


@pytest.mark.slow
def test_recorded_sweeps_give_the_same(
    lens_yaml: Path, known: LensCalibration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = sorted(str(path) for path in (lens_yaml.parent / 'sweeps').iterdir())
    assert len(folders) == 16
    out = tmp_path / 'again.yaml'
    assert main(['calibrate', 'lens', *folders, '--board', '11x7x20', '--out', str(out)]) == 0
    again = read_lens(out)
    np.testing.assert_allclose(again.table.dioptres, known.table.dioptres, atol=1e-6)
    np.testing.assert_allclose(again.table.codes, known.table.codes, atol=1e-3)
    assert again.settle_s is None  # images of a lens at rest do not show it
    said = capsys.readouterr().out
    assert re.search(r'corners of 16 sweeps; \d+ outliers; residual 0\.00\d+ dpt rms', said)


@pytest.mark.slow
def test_show_prints_and_draws(
    lens_yaml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['calibrate', 'show', str(lens_yaml), '--plot', str(tmp_path / 'p.png')]) == 0
    said = capsys.readouterr().out
    assert said.startswith('calibration status: CALIBRATED (0.0')
    for line in ('camera: simulated lens 0', 'breathing: ', 'backlash: 2', 'settling: '):
        assert f'\n{line}' in said
    for image in (tmp_path / 'p.png', lens_yaml.parent / 'lens.png'):
        drawn = cv2.imread(str(image))
        assert drawn is not None
        # The line of the table crosses its plot from side to side.
        table = np.all(np.abs(drawn[:, :640].astype(int) - (200, 90, 30)) < 40, axis=2)
        assert np.ptp(np.flatnonzero(table.any(axis=0))) > 400


@pytest.mark.slow
def test_a_calibration_of_another_camera_is_refused(lens_yaml: Path) -> None:
    with pytest.raises(CalibrationError) as caught, opened(lens_yaml, seed=1):
        pass
    assert "is for 'simulated lens 0', this camera is 'simulated lens 1'" in str(caught.value)


def test_the_board_prints_at_its_size(tmp_path: Path) -> None:
    out = tmp_path / 'board.pdf'
    assert main(['calibrate', 'board', '--board', '9x5x30', '--out', str(out)]) == 0
    text = out.read_bytes().decode('latin-1')
    box = re.search(r'/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]', text)
    assert box is not None
    side = 30 / 25.4 * 72
    assert [float(v) for v in box.groups()] == pytest.approx([9.8 * side, 6.2 * side], abs=0.01)
    # Drawn again from its rectangles it is a board.
    page = np.full((650, 1000), 255, np.uint8)
    for x, y, w, h in re.findall(r'([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f', text):
        x0, y0, x1, y1 = (round(float(v) / side * 100) for v in (x, y, x, y))
        x1, y1 = x0 + round(float(w) / side * 100), y0 + round(float(h) / side * 100)
        page[650 - y1 : 650 - y0, x0:x1] = 0
    corners = Board(9, 5, 0.03).find(page)
    assert corners is not None
    assert len(corners.ids) == 8 * 4


def test_the_default_board_fits_a4(tmp_path: Path) -> None:
    out = tmp_path / 'board.pdf'
    assert main(['calibrate', 'board', '--out', str(out)]) == 0
    box = re.search(rb'/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]', out.read_bytes())
    assert box is not None
    width_mm, height_mm = (float(points) * 25.4 / 72 for points in box.groups())
    assert width_mm <= 297
    assert height_mm <= 210


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['board', '--board', '11x7', '--out', 'x'], "--board '11x7' must be COLUMNSxROWSxMM"),
        (['board', '--board', '11x6x25', '--out', 'x'], 'an odd number of rows'),
        (['show', 'nowhere.yaml'], 'nowhere.yaml: cannot be read'),
        (['lens', '--out', 'x', '-p', 'camera:=folder'], 'which has no lens codes'),
        (['lens', '--out', 'x'], 'simulated.codes is 0'),
        (['lens', '--out', 'x', '-p', 'nonsense'], "-p 'nonsense' must be NAME:=VALUE"),
        (['lens', '--out', 'x', '-p', 'camra:=v4l2'], 'did you mean camera?'),
        (['show', 'lens.yaml', '--plot', 'p.jpg'], '--plot p.jpg: only .png is written'),
        (['lens', '--out', 'x', '--places', '2'], '--places is 2; allowed: 3 or more'),
        (['lens', '--out', 'x', '--slices', '-3'], '--slices is -3; allowed: 5 or more'),
        (['lens', '--out', 'x', '--patience', '0'], '--patience is 0 s; allowed: above 0, up to'),
        (['lens', '--out', 'no/x', '-p', 'camera:=v4l2'], 'no/x cannot be written: no is not a'),
        (['settle', '--patience', '-1'], '--patience is -1 s; allowed: above 0, up to 10'),
        (['settle', '--params-file', 'nowhere.yaml'], 'nowhere.yaml: cannot be read'),
    ],
)
def test_wrong_use_is_reported(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(['calibrate', *arguments]) == 1
    assert message in capsys.readouterr().err
