"""Matrix products that stay on the calling thread.

OpenBLAS shares a large product with threads of its own, which then spin for some 20 ms in case
more work comes. On two cores that took 50 ms from what ran next (the network, after the last
slice), far more than the threads had brought.
"""

from __future__ import annotations

import numpy as np

from sff_ros.core.image import FloatMap

PRODUCT = 250_000  # multiplications of one call, up to which BLAS starts no thread


def calm_product(left: FloatMap, right: FloatMap, out: FloatMap | None = None) -> FloatMap:
    """Return left @ right, in pieces of rows.

    Args:
        left: (M, K) float32, in any order of memory.
        right: (K, N) float32.
        out: (M, N) to write to, in any order of memory.
    """
    (total, common), columns = left.shape, right.shape[1]
    if out is None:
        out = np.empty((total, columns), np.float32)
    rows = max(1, PRODUCT // max(1, common * columns))
    even = total - total % rows
    # Splitting an axis never copies, so that `out` itself is written to.
    pieces = left[:even].reshape(-1, rows, common), out[:even].reshape(-1, rows, columns)
    np.matmul(pieces[0], right, out=pieces[1])
    np.matmul(left[even:], right, out=out[even:])
    return out
