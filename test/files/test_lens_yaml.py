"""A written calibration reads back the same; invalid values are refused by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.errors import CalibrationError
from sff_ros.files.lens_yaml import read_lens, write_lens

FULL = LensCalibration(
    LensTable((10.0, 500.5, 900.0), (0.5, 2.25, 4.5), (0.99, 1.0, 1.02)),
    Intrinsics(640, 480, 1000.5, 1001.5, 320.25, 240.75, (-0.1, 0.02, 0.0, 0.0, 0.0)),
    backlash=12.5,
    settle_s=0.045,
    lag_s=0.0125,
    field_dpt=-1.25,
    centre_px=(318.5, 241.5),
    residual_dpt=0.0075,
    device='USB 1.2, serial 3',
    optics=ThinLens(0.008, 2.0, 0.0000055),
)
BARE = LensCalibration(LensTable((0.0, 10.0), (0.0, 10.0)), Intrinsics(640, 480))


@pytest.mark.parametrize('calibration', [FULL, BARE])
def test_what_is_written_is_read(calibration: LensCalibration, tmp_path: Path) -> None:
    write_lens(tmp_path / 'lens.yaml', calibration)
    again = read_lens(tmp_path / 'lens.yaml')
    assert dataclasses.replace(again, optics=calibration.optics) == calibration
    if calibration.optics is not None:
        assert again.optics is not None
        expected = dataclasses.astuple(calibration.optics)
        assert dataclasses.astuple(again.optics) == pytest.approx(expected)


def test_unknown_stays_unknown(tmp_path: Path) -> None:
    write_lens(tmp_path / 'lens.yaml', BARE)
    content = yaml.safe_load((tmp_path / 'lens.yaml').read_text())
    assert set(content) == {'image_width', 'image_height', 'backlash', 'field_dpt', 'lens'}
    again = read_lens(tmp_path / 'lens.yaml')
    assert (again.settle_s, again.lag_s, again.residual_dpt, again.optics) == (None,) * 4
    assert not again.intrinsics.is_calibrated


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'lens': None}, 'a lens calibration lacks lens'),
        ({'setle_s': 1}, "unknown key 'setle_s'; did you mean settle_s?"),
        ({'play': 20}, "key 'play' is now called backlash"),
        ({'settle_s': 'soon'}, "settle_s must be a number, not 'soon'"),
        ({'lag_s': -1}, 'lag_s of a lens must be finite and >= 0'),
        ({'image_width': 640.5}, 'must be whole numbers, not 640.5 and 480'),
        ({'centre_px': [1]}, 'centre_px must be two numbers'),
        ({'device': 7}, 'device must be a word, not 7'),
        ({'lens': {'codes': [1, 2]}}, 'lens must have exactly the keys codes, dioptres'),
        ({'lens': {'codes': [1, 2], 'dioptres': [2, 2]}}, 'strictly monotonic'),
        ({'optics': {'focal_mm': 8}}, 'exactly the keys focal_mm, fnumber, pitch_um'),
        ({'optics': {'focal_mm': 8, 'fnumber': 0, 'pitch_um': 5}}, 'optics must be positive'),
    ],
)
def test_invalid_values_are_named(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / 'lens.yaml'
    write_lens(path, FULL)
    content = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(CalibrationError) as caught:
        read_lens(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r'cannot be read.*`sff calibrate lens` makes one'):
        read_lens(tmp_path / 'none.yaml')
    with pytest.raises(CalibrationError, match='cannot be written'):
        write_lens(tmp_path / 'none' / 'lens.yaml', BARE)
