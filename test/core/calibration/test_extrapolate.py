from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.calibration.extrapolate import along

XS, YS = np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 24.0])


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize(
    ('x', 'y'), [(1.0, 10.0), (1.5, 15.0), (3.0, 22.0), (4.0, 24.0), (0.0, 0.0), (5.5, 27.0)]
)
def test_pieces_and_what_lies_beyond(x: float, y: float, turned: bool) -> None:
    xs, ys = (XS[::-1], YS[::-1]) if turned else (XS, YS)
    assert along(np.array([x]), xs, ys) == pytest.approx([y])
