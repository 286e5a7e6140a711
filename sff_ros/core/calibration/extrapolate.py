"""Linear interpolation with extrapolation beyond the ends."""

from __future__ import annotations

import numpy as np

from sff_ros.core.image import Floats


def along(x: Floats, xs: Floats, ys: Floats) -> Floats:
    """Interpolate linearly between points; extrapolate the first and last pieces.

    Args:
        x: (N,) where to evaluate.
        xs: (K,) strictly monotonic, either way.
        ys: (K,).
    """
    order = np.argsort(xs)
    xs, ys = xs[order], ys[order]
    below = np.minimum(x - xs[0], 0) * (ys[1] - ys[0]) / (xs[1] - xs[0])
    above = np.maximum(x - xs[-1], 0) * (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    y: Floats = np.interp(x, xs, ys) + below + above
    return y
