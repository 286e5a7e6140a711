"""A table of a calibrated lens: code <-> dioptres, and image scale against focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.errors import CalibrationError


@dataclass(frozen=True, slots=True)
class LensTable:
    """A table of lens codes and the dioptres they focus at, linear in between.

    Attributes:
        codes: position codes of the lens, strictly increasing.
        dioptres: focus distance at each code, strictly monotonic, same length.
        scales: size of the image relative to the reference focus, same length; empty where
            breathing was not measured.
    """

    codes: tuple[float, ...]
    dioptres: tuple[float, ...]
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.codes) < 2 or len(self.codes) != len(self.dioptres):
            raise CalibrationError(
                f'a lens table needs two or more codes and as many dioptres, not '
                f'{len(self.codes)} and {len(self.dioptres)}'
            )
        if self.scales and len(self.scales) != len(self.codes):
            raise CalibrationError(
                f'a lens table of {len(self.codes)} codes has {len(self.scales)} scales'
            )
        if not np.isfinite((*self.codes, *self.dioptres, *self.scales)).all():
            raise CalibrationError('a lens table must be finite')
        steps = np.diff(self.dioptres)
        if not (np.diff(self.codes) > 0).all():
            raise CalibrationError('the codes of a lens table must be strictly increasing')
        if not ((steps > 0).all() or (steps < 0).all()) or min(self.dioptres) < 0:
            raise CalibrationError(
                'the dioptres of a lens table must be strictly monotonic and >= 0'
            )
        if any(scale <= 0 for scale in self.scales):
            raise CalibrationError('the scales of a lens table must be positive')

    def to_dioptres(self, code: float) -> float:
        """Return the focus distance at a code, dioptres.

        Raises:
            CalibrationError: the code lies outside the table.
        """
        return _interpolate('lens code', code, self.codes, self.dioptres)

    def to_code(self, dioptres: float) -> float:
        """Return the code that focuses at the given dioptres.

        Raises:
            CalibrationError: the dioptres lie outside the table.
        """
        return _interpolate('focus in dioptres', dioptres, self.dioptres, self.codes)

    def scale_at(self, dioptres: float) -> float:
        """Return the size of the image at a focus relative to the reference focus.

        Raises:
            CalibrationError: breathing was not measured, or the dioptres lie outside the table.
        """
        if not self.scales:
            raise CalibrationError('this lens table has no scales: breathing was not measured')
        return _interpolate('focus in dioptres', dioptres, self.dioptres, self.scales)


def _interpolate(name: str, value: float, xs: tuple[float, ...], ys: tuple[float, ...]) -> float:
    """Interpolate linearly in a monotonic table; raise outside of it."""
    low, high = min(xs[0], xs[-1]), max(xs[0], xs[-1])
    if not low <= value <= high:
        raise CalibrationError(f'{name} {value:g} is outside the calibrated {low:g} .. {high:g}')
    order = 1 if xs[0] < xs[-1] else -1
    return float(np.interp(value, xs[::order], ys[::order]))
