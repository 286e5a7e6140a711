"""The stack.yaml beside the pictures of a recorded sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Warp
from sff_ros.core.optics.breathing import breathing_warp, middle, scales_of
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.stack import FocalStack
from sff_ros.errors import CalibrationError, ConfigError
from sff_ros.files.camera_info import make_intrinsics
from sff_ros.files.yaml_reader import as_matrix, as_numbers, check_keys, read_mapping

STACK_YAML = 'stack.yaml'
FOCUS_KEYS = ('focus_dpt', 'focus_m', 'lens_codes')
BREATHING_KEYS = ('scales', 'centre_px')
KEYS = (
    *FOCUS_KEYS, 'lens', *BREATHING_KEYS, 'field_dpt', 'camera_matrix', 'distortion',
    'distortion_model',
)  # fmt: skip

FocusList = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StackSettings:
    """What is known of a recorded sweep.

    Attributes:
        focus_dpt: (S,) dioptres, all NaN where unknown.
        intrinsics: at the reference focus; not calibrated where unknown.
        codes: (S,) what the lens was told, all NaN where unknown.
        warps: from px of the reference focus to px of each picture; None where nobody says.
        field_dpt: field curvature, dioptres at tan^2 = 1 off the axis; 0 where nobody says.
    """

    focus_dpt: FocusList
    intrinsics: Intrinsics
    codes: FocusList
    warps: tuple[Warp, ...] | None = None
    field_dpt: float = 0.0


def read_settings(path: Path, count: int, size: tuple[int, int]) -> StackSettings:
    """Read what is known of a recorded sweep; a file that does not exist knows nothing.

    Keys, all optional: `focus_dpt` (dioptres) or `focus_m` (metres, .inf allowed), a value a
    picture and strictly monotonic; `lens_codes`, likewise, and `lens` {codes, dioptres} or
    {codes, dioptres, scales}, the table that turns them into dioptres and the picture's scale;
    `scales`, a value a picture, where `lens` does not give them; `centre_px`, the point that
    pictures grow about; `field_dpt`, the field curvature; `camera_matrix` (3x3, zero: not
    calibrated); `distortion` (4, 5 or 8 coefficients) and `distortion_model`.

    Args:
        path: the stack.yaml.
        count: number of pictures.
        size: their width and height, px.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type, number or order.
        CalibrationError: the lens table or the intrinsics are malformed or do not reach.
    """
    unknown = np.full(count, np.nan)
    if not path.exists():
        return StackSettings(unknown, Intrinsics(*size), unknown)
    content = read_mapping(path)
    try:
        _check_keys(content)
        lens = _lens(content)
        codes = _values(content, 'lens_codes', count)
        focus_dpt = _focus(content, count, lens)
        intrinsics = _intrinsics(content, size)
        warps = _warps(content, count, focus_dpt, lens, intrinsics)
        field_dpt = _field(content, intrinsics)
    except (ConfigError, CalibrationError) as err:
        raise type(err)(f'{path}: {err}') from err
    return StackSettings(
        unknown if focus_dpt is None else np.array(focus_dpt),
        intrinsics,
        unknown if codes is None else np.array(codes),
        warps,
        field_dpt,
    )


def _check_keys(content: dict[str, object]) -> None:
    check_keys(content, KEYS)
    given = [key for key in FOCUS_KEYS[:2] if key in content]
    if len(given) > 1:
        raise ConfigError(f'{" and ".join(given)} exclude each other: give one')
    if 'lens' in content and 'lens_codes' not in content:
        raise ConfigError('lens is a table for lens_codes, which are not given')
    if 'lens' in content and given:
        raise ConfigError(f'lens and {given[0]} exclude each other: both say where focus was')


def _values(content: dict[str, object], key: str, count: int) -> tuple[float, ...] | None:
    """Return the values of each picture; None where they are not given."""
    if key not in content:
        return None
    values = as_numbers(content[key], key, finite=key != 'focus_m')
    if len(values) != count:
        raise ConfigError(f'{key} has {len(values)} values for {count} pictures')
    return values


def _focus(content: dict[str, object], count: int, lens: LensTable | None) -> list[float] | None:
    """Return the dioptres of each picture; None where unknown."""
    key = next((key for key in FOCUS_KEYS if key in content), None)
    values = None if key is None else _values(content, key, count)
    if key is None or values is None:
        return None
    _check_order(values, key)
    if key == 'lens_codes':
        return None if lens is None else [lens.to_dioptres(code) for code in values]
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


def _lens(content: dict[str, object]) -> LensTable | None:
    """Return the table of the lens; None where it is not given."""
    if 'lens' not in content:
        return None
    table = content['lens']
    names = ('codes', 'dioptres', 'scales')
    if not isinstance(table, dict) or set(table) not in (set(names[:2]), set(names)):
        raise ConfigError('lens must have exactly the keys codes, dioptres, and may have scales')
    return LensTable(*(as_numbers(table[key], f'lens.{key}') for key in names if key in table))


def _warps(
    content: dict[str, object],
    count: int,
    focus_dpt: list[float] | None,
    lens: LensTable | None,
    intrinsics: Intrinsics,
) -> tuple[Warp, ...] | None:
    """Return how each picture breathed; None where nothing says."""
    scales: Sequence[float] | None = _values(content, 'scales', count)
    if lens is not None and lens.scales and focus_dpt is not None:
        if scales is not None:
            raise ConfigError('scales and lens.scales exclude each other: give one')
        scales = [lens.scale_at(dioptres) for dioptres in focus_dpt]
    if scales is None:
        if 'centre_px' in content:
            raise ConfigError('centre_px is the centre of scales, which are not given')
        return None
    if min(scales) <= 0:
        raise ConfigError(f'scales must be positive, not {min(scales):g}')
    centre = middle(intrinsics)
    if 'centre_px' in content:
        given = as_numbers(content['centre_px'], 'centre_px')
        if len(given) != 2:
            raise ConfigError(f'centre_px must be x and y, not {len(given)} numbers')
        centre = (given[0], given[1])
    return tuple(breathing_warp(scale, centre) for scale in scales)


def _field(content: dict[str, object], intrinsics: Intrinsics) -> float:
    """Return the field curvature; 0 where it is not given."""
    if 'field_dpt' not in content:
        return 0.0
    if not intrinsics.is_calibrated:
        raise ConfigError('field_dpt needs a camera_matrix, which says what is off the axis')
    return as_numbers([content['field_dpt']], 'field_dpt')[0]


def _intrinsics(content: dict[str, object], size: tuple[int, int]) -> Intrinsics:
    model = content.get('distortion_model', '')
    if not isinstance(model, str):
        raise ConfigError(f'distortion_model must be a word, not {model!r}')
    matrix = as_matrix(content.get('camera_matrix', [0] * 9), 'camera_matrix')
    distortion = as_numbers(content.get('distortion', []), 'distortion')
    return make_intrinsics(size, matrix, distortion, model)


def settings_of(stack: FocalStack, intrinsics: Intrinsics) -> dict[str, object]:
    """Return the content of a stack.yaml that `read_settings` turns into the same values.

    Raises:
        CalibrationError: slices breathe in a way that no scale about one point is.
    """
    content: dict[str, object] = {}
    codes = [slice_.code for slice_ in stack.slices]
    if stack.has_focus:
        content['focus_dpt'] = [float(value) for value in stack.focus_dpt]
    if not any(map(math.isnan, codes)):
        content['lens_codes'] = codes
    if any(slice_.warp is not None for slice_ in stack.slices):
        still = np.eye(3)
        warps = [still if slice_.warp is None else slice_.warp for slice_ in stack.slices]
        scales, centre = scales_of(warps)
        content |= {'scales': list(scales), 'centre_px': list(centre)}
    if intrinsics.is_calibrated:
        if stack.slices[0].field_dpt:
            content['field_dpt'] = stack.slices[0].field_dpt
        content['camera_matrix'] = intrinsics.matrix.tolist()
        if intrinsics.distortion:
            content['distortion'] = list(intrinsics.distortion)
            content['distortion_model'] = intrinsics.distortion_model
    return content
