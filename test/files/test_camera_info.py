from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError
from sff_ros.files.camera_info import from_message, read_camera_info, write_camera_info

# As camera_calibration writes it.
WEBCAM = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [516.17898,   0.     , 323.5253 ,
           0.     , 513.44912, 247.26581,
           0.     ,   0.     ,   1.     ]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.078696, -0.151563, -3e-05, 4.4e-04, 0.000000]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0.,
         0., 1., 0.,
         0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [511.2,   0. , 322.1,   0. ,
           0. , 512.3, 246.2,   0. ,
           0. ,   0. ,   1. ,   0. ]
"""


def test_a_file_of_camera_calibration_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'ost.yaml'
    path.write_text(WEBCAM)
    assert read_camera_info(path) == Intrinsics(
        640, 480, 516.17898, 513.44912, 323.5253, 247.26581,
        (0.078696, -0.151563, -3e-05, 4.4e-04, 0.0), 'plumb_bob',
    )  # fmt: skip


@pytest.mark.parametrize(
    'intrinsics',
    [
        Intrinsics(640, 480),
        Intrinsics(640, 480, 516.18, 513.45, 323.5, 247.3),
        Intrinsics(640, 480, 516.18, 513.45, 323.5, 247.3, (0.1, -0.2, 1e-7, 0.0, 0.3)),
        Intrinsics(41, 31, 50.1, 51.2, 0.1 + 0.2, 15, (0.1,) * 8, 'rational_polynomial'),
        Intrinsics(41, 31, 50.1, 51.2, 20, 15, (0.1, 0.2, 0.3, 1 / 3), 'equidistant'),
    ],
)
def test_what_is_written_reads_back_the_same(tmp_path: Path, intrinsics: Intrinsics) -> None:
    path = tmp_path / 'camera.yaml'
    write_camera_info(path, intrinsics, 'front')
    assert read_camera_info(path) == intrinsics


def test_the_written_file_has_the_keys_and_layout_of_ros(tmp_path: Path) -> None:
    path = tmp_path / 'camera.yaml'
    write_camera_info(path, Intrinsics(640, 480, 500, 510, 320, 240, (0.1, 0, 0, 0, 0)), 'front')
    assert yaml.safe_load(path.read_text()) == {
        'image_width': 640,
        'image_height': 480,
        'camera_name': 'front',
        'camera_matrix': {'rows': 3, 'cols': 3, 'data': [500, 0, 320, 0, 510, 240, 0, 0, 1]},
        'distortion_model': 'plumb_bob',
        'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.1, 0, 0, 0, 0]},
        'rectification_matrix': {'rows': 3, 'cols': 3, 'data': [1, 0, 0, 0, 1, 0, 0, 0, 1]},
        'projection_matrix': {
            'rows': 3,
            'cols': 4,
            'data': [500, 0, 320, 0, 0, 510, 240, 0, 0, 0, 1, 0],
        },
    }


def test_coefficients_in_a_column_are_read(tmp_path: Path) -> None:
    (tmp_path / 'row.yaml').write_text(WEBCAM)
    column = WEBCAM.replace('rows: 1\n  cols: 5', 'rows: 5\n  cols: 1')
    (tmp_path / 'column.yaml').write_text(column)
    read = [read_camera_info(tmp_path / f'{name}.yaml') for name in ('row', 'column')]
    assert read[0] == read[1]
    assert len(read[1].distortion) == 5


@pytest.mark.parametrize('model', ['none', 'None'])
@pytest.mark.parametrize(
    ('rows', 'cols', 'data'),
    [(1, 5, '[0, 0.0, 0, 0, 0]'), (5, 1, '[0, 0, 0, 0, 0]'), (1, 0, '[]'), (0, 0, '[]')],
)
def test_no_distortion_is_read(
    tmp_path: Path, model: str, rows: int, cols: int, data: str
) -> None:
    text = WEBCAM.replace('plumb_bob', model).replace('rows: 1', f'rows: {rows}')
    text = text.replace('cols: 5', f'cols: {cols}')
    path = tmp_path / 'ost.yaml'
    path.write_text(text.replace('[0.078696, -0.151563, -3e-05, 4.4e-04, 0.000000]', data))
    assert read_camera_info(path) == Intrinsics(
        640, 480, 516.17898, 513.44912, 323.5253, 247.26581
    )


def info_of(model: str, coefficients: list[float]) -> SimpleNamespace:
    """A sensor_msgs/CameraInfo, as far as it is read."""
    k = [500.0, 0, 320, 0, 510, 240, 0, 0, 1]
    return SimpleNamespace(
        width=640, height=480, k=k, d=coefficients, distortion_model=model, binning_x=0,
        binning_y=0, roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    )  # fmt: skip


def test_a_message_without_distortion_is_read() -> None:
    for model in ('none', 'None', '', 'plumb_bob'):
        for coefficients in ([], [0.0] * 5):
            found = from_message(info_of(model, coefficients))
            assert found == Intrinsics(640, 480, 500, 510, 320, 240)
    with pytest.raises(CalibrationError, match='none takes no coefficients but zeros'):
        from_message(info_of('none', [0.1, 0, 0, 0, 0]))


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('image_width: 640\n', '', 'lacks image_width'),
        ('camera_matrix:', 'K:', 'lacks camera_matrix'),
        ('image_width: 640', 'image_width: -640', 'image_width must be a positive whole'),
        ('image_height: 480', 'image_height: 480.5', 'image_height must be a positive whole'),
        ('516.17898', 'nan', 'camera_matrix.data[0] must be finite, not nan'),
        ('516.17898', 'f', "camera_matrix.data[0] must be a number, not 'f'"),
        ('516.17898', '0.', 'positive fx, or be all zero'),
        ('cols: 3\n  data: [516', 'cols: 4\n  data: [516', '9 data do not fit rows 3, cols 4'),
        ('rows: 1', 'rows: 2', 'distortion_coefficients: 5 data do not fit rows 2, cols 5'),
        ('rows: 1', 'rows: "\\n"', "5 data do not fit rows '\\n', cols 5"),
        ('model: plumb_bob', 'model: 5', 'distortion_model must be a word, not 5'),
        ('model: plumb_bob', 'model: fisheye', "distortion_model 'fisheye' is unknown; one"),
        ('model: plumb_bob', 'model: equidistant', 'equidistant takes 4 coefficients, not 5'),
        ('model: plumb_bob', 'model: none', 'none takes no coefficients but zeros, not [0.078'),
        ('image_width: 640', '%YAML:1.0', 'is not YAML'),
    ],
)  # fmt: skip
def test_wrong_files_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WEBCAM
    path = tmp_path / 'ost.yaml'
    path.write_text(WEBCAM.replace(old, new))
    with pytest.raises(CalibrationError, match=re.escape(message)) as caught:
        read_camera_info(path)
    assert str(caught.value).startswith(f'{path}: ')
    assert '\n' not in str(caught.value)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r'gone\.yaml: cannot be read: No such file'):
        read_camera_info(tmp_path / 'gone.yaml')
    with pytest.raises(CalibrationError, match=r'camera\.yaml: cannot be written: No such file'):
        write_camera_info(tmp_path / 'gone' / 'camera.yaml', Intrinsics(640, 480))
