"""Growth of the estimation time with the number of slices, on one core.

python benchmarks/long_sweeps.py [--side 192] [--repeats 3]

Prints the processor time of the fit of the focus curves and of the whole classical estimate, and
their time per slice over that of the shortest sweep: 1 is linear growth.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from sff_ros.core.focus.curve_fit import CurveFitter
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.focus.peak import estimate_peak
from sff_ros.core.image import FloatMap, Floats

COUNTS = (15, 30, 60, 100, 200, 300)
WIDTH = 0.12  # half width of the curves, of the sweep


def fit(curves: FloatMap, axis: Floats) -> None:
    """Fit all curves of a volume."""
    CurveFitter(curves, axis).fit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--side', type=int, default=192, help='of square slices, px')
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    side = args.side // 2
    context = rng.integers(0, 256, (args.side, args.side, 3), dtype=np.uint8)
    peak = np.linspace(0.1, 0.9, side * side).reshape(side, side)
    rows = []
    for count in COUNTS:
        place = np.linspace(0, 1, count)[:, None, None, None]
        noise = rng.uniform(0.1, 0.2, (count, 4, side, side))
        responses = (1 / (1 + (np.abs(place - peak) / WIDTH) ** 2.5) + noise).astype(np.float32)
        axis = np.arange(float(count))
        volume = FocusVolume(responses, axis, (args.side, args.side), 2)
        curves = responses.sum(axis=1).reshape(count, -1)
        fit_s = median_s(args.repeats, partial(fit, curves, axis))
        estimate_s = median_s(args.repeats, partial(estimate_peak, volume, context))
        rows.append((count, fit_s, estimate_s))
    first = rows[0]
    result = [
        {
            'slices': count,
            'fit_s': round(fit_s, 4),
            'estimate_s': round(estimate_s, 3),
            'fit_growth': round(fit_s / first[1] * first[0] / count, 2),
            'estimate_growth': round(estimate_s / first[2] * first[0] / count, 2),
        }
        for count, fit_s, estimate_s in rows
    ]
    print(json.dumps(result, indent=2))


def median_s(repeats: int, job: Callable[[], object]) -> float:
    """Return the median processor time of a job, s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return float(np.median(times))


if __name__ == '__main__':
    main()
