"""Products, inverses and solutions of small matrices, without BLAS.

OpenBLAS 0.3.31 (in the wheels of NumPy 2.4), with its AVX-512 kernels, returns wrong blocks where
two threads of one process multiply at the same time. A lock would guard only the products of this
package, so no depth computation calls it: neither `@` nor `numpy.linalg`. Below 25 rows OpenCV
uses its own loops, not LAPACK.
"""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np

from sff_ros.core.image import AnyFloats, Floats, Warp


def product(*matrices: AnyFloats) -> Floats:
    """Return the matrix product of two or more matrices, left to right."""
    # einsum without `optimize` runs in NumPy's own loops.
    return np.asarray(reduce(lambda a, b: np.einsum('ij,jk->ik', a, b), matrices))


def inverse(warp: Warp) -> Warp:
    """Return the inverse of a (3, 3) matrix.

    Raises:
        numpy.linalg.LinAlgError: it is singular.
    """
    determinant, inverted = cv2.invert(np.asarray(warp, np.float64))
    if not determinant:
        raise np.linalg.LinAlgError('singular matrix')
    return np.asarray(inverted, np.float64)


def solve(matrix: Floats, right: Floats) -> Floats:
    """Return x (K,) of matrix x = right, for a (K, K) matrix, K < 25.

    Raises:
        numpy.linalg.LinAlgError: the matrix is singular.
    """
    solved, x = cv2.solve(matrix, right[:, None], flags=cv2.DECOMP_LU)
    if not solved:
        raise np.linalg.LinAlgError('singular matrix')
    return np.asarray(x[:, 0], np.float64)


def condition(symmetric: Floats) -> float:
    """Return the condition number of a symmetric (K, K) matrix, K < 25; infinite if singular."""
    magnitudes = np.abs(cv2.eigen(symmetric)[1])
    smallest = float(magnitudes.min())
    return float(magnitudes.max()) / smallest if smallest > 0 else float('inf')


def area_scale(warp: Warp) -> float:
    """Return the area scale of a (3, 3) affine warp: the determinant of its 2x2 part."""
    return float(warp[0, 0] * warp[1, 1] - warp[0, 1] * warp[1, 0])
