"""Range and meaning of a driver's focus parameter."""

from __future__ import annotations

from rcl_interfaces.msg import ParameterType

from sff_ros.cameras.lens_device import CodeRange
from sff_ros.cameras.ros_driver.parameters import DriverParameters, plain
from sff_ros.config.cameras import RosDriverConfig
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CameraError, quoted

_NUMBERS = {ParameterType.PARAMETER_INTEGER: int, ParameterType.PARAMETER_DOUBLE: float}


def lens_codes(driver: DriverParameters, config: RosDriverConfig) -> tuple[type, CodeRange]:
    """Return the type of lens codes, int or float, and their range.

    Raises:
        CameraError: the parameter is not a number, or its range is unknown.
    """
    declared = driver.describe(config.focus)
    kind = declared.type or driver.get(config.focus).type
    number = _NUMBERS.get(kind)
    if number is None:
        value = plain(driver.get(config.focus))
        raise CameraError(
            f'{config.focus} of {driver.node} is {quoted(value)}: set ros_driver.focus to a '
            'parameter that is a number'
        )
    ranges = (*declared.integer_range, *declared.floating_point_range)
    if (config.low, config.high) != (0, 0):
        low, high = config.low, config.high
    elif ranges:
        low, high = ranges[0].from_value, ranges[0].to_value
    else:
        raise CameraError(
            f'{driver.node} declares no range for {config.focus}: set ros_driver.low and '
            'ros_driver.high'
        )
    step = config.step or (ranges[0].step if ranges else 0) or (1 if number is int else 0)
    return number, CodeRange(float(low), float(high), float(step))


def nominal_table(codes: CodeRange, config: RosDriverConfig) -> LensTable | None:
    """Return codes -> dioptres from the config; None if unspecified.

    Raises:
        CameraError: an end would be beyond infinity.
    """
    if not config.dioptres_per_code:
        return None
    ends = (codes.low, codes.high)
    dioptres = tuple(config.dioptres_at_zero + config.dioptres_per_code * end for end in ends)
    if min(dioptres) < 0:
        raise CameraError(
            f'ros_driver.dioptres_per_code and dioptres_at_zero make {min(dioptres):g} dpt at an '
            f'end of {codes.low:g} .. {codes.high:g}: set ros_driver.low and high to where it is '
            '0 or more'
        )
    return LensTable(ends, dioptres)
