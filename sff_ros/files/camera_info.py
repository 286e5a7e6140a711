"""Intrinsics in ROS formats: camera_info YAML (camera_calibration) and messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError, ConfigError, quoted
from sff_ros.files.whole_file import write_file
from sff_ros.files.yaml_reader import as_mapping, as_matrix, as_numbers, read_mapping

_NEEDED = (
    'image_width',
    'image_height',
    'camera_matrix',
    'distortion_model',
    'distortion_coefficients',
)


def read_camera_info(path: Path) -> Intrinsics:
    """Read a camera_info YAML.

    The rectification and projection matrices are not used: a lone camera is rectified onto the
    pinhole with its own camera matrix. A camera matrix of zeros means not calibrated.

    Raises:
        CalibrationError: the file cannot be read, lacks a key, or a value is malformed.
    """
    try:
        content = read_mapping(path)
    except ConfigError as err:
        raise CalibrationError(str(err)) from err
    missing = [key for key in _NEEDED if key not in content]
    if missing:
        raise CalibrationError(f'{path}: camera_info lacks {", ".join(missing)}')
    try:
        size = [_size(content[key], key) for key in ('image_width', 'image_height')]
        model = content['distortion_model']
        if not isinstance(model, str):
            raise ConfigError(f'distortion_model must be a word, not {quoted(model)}')
        return make_intrinsics(
            (size[0], size[1]),
            _camera_matrix(content['camera_matrix']),
            _coefficients(content['distortion_coefficients']),
            model,
        )
    except (ConfigError, CalibrationError) as err:
        raise CalibrationError(f'{path}: {err}') from err


def write_camera_info(path: Path, intrinsics: Intrinsics, camera_name: str = 'sff') -> None:
    """Write a camera_info YAML that `read_camera_info` and other ROS programs read.

    Raises:
        CalibrationError: the file cannot be written.
    """
    k = [float(value) for value in intrinsics.matrix.ravel()] if intrinsics.is_calibrated else None
    k = k or [0.0] * 9
    identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    content = {
        'image_width': intrinsics.width,
        'image_height': intrinsics.height,
        'camera_name': camera_name,
        'camera_matrix': _layout(k, 3),
        'distortion_model': intrinsics.distortion_model,
        'distortion_coefficients': _layout(list(intrinsics.distortion), 1),
        'rectification_matrix': _layout(identity, 3),
        'projection_matrix': _layout([*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0], 3),
    }
    try:
        write_file(path, yaml.safe_dump(content, sort_keys=False))
    except OSError as err:
        raise CalibrationError(f'{path}: cannot be written: {err.strerror}') from err


def from_message(info: Any) -> Intrinsics:
    """Return the intrinsics of a sensor_msgs/CameraInfo; K[0] == 0 means not calibrated.

    Raises:
        CalibrationError: size, matrix or distortion are invalid, or the image is a part of that
            of the matrix.
    """
    matrix, distortion = tuple(map(float, info.k)), tuple(map(float, info.d))
    if not np.isfinite(matrix).all():
        raise CalibrationError(f'camera_matrix must be finite, not {quoted(list(matrix))}')
    size = (info.width, info.height)
    if matrix[0] == 0:
        return Intrinsics(*size)
    roi = info.roi
    window = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    if max(info.binning_x, info.binning_y) > 1 or window not in ((0, 0, 0, 0), (0, 0, *size)):
        raise CalibrationError('camera_info with binning or a region of interest is not supported')
    return make_intrinsics(
        size, matrix, distortion if any(distortion) else (), info.distortion_model
    )


def make_intrinsics(
    size: tuple[int, int],
    matrix: tuple[float, ...],
    distortion: tuple[float, ...] = (),
    model: str = '',
) -> Intrinsics:
    """Build intrinsics from the values of a file.

    Args:
        size: width and height, px.
        matrix: the nine numbers of K; all zero where the camera is not calibrated.
        distortion: coefficients in OpenCV's order; all zero counts as none.
        model: distortion model; empty: by the number of coefficients; `none`: there is none.

    Raises:
        CalibrationError: K is not that of a pinhole without skew, or there is distortion without
            a calibrated K, or the number of coefficients does not fit the model.
    """
    width, height = size
    distortion, model = _without_none(distortion, model)
    fx, skew, cx, zero, fy, cy, *last = matrix
    calibrated = any(matrix)
    if calibrated and (skew, zero, *last) != (0, 0, 0, 0, 1):
        raise CalibrationError(
            'camera_matrix must be [fx 0 cx; 0 fy cy; 0 0 1] or all zero, not '
            f'{quoted(list(matrix))}'
        )
    if calibrated and not fx:
        raise CalibrationError('camera_matrix must have a positive fx, or be all zero')
    if any(distortion) and not calibrated:
        raise CalibrationError('distortion needs a camera_matrix that is not zero')
    model = model or ('rational_polynomial' if len(distortion) == 8 else 'plumb_bob')
    return Intrinsics(width, height, fx, fy, cx, cy, distortion, model)


def _size(value: object, name: str) -> int:
    if type(value) is not int or value <= 0:
        raise ConfigError(f'{name} must be a positive whole number of pixels, not {quoted(value)}')
    return value


def _camera_matrix(value: object) -> tuple[float, ...]:
    shape, data = _numbers(value, 'camera_matrix')
    if shape != (3, 3):
        raise _misfit('camera_matrix', shape, data)
    return as_matrix(list(data), 'camera_matrix.data')


def _coefficients(value: object) -> tuple[float, ...]:
    """Return the coefficients of one row, as camera_calibration writes them, or one column."""
    shape, data = _numbers(value, 'distortion_coefficients')
    count = len(data)
    if shape not in ((1, count), (count, 1)) and not (shape == (0, 0) and count == 0):
        raise _misfit('distortion_coefficients', shape, data)
    return data


def _numbers(value: object, name: str) -> tuple[tuple[object, object], tuple[float, ...]]:
    """Return rows and columns, and the numbers, of one {rows, cols, data}."""
    layout = as_mapping(value, name, ('rows', 'cols', 'data'))
    return (layout['rows'], layout['cols']), as_numbers(layout['data'], f'{name}.data')


def _misfit(name: str, shape: tuple[object, object], data: tuple[float, ...]) -> ConfigError:
    return ConfigError(
        f'{name}: {len(data)} data do not fit rows {quoted(shape[0])}, cols {quoted(shape[1])}'
    )


def _without_none(distortion: tuple[float, ...], model: str) -> tuple[tuple[float, ...], str]:
    """Return coefficients and model; of the model `none`, which some drivers say, no more.

    Raises:
        CalibrationError: the model is `none`, and a coefficient is not zero.
    """
    if model.lower() != 'none':
        return distortion, model
    if any(distortion):
        raise CalibrationError(
            f'distortion_model {model} takes no coefficients but zeros, not '
            f'{quoted(list(distortion))}'
        )
    return (), ''


def _layout(data: list[float], rows: int) -> dict[str, object]:
    return {'rows': rows, 'cols': len(data) // rows, 'data': data}
