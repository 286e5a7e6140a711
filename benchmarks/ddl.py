"""Time of the focus measure of one slice, on one core.

python benchmarks/ddl.py --width 640 --height 480
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import cv2
import numpy as np

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.measure import measure_ddl
from sff_ros.inference.peak import PeakBackend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--repeats', type=int, default=50)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (args.height, args.width, 3), dtype=np.uint8)
    backend = PeakBackend()
    responses = backend.measure(image)
    context = RunningAllInFocus()
    jobs: dict[str, Callable[[], object]] = {
        'ddl_pooled_4': lambda: measure_ddl(image, 4),
        'ddl_pooled_2': lambda: measure_ddl(image, 2),
        'peak_backend_measure': lambda: backend.measure(image),
        'running_all_in_focus': lambda: context.add(image, responses),
    }
    result: dict[str, object] = {'size': [args.width, args.height], 'opencv': cv2.__version__}
    for name, job in jobs.items():
        times = []
        for _ in range(args.repeats):
            start = time.process_time()
            job()
            times.append(1e3 * (time.process_time() - start))
        result[f'{name}_ms'] = round(float(np.median(times)), 3)
    print(json.dumps(result, indent=2))


if __name__ == '__main__':
    main()
