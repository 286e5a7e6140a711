"""Small matrices without BLAS: the same numbers as numpy.linalg gives."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.homography import area_scale, condition, inverse, product, solve

RNG = np.random.default_rng(0)


def test_products_are_those_of_numpy() -> None:
    a, b, c = RNG.random((3, 3)), RNG.random((3, 3)), RNG.random((3, 5))
    np.testing.assert_allclose(product(a, b, c), a @ b @ c, rtol=1e-13)


def test_an_inverse_undoes_its_matrix() -> None:
    for scale in (1e-6, 1.0, 1e6):
        warp = scale * (np.eye(3) + 0.3 * RNG.random((3, 3)))
        np.testing.assert_allclose(product(warp, inverse(warp)), np.eye(3), atol=1e-12)


def test_a_singular_matrix_has_no_inverse() -> None:
    with pytest.raises(np.linalg.LinAlgError, match='singular'):
        inverse(np.zeros((3, 3)))


@pytest.mark.parametrize('size', [2, 4, 8])
def test_equations_are_solved(size: int) -> None:
    rows = RNG.standard_normal((size, 20))
    normal, right = rows @ rows.T, RNG.standard_normal(size)
    np.testing.assert_allclose(solve(normal, right), np.linalg.solve(normal, right), rtol=1e-9)
    assert condition(normal) == pytest.approx(np.linalg.cond(normal), rel=1e-6)


def test_what_has_no_solution_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match='singular'):
        solve(np.array([[1.0, 2.0], [2.0, 4.0]]), np.ones(2))
    assert condition(np.zeros((4, 4))) == np.inf


def test_areas_grow_with_the_square_of_the_scale() -> None:
    turn = np.array([[0.0, -1.1, 5.0], [1.1, 0.0, -3.0], [0, 0, 1.0]])
    assert area_scale(turn) == pytest.approx(1.21)
