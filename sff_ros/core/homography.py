"""Products and inverses of small matrices, without BLAS.

OpenBLAS 0.3.31 (in the wheels of NumPy 2.4), with its AVX-512 kernels, returns wrong blocks where
two threads of one process multiply at the same time. A lock would guard only the products of this
package, so nothing that becomes depth calls it: neither `@` nor `numpy.linalg`.
"""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np

from sff_ros.core.image import Floats, Warp


def product(*matrices: Floats) -> Floats:
    """Return the matrix product of two or more matrices, left to right."""
    # einsum without `optimize` runs in NumPy's own loops.
    return reduce(lambda left, right: np.einsum('ij,jk->ik', left, right), matrices)


def inverse(warp: Warp) -> Warp:
    """Return the inverse of a (3, 3) matrix.

    Raises:
        numpy.linalg.LinAlgError: it is singular.
    """
    # Up to 3x3, OpenCV computes cofactors itself and calls no LAPACK.
    determinant, inverted = cv2.invert(np.asarray(warp, np.float64))
    if not determinant:
        raise np.linalg.LinAlgError('singular matrix')
    return np.asarray(inverted, np.float64)
