"""The YAML file of a lens calibration, as `sff calibrate` writes it."""

from __future__ import annotations

from pathlib import Path

import yaml

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.errors import CalibrationError, ConfigError, quoted
from sff_ros.files.camera_info import make_intrinsics
from sff_ros.files.home import expanded
from sff_ros.files.whole_file import write_file
from sff_ros.files.yaml_reader import (
    as_mapping,
    as_matrix,
    as_number,
    as_numbers,
    check_keys,
    read_mapping,
)

NUMBERS = ('backlash', 'settle_s', 'lag_s', 'field_dpt', 'residual_dpt')
RENAMED = {'play': 'backlash'}
NEEDED = ('image_width', 'image_height', 'lens')
KEYS = (
    *('device', *NEEDED, *NUMBERS),
    *('camera_matrix', 'distortion', 'distortion_model', 'centre_px', 'optics'),
)


def read_lens(file: str | Path) -> LensCalibration:
    """Read the calibration of a lens.

    Keys: `image_width`, `image_height` (px) and `lens` {codes, dioptres, scales} are needed;
    `camera_matrix`, `distortion` and `distortion_model` (at the focus where the scale is 1),
    `centre_px` [x, y], `backlash` (codes), `settle_s`, `lag_s`, `field_dpt`, `residual_dpt`,
    `device` (identity) and `optics` {focal_mm, fnumber, pitch_um} are left out where unknown.

    Args:
        file: path; ~ is the home directory.

    Raises:
        CalibrationError: the file cannot be read, a key is missing or unknown, or a value is
            malformed.
    """
    try:
        path = expanded(file)
        content = read_mapping(path)
    except ConfigError as err:
        raise CalibrationError(f'{err}; `sff calibrate lens` makes one') from err
    try:
        _check_keys(content)
        return LensCalibration(
            table=_table(content['lens']),
            intrinsics=_intrinsics(content),
            backlash=as_number(content.get('backlash', 0.0), 'backlash'),
            settle_s=_optional(content, 'settle_s'),
            lag_s=_optional(content, 'lag_s'),
            centre_px=_centre(content.get('centre_px')),
            field_dpt=as_number(content.get('field_dpt', 0.0), 'field_dpt'),
            residual_dpt=_optional(content, 'residual_dpt'),
            device=_word(content, 'device'),
            optics=_optics(content.get('optics')),
        )
    except (ConfigError, CalibrationError) as err:
        raise CalibrationError(f'{path}: {err}') from err


def write_lens(path: Path, calibration: LensCalibration) -> None:
    """Write a calibration so that `read_lens` returns the same.

    Raises:
        CalibrationError: the file cannot be written.
    """
    k, table = calibration.intrinsics, calibration.table
    content: dict[str, object] = {'device': calibration.device} if calibration.device else {}
    content |= {'image_width': k.width, 'image_height': k.height}
    if k.is_calibrated:
        content['camera_matrix'] = k.matrix.tolist()
        if k.distortion:
            content['distortion'] = list(k.distortion)
            content['distortion_model'] = k.distortion_model
    if calibration.centre_px is not None:
        content['centre_px'] = list(calibration.centre_px)
    for name in NUMBERS:
        value = getattr(calibration, name)
        if value is not None:
            content[name] = float(value)
    lens = calibration.optics
    if lens is not None:
        content['optics'] = {
            'focal_mm': lens.focal_m * 1e3,
            'fnumber': lens.fnumber,
            'pitch_um': lens.pitch_m * 1e6,
        }
    lists = {'codes': table.codes, 'dioptres': table.dioptres, 'scales': table.scales}
    content['lens'] = {name: list(values) for name, values in lists.items() if values}
    try:
        write_file(path, yaml.safe_dump(content, sort_keys=False))
    except OSError as err:
        raise CalibrationError(f'{path}: cannot be written: {err.strerror}') from err


def _check_keys(content: dict[str, object]) -> None:
    check_keys(content, KEYS, RENAMED)
    missing = [key for key in NEEDED if key not in content]
    if missing:
        raise ConfigError(f'a lens calibration lacks {", ".join(missing)}')


def _table(value: object) -> LensTable:
    has_scales = isinstance(value, dict) and 'scales' in value
    names = ('codes', 'dioptres', 'scales') if has_scales else ('codes', 'dioptres')
    table = as_mapping(value, 'lens', names)
    return LensTable(*(as_numbers(table[name], f'lens.{name}') for name in names))


def _intrinsics(content: dict[str, object]) -> Intrinsics:
    width, height = (content[key] for key in ('image_width', 'image_height'))
    if type(width) is not int or type(height) is not int:
        raise ConfigError(
            f'image_width and image_height must be whole numbers, not {quoted(width)} and '
            f'{quoted(height)}'
        )
    matrix = as_matrix(content.get('camera_matrix', [0] * 9), 'camera_matrix')
    distortion = as_numbers(content.get('distortion', []), 'distortion')
    return make_intrinsics((width, height), matrix, distortion, _word(content, 'distortion_model'))


def _optional(content: dict[str, object], name: str) -> float | None:
    return as_number(content[name], name) if name in content else None


def _word(content: dict[str, object], name: str) -> str:
    value = content.get(name, '')
    if not isinstance(value, str):
        raise ConfigError(f'{name} must be a word, not {quoted(value)}')
    return value


def _centre(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = as_numbers(value, 'centre_px')
    if len(numbers) != 2:
        raise ConfigError(f'centre_px must be two numbers, x and y, not {quoted(value)}')
    return numbers[0], numbers[1]


def _optics(value: object) -> ThinLens | None:
    if value is None:
        return None
    names = ('focal_mm', 'fnumber', 'pitch_um')
    lens = as_mapping(value, 'optics', names)
    focal_mm, fnumber, pitch_um = (as_number(lens[name], f'optics.{name}') for name in names)
    if not min(focal_mm, fnumber, pitch_um) > 0:
        raise ConfigError(f'optics must be positive, not {focal_mm}, {fnumber} and {pitch_um}')
    return ThinLens(focal_mm * 1e-3, fnumber, pitch_um * 1e-6)
