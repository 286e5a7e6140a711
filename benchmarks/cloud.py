"""From metres to an organised cloud message, 640x480: milliseconds.

./run python benchmarks/cloud.py
"""

from __future__ import annotations

import json
import time

import numpy as np
from std_msgs.msg import Header

from sff_ros.core.depth.cloud import CloudBuilder
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.nodes.messages import to_cloud

RUNS = 100


def main() -> None:
    """Time the code path of depth_node, message included."""
    rng = np.random.default_rng(0)
    builder = CloudBuilder(Intrinsics(640, 480, 1159.0, 1159.0, 319.5, 239.5))
    depth = rng.uniform(0.3, 0.8, (480, 640)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.1] = np.nan
    colour = rng.integers(0, 256, (480, 640, 3), np.uint8)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        to_cloud(builder.fill(depth, colour), Header())
        times.append((time.perf_counter() - start) * 1e3)
    median, p95 = np.percentile(times, (50, 95))
    print(json.dumps({'metres_to_cloud_ms': {'median': round(median, 2), 'p95': round(p95, 2)}}))


if __name__ == '__main__':
    main()
