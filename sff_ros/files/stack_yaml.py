"""The stack.yaml beside the images of a recorded sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sff_ros.core.image import Warp
from sff_ros.core.optics.breathing import MOST_SCALE, breathing_warp, middle, scales_of
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack
from sff_ros.errors import CalibrationError, ConfigError, StackError, quoted
from sff_ros.files.camera_info import make_intrinsics
from sff_ros.files.yaml_reader import as_matrix, as_numbers, check_keys, read_mapping

STACK_YAML = 'stack.yaml'
FOCUS_KEYS = ('focus_dpt', 'focus_m', 'lens_codes')
BREATHING_KEYS = ('scales', 'centre_px')
FARTHEST_PX = 1e6  # of the centre of breathing from the corner of the image
KEYS = (
    *FOCUS_KEYS, 'position_codes', 'lens', *BREATHING_KEYS, 'field_dpt', 'residual_dpt',
    'camera_matrix', 'distortion', 'distortion_model',
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class StackSettings:
    """Contents of a stack.yaml.

    Attributes:
        lens: state of the lens for each image; focus is known for all or for none.
        intrinsics: at the reference focus; not calibrated where unknown.
    """

    lens: tuple[LensState, ...]
    intrinsics: Intrinsics


def read_settings(path: Path, count: int, size: tuple[int, int]) -> StackSettings:
    """Read the settings of a recorded sweep; all are unknown if the file does not exist.

    Keys, all optional: `focus_dpt` (dioptres) or `focus_m` (metres, .inf allowed), one value an
    image and strictly monotonic; `lens_codes`, the commands to the lens, and with them
    `position_codes`, its positions, corrected for backlash; `lens` {codes, dioptres} or
    {codes, dioptres, scales}, the table from codes to dioptres and the image's scale; `scales`,
    one value an image, if `lens` does not give them; `centre_px`, the fixed point of breathing;
    `field_dpt`, the field curvature; `residual_dpt`, the standard deviation of the focus
    distances; `camera_matrix` (3x3, zero: not calibrated); `distortion` (4, 5 or 8 coefficients)
    and `distortion_model`.

    Args:
        path: the stack.yaml.
        count: number of images.
        size: their width and height, px.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type, number or order.
        CalibrationError: lens table or intrinsics are malformed, or a code is outside the table.
        StackError: a focus distance, the field curvature or the residual is beyond MAX_FOCUS_DPT.
    """
    if not path.exists():
        return StackSettings((LensState(),) * count, Intrinsics(*size))
    content = read_mapping(path)
    try:
        _check_keys(content)
        intrinsics = _intrinsics(content, size)
        return StackSettings(_lens_states(content, count, intrinsics), intrinsics)
    except (ConfigError, CalibrationError, StackError) as err:
        raise type(err)(f'{path}: {err}') from err


def _lens_states(
    content: dict[str, object], count: int, intrinsics: Intrinsics
) -> tuple[LensState, ...]:
    table = _lens(content)
    codes = _values(content, 'lens_codes', count)
    position_codes = _values(content, 'position_codes', count)
    focus_dpt = _focus(content, count, table)
    warps = _warps(content, count, focus_dpt, table, intrinsics)
    field_dpt = _field(content, intrinsics)
    residual_dpt = _residual(content, focus_dpt)
    unknown = (math.nan,) * count
    return tuple(
        LensState(*values, field_dpt=field_dpt, residual_dpt=residual_dpt)
        for values in zip(
            focus_dpt or unknown,
            codes or unknown,
            position_codes or unknown,
            warps or (None,) * count,
            strict=True,
        )
    )


def _check_keys(content: dict[str, object]) -> None:
    check_keys(content, KEYS)
    given = [key for key in FOCUS_KEYS[:2] if key in content]
    if len(given) > 1:
        raise ConfigError(f'{" and ".join(given)} exclude each other: give one')
    if 'position_codes' in content and 'lens_codes' not in content:
        raise ConfigError('position_codes need lens_codes, which are not given')
    if 'lens' in content and 'lens_codes' not in content:
        raise ConfigError('lens is a table for lens_codes, which are not given')
    if 'lens' in content and given:
        raise ConfigError(f'lens and {given[0]} exclude each other: both give the focus')


def _values(content: dict[str, object], key: str, count: int) -> tuple[float, ...] | None:
    """Return the values of each image; None where they are not given."""
    if key not in content:
        return None
    values = as_numbers(content[key], key, finite=key != 'focus_m')
    if len(values) != count:
        raise ConfigError(f'{key} has {len(values)} values for {count} images')
    return values


def _focus(content: dict[str, object], count: int, lens: LensTable | None) -> list[float] | None:
    """Return the dioptres of each image; None where unknown."""
    key = next((key for key in FOCUS_KEYS if key in content), None)
    values = None if key is None else _values(content, key, count)
    if key is None or values is None:
        return None
    _check_order(values, key)
    if key == 'lens_codes':
        # The table is in position codes; an unknown backlash is assumed to be 0.
        codes = _values(content, 'position_codes', count) or values
        _check_order(codes, 'position_codes')
        return None if lens is None else [lens.to_dioptres(code) for code in codes]
    for i, value in enumerate(values):
        if value < 0 or (key == 'focus_m' and value == 0):
            allowed = '> 0 m' if key == 'focus_m' else '>= 0 dpt'
            raise ConfigError(f'{key}[{i}] must be {allowed}, not {value:g}')
    return [1 / value for value in values] if key == 'focus_m' else list(values)


def _check_order(values: tuple[float, ...], key: str) -> None:
    """Reject values that are not strictly monotonic."""
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
    """Return the breathing of each image; None if unspecified."""
    scales: Sequence[float] | None = _values(content, 'scales', count)
    if lens is not None and lens.scales and focus_dpt is not None:
        if scales is not None:
            raise ConfigError('scales and lens.scales exclude each other: give one')
        scales = [lens.scale_at(dioptres) for dioptres in focus_dpt]
    if scales is None:
        if 'centre_px' in content:
            raise ConfigError('centre_px is the centre of scales, which are not given')
        return None
    for scale in scales:
        if not 1 / MOST_SCALE <= scale <= MOST_SCALE:
            raise ConfigError(
                f'scales must be positive, not {scale:g}; allowed: {1 / MOST_SCALE:g} .. '
                f'{MOST_SCALE:g}'
            )
    centre = middle(intrinsics)
    if 'centre_px' in content:
        given = as_numbers(content['centre_px'], 'centre_px')
        if len(given) != 2:
            raise ConfigError(f'centre_px must be x and y, not {len(given)} numbers')
        if max(map(abs, given)) > FARTHEST_PX:
            raise ConfigError(f'centre_px must be within {FARTHEST_PX:g} px, not {quoted(given)}')
        centre = (given[0], given[1])
    return tuple(breathing_warp(scale, centre) for scale in scales)


def _field(content: dict[str, object], intrinsics: Intrinsics) -> float:
    """Return the field curvature; 0 where it is not given."""
    if 'field_dpt' not in content:
        return 0.0
    if not intrinsics.is_calibrated:
        raise ConfigError('field_dpt needs a camera_matrix, which gives the angle off the axis')
    return as_numbers([content['field_dpt']], 'field_dpt')[0]


def _residual(content: dict[str, object], focus_dpt: list[float] | None) -> float:
    """Return the standard deviation of the focus distances; 0 where it is not given."""
    if 'residual_dpt' not in content:
        return 0.0
    if focus_dpt is None:
        raise ConfigError('residual_dpt is of focus distances, which are not given')
    (value,) = as_numbers([content['residual_dpt']], 'residual_dpt')
    if value < 0:
        raise ConfigError(f'residual_dpt must be >= 0 dpt, not {value:g}')
    return value


def _intrinsics(content: dict[str, object], size: tuple[int, int]) -> Intrinsics:
    model = content.get('distortion_model', '')
    if not isinstance(model, str):
        raise ConfigError(f'distortion_model must be a word, not {quoted(model)}')
    matrix = as_matrix(content.get('camera_matrix', [0] * 9), 'camera_matrix')
    distortion = as_numbers(content.get('distortion', []), 'distortion')
    return make_intrinsics(size, matrix, distortion, model)


def settings_of(stack: FocalStack, intrinsics: Intrinsics) -> dict[str, object]:
    """Return the content of a stack.yaml from which `read_settings` returns the same values.

    Raises:
        CalibrationError: breathing is not a scale about one point.
    """
    content: dict[str, object] = {}
    states = [slice_.lens for slice_ in stack.slices]
    if stack.has_focus:
        content['focus_dpt'] = [float(value) for value in stack.focus_dpt]
        if states[0].residual_dpt:
            content['residual_dpt'] = states[0].residual_dpt
    if not any(math.isnan(lens.code) for lens in states):
        content['lens_codes'] = [float(lens.code) for lens in states]
        if not any(math.isnan(lens.position_code) for lens in states):
            content['position_codes'] = [float(lens.position_code) for lens in states]
    if any(lens.warp is not None for lens in states):
        still = np.eye(3)
        warps = [still if lens.warp is None else lens.warp for lens in states]
        scales, centre = scales_of(warps)
        content |= {'scales': list(scales), 'centre_px': list(centre)}
    if intrinsics.is_calibrated:
        if states[0].field_dpt:
            content['field_dpt'] = states[0].field_dpt
        content['camera_matrix'] = intrinsics.matrix.tolist()
        if intrinsics.distortion:
            content['distortion'] = list(intrinsics.distortion)
            content['distortion_model'] = intrinsics.distortion_model
    return content
