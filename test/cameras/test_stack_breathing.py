"""What stack.yaml says of breathing and lens codes, and that it comes back as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from stack_files import make_folder, texture

from sff_ros.cameras.recorded import FolderCamera
from sff_ros.config.cameras import FolderConfig
from sff_ros.core.optics.breathing import breathing_warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError, ConfigError, SffError
from sff_ros.files.stack import read_stack, write_stack

SCALES = (0.98, 1.0, 1.02, 1.03)
CAMERA = Intrinsics(40, 32, 50.0, 51.0, 18.0, 16.5)
K = 'camera_matrix: [[50, 0, 18], [0, 51, 16.5], [0, 0, 1]]\n'
LENS = 'lens: {codes: [0, 50], dioptres: [0, 5], scales: [0.9, 1.1]}\n'


@pytest.mark.parametrize(
    ('yaml', 'scales', 'centre'),
    [
        ('scales: [0.98, 1, 1.02, 1.03]\ncentre_px: [10, 20]\n', SCALES, (10, 20)),
        ('scales: [0.98, 1, 1.02, 1.03]\n', SCALES, (19.5, 15.5)),
        (K + 'scales: [0.98, 1, 1.02, 1.03]\n', SCALES, (18, 16.5)),
        ('lens_codes: [10, 20, 25, 40]\n' + LENS, (0.94, 0.98, 1.0, 1.06), (19.5, 15.5)),
        ('lens_codes: [10, 20, 25, 40]\ncentre_px: [1, 2]\n' + LENS,
         (0.94, 0.98, 1.0, 1.06), (1, 2)),
    ],
)  # fmt: skip
def test_breathing_is_read(
    tmp_path: Path, yaml: str, scales: tuple[float, ...], centre: tuple[float, float]
) -> None:
    stack = read_stack(make_folder(tmp_path, 4, yaml))
    for slice_, scale in zip(stack.focal_stack().slices, scales, strict=True):
        assert slice_.lens.warp is not None
        np.testing.assert_allclose(slice_.lens.warp, breathing_warp(scale, centre), atol=1e-12)


@pytest.mark.parametrize(
    ('yaml', 'codes'),
    [
        ('focus_dpt: [1, 2, 3, 4]\n', [np.nan] * 4),
        ('focus_dpt: [1, 2, 3, 4]\nlens_codes: [10, 21, 30, 42]\n', [10, 21, 30, 42]),
        ('focus_m: [4, 3, 2, 1]\nlens_codes: [30, 20, 10, 5]\n', [30, 20, 10, 5]),
        ('lens_codes: [10, 20, 25, 40]\n', [10, 20, 25, 40]),
        ('lens_codes: [10, 20, 25, 40]\n' + LENS, [10, 20, 25, 40]),
    ],
)
def test_lens_codes_are_kept(tmp_path: Path, yaml: str, codes: list[float]) -> None:
    stack = read_stack(make_folder(tmp_path, 4, yaml))
    np.testing.assert_array_equal([lens.code for lens in stack.lens], codes)
    np.testing.assert_array_equal([s.lens.code for s in stack.focal_stack().slices], codes)


def test_the_table_of_a_lens_is_in_position_codes(tmp_path: Path) -> None:
    yaml = 'lens_codes: [22, 30, 37, 44]\nposition_codes: [20, 28, 35, 42]\n' + LENS
    stack = read_stack(make_folder(tmp_path, 4, yaml))
    assert stack.focus_dpt == pytest.approx([2.0, 2.8, 3.5, 4.2])
    assert [lens.code for lens in stack.lens] == [22, 30, 37, 44]
    assert [lens.position_code for lens in stack.lens] == [20, 28, 35, 42]


def test_codes_beside_focus_do_not_change_it(tmp_path: Path) -> None:
    yaml = 'focus_dpt: [1, 2, 3.5, 4]\nlens_codes: [10, 21, 30, 42]\n'
    assert read_stack(make_folder(tmp_path, 4, yaml)).focus_dpt.tolist() == [1, 2, 3.5, 4]


@pytest.mark.parametrize(
    ('yaml', 'message'),
    [
        ('scales: [1, 2, 3]', 'scales has 3 values for 4 images'),
        ('position_codes: [1, 2, 3, 4]', 'position_codes need lens_codes, which are not given'),
        ('lens_codes: [1, 2, 3, 4]\nposition_codes: [1, 2, 3]',
         'position_codes has 3 values for 4'),
        ('lens_codes: [1, 2, 3, 4]\nposition_codes: [1, 3, 2, 4]',
         'position_codes must be strictly monotonic: position_codes[2] is 2 after 3'),
        ('scales: [1, 1, 0, 1]', 'scales must be positive, not 0'),
        ('scales: [1, 1, 1e300, 1]', 'scales must be positive, not 1e+300; allowed: 0.1 .. 10'),
        ('scales: [1, 1, 1, 1]\ncentre_px: [1, 1e300]', 'centre_px must be within 1e+06 px'),
        ('scales: [1, 1, .nan, 1]', 'scales[2] must be finite, not nan'),
        ('scales: 1', 'scales must be a list of numbers, not 1'),
        ('centre_px: [1, 2]', 'centre_px is the centre of scales, which are not given'),
        ('scales: [1, 1, 1, 1]\ncentre_px: [1]', 'centre_px must be x and y, not 1 numbers'),
        ('scale: [1, 1, 1, 1]', "unknown key 'scale'; did you mean scales?"),
        ('scales: [1, 1, 1, 1]\nlens_codes: [10, 20, 30, 40]\n' + LENS,
         'scales and lens.scales exclude each other: give one'),
        ('focus_dpt: [1, 2, 3, 4]\nlens_codes: [10, 20, 30, 40]\n' + LENS,
         'lens and focus_dpt exclude each other: both give the focus'),
        ('focus_dpt: [1, 2, 3, 4]\nlens_codes: [10, 20, 30]', 'lens_codes has 3 values for 4'),
        ('lens_codes: [0, 1, 2, 3]\nlens: {codes: [0, 9], dioptres: [0, 5], scales: [1]}',
         'a lens table of 2 codes has 1 scales'),
        ('lens_codes: [0, 1, 2, 3]\nlens: {codes: [0, 9], dioptres: [0, 5], scale: [1, 1]}',
         'lens must have exactly the keys codes, dioptres, and may have scales'),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(tmp_path: Path, yaml: str, message: str) -> None:
    with pytest.raises(SffError, match=re.escape(message)) as caught:
        read_stack(make_folder(tmp_path, 4, yaml))
    assert isinstance(caught.value, (ConfigError, CalibrationError))
    assert str(caught.value).startswith(f'{tmp_path / "stack.yaml"}: ')


def sweep(step_dpt: float, codes: bool, centre: tuple[float, float] | None) -> list[Slice]:
    return [
        Slice(
            texture(i),
            LensState(
                (i + 1) * step_dpt,
                code=100.5 + 7 * i if codes else np.nan,
                position_code=90.5 + 7 * i if codes else np.nan,
                warp=None if centre is None else breathing_warp(scale, centre),
            ),
            1000 + i, i, 4,
        )
        for i, scale in enumerate(SCALES)
    ]  # fmt: skip


@pytest.mark.parametrize('step_dpt', [1 / 3, np.nan])
@pytest.mark.parametrize('codes', [True, False])
@pytest.mark.parametrize('centre', [None, (19.5, 15.5), (12.3, 20.7)])
def test_a_written_stack_reads_back_the_same(
    tmp_path: Path, step_dpt: float, codes: bool, centre: tuple[float, float] | None
) -> None:
    slices = sweep(step_dpt, codes, centre)
    write_stack(tmp_path / 'stack', slices, CAMERA)
    for sent, got in zip(slices, read_stack(tmp_path / 'stack').focal_stack().slices, strict=True):
        for name in ('focus_dpt', 'code', 'position_code'):
            np.testing.assert_array_equal(getattr(got.lens, name), getattr(sent.lens, name))
        assert (got.lens.warp is None) == (sent.lens.warp is None)
        if got.lens.warp is not None and sent.lens.warp is not None:
            np.testing.assert_allclose(got.lens.warp, sent.lens.warp, atol=1e-9)


def test_what_no_scales_say_is_not_written(tmp_path: Path) -> None:
    slices = sweep(1.0, True, None)
    turned = np.array([[1, 0.01, 0], [-0.01, 1, 0], [0, 0, 1]])
    odd = Slice(slices[0].image, LensState(0.5, warp=turned), 999, 0, 4)
    with pytest.raises(CalibrationError, match='a scale about one point of all images'):
        write_stack(tmp_path / 'stack', [odd, *slices[1:]], CAMERA)
    assert not (tmp_path / 'stack').exists()


def test_the_folder_camera_hands_on_what_is_known(tmp_path: Path) -> None:
    write_stack(tmp_path / 'stack', sweep(1.0, True, (12.3, 20.7)), CAMERA)
    camera = FolderCamera(FolderConfig(path=str(tmp_path / 'stack'), frame_rate=0.0))
    slice_ = camera.capture(3.0)
    assert (slice_.lens.focus_dpt, slice_.lens.code, slice_.lens.position_code) == (
        3.0,
        114.5,
        104.5,
    )
    assert slice_.lens.warp is not None
    np.testing.assert_allclose(slice_.lens.warp, breathing_warp(1.02, (12.3, 20.7)), atol=1e-9)


def test_field_curvature_is_written_and_read(tmp_path: Path) -> None:
    slices = [
        Slice(texture(i, (32, 40), 255), LensState(1.0 + i, field_dpt=-1.5), i, i, 4)
        for i in range(4)
    ]
    write_stack(tmp_path / 'stack', slices, CAMERA)
    stack = read_stack(tmp_path / 'stack')
    assert {lens.field_dpt for lens in stack.lens} == {-1.5}
    assert {slice_.lens.field_dpt for slice_ in stack.focal_stack().slices} == {-1.5}
    assert read_stack(make_folder(tmp_path / 'plain', 4)).lens[0].field_dpt == 0


def test_the_residual_of_the_calibration_is_written_and_read(tmp_path: Path) -> None:
    slices = [
        Slice(texture(i, (32, 40), 255), LensState(1.0 + i, residual_dpt=0.02), i, i, 4)
        for i in range(4)
    ]
    write_stack(tmp_path / 'stack', slices, CAMERA)
    assert {lens.residual_dpt for lens in read_stack(tmp_path / 'stack').lens} == {0.02}
    assert read_stack(make_folder(tmp_path / 'plain', 4)).lens[0].residual_dpt == 0


@pytest.mark.parametrize(
    ('yaml', 'message'),
    [
        ('residual_dpt: 0.1', 'residual_dpt is of focus distances, which are not given'),
        ('focus_dpt: [1, 2, 3, 4]\nresidual_dpt: -1', 'residual_dpt must be >= 0 dpt, not -1'),
        ('field_dpt: 2', 'field_dpt needs a camera_matrix'),
        (K + 'field_dpt: near', "field_dpt[0] must be a number, not 'near'"),
    ],
)
def test_a_calibration_that_means_nothing_is_refused(
    tmp_path: Path, yaml: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_stack(make_folder(tmp_path, 4, yaml))
    assert message in str(caught.value)
