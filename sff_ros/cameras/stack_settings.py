"""The stack.yaml beside the pictures of a recorded sweep."""

from __future__ import annotations

import difflib
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sff_ros.cameras.camera_info import make_intrinsics
from sff_ros.cameras.yaml_file import as_mapping, as_matrix, as_numbers, read_mapping
from sff_ros.core.intrinsics import Intrinsics
from sff_ros.core.lens import LensTable
from sff_ros.errors import CalibrationError, ConfigError

STACK_YAML = 'stack.yaml'
FOCUS_KEYS = ('focus_dpt', 'focus_m', 'lens_codes')
KEYS = (*FOCUS_KEYS, 'lens', 'camera_matrix', 'distortion', 'distortion_model')

FocusList = npt.NDArray[np.float64]


def read_settings(path: Path, count: int, size: tuple[int, int]) -> tuple[FocusList, Intrinsics]:
    """Read what is known of a recorded sweep; a file that does not exist knows nothing.

    Keys, all optional: one of `focus_dpt` (dioptres), `focus_m` (metres, .inf allowed) and
    `lens_codes`, a value a picture and strictly monotonic; `lens` {codes, dioptres}, the table
    that turns lens_codes into dioptres; `camera_matrix` (3x3, zero: not calibrated);
    `distortion` (4, 5 or 8 coefficients) and `distortion_model`.

    Args:
        path: the stack.yaml.
        count: number of pictures.
        size: their width and height, px.

    Returns:
        (count,) dioptres, all NaN where unknown, and the intrinsics.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type, number or order.
        CalibrationError: the lens table or the intrinsics are malformed or do not reach.
    """
    unknown = np.full(count, np.nan)
    if not path.exists():
        return unknown, Intrinsics(*size)
    content = read_mapping(path)
    try:
        _check_keys(content)
        focus_dpt = _focus(content, count)
        intrinsics = _intrinsics(content, size)
    except (ConfigError, CalibrationError) as err:
        raise type(err)(f'{path}: {err}') from err
    return unknown if focus_dpt is None else np.array(focus_dpt), intrinsics


def _check_keys(content: dict[str, object]) -> None:
    for key in content:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f'did you mean {near[0]}? ' if near else ''
            raise ConfigError(f'unknown key {key!r}; {hint}known: {", ".join(KEYS)}')
    given = [key for key in FOCUS_KEYS if key in content]
    if len(given) > 1:
        raise ConfigError(f'{" and ".join(given)} exclude each other: give one')
    if 'lens' in content and 'lens_codes' not in content:
        raise ConfigError('lens is a table for lens_codes, which are not given')


def _focus(content: dict[str, object], count: int) -> list[float] | None:
    """Return the dioptres of each picture; None where unknown."""
    key = next((key for key in FOCUS_KEYS if key in content), None)
    if key is None:
        return None
    values = as_numbers(content[key], key, finite=key != 'focus_m')
    if len(values) != count:
        raise ConfigError(f'{key} has {len(values)} values for {count} pictures')
    _check_order(values, key)
    if key == 'lens_codes':
        return _through_table(content, values)
    for i, value in enumerate(values):
        if value < 0 or (key == 'focus_m' and value == 0):
            allowed = '> 0 m' if key == 'focus_m' else '>= 0 dpt'
            raise ConfigError(f'{key}[{i}] must be {allowed}, not {value:g}')
    return [1 / value for value in values] if key == 'focus_m' else list(values)


def _check_order(values: tuple[float, ...], key: str) -> None:
    """Refuse values that do not all grow or all fall."""
    falls = values[0] > values[1]
    for i in range(1, len(values)):
        before, value = values[i - 1], values[i]
        if (value >= before) if falls else (value <= before):
            raise ConfigError(
                f'{key} must be strictly monotonic: {key}[{i}] is {value:g} after {before:g}'
            )


def _through_table(content: dict[str, object], codes: tuple[float, ...]) -> list[float] | None:
    if 'lens' not in content:
        return None
    table = as_mapping(content['lens'], 'lens', ('codes', 'dioptres'))
    lens = LensTable(*(as_numbers(table[key], f'lens.{key}') for key in ('codes', 'dioptres')))
    return [lens.to_dioptres(code) for code in codes]


def _intrinsics(content: dict[str, object], size: tuple[int, int]) -> Intrinsics:
    model = content.get('distortion_model', '')
    if not isinstance(model, str):
        raise ConfigError(f'distortion_model must be a word, not {model!r}')
    matrix = as_matrix(content.get('camera_matrix', [0] * 9), 'camera_matrix')
    distortion = as_numbers(content.get('distortion', []), 'distortion')
    return make_intrinsics(size, matrix, distortion, model)


def settings_of(focus_dpt: FocusList, intrinsics: Intrinsics) -> dict[str, object]:
    """Return the content of a stack.yaml that `read_settings` turns into the same values."""
    content: dict[str, object] = {}
    if not math.isnan(focus_dpt[0]):
        content['focus_dpt'] = [float(value) for value in focus_dpt]
    if intrinsics.is_calibrated:
        content['camera_matrix'] = intrinsics.matrix.tolist()
        if intrinsics.distortion:
            content['distortion'] = list(intrinsics.distortion)
            content['distortion_model'] = intrinsics.distortion_model
    return content
