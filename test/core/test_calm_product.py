"""Products in pieces: the same numbers, whatever the order of memory, and no thread of BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sff_ros.core.calm_product import PRODUCT, calm_product

RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('shape', [(40_000, 15, 99), (1000, 41, 15), (7, 3, 2), (0, 3, 2)])
@pytest.mark.parametrize('turned', [False, True])
def test_it_is_the_product(shape: tuple[int, int, int], turned: bool) -> None:
    m, k, n = shape
    left = random(k, m).T if turned else random(m, k)
    right = random(k, n)
    np.testing.assert_allclose(calm_product(left, right), left @ right, rtol=1e-4, atol=1e-4)


def test_it_writes_to_where_it_is_told() -> None:
    left, right = random(30_001, 15), random(15, 20)
    out = np.zeros((20, 30_001), np.float32)
    calm_product(left, right, out=out.T)
    np.testing.assert_allclose(out, (left @ right).T, rtol=1e-4, atol=1e-4)


def test_no_piece_is_large_enough_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def matmul(left: Any, right: Any, out: Any) -> None:
        sizes.append(left.shape[-2] * right.size)
        out[...] = left @ right

    monkeypatch.setattr(np, 'matmul', matmul)
    calm_product(random(50_000, 15), random(15, 40))
    assert len(sizes) == 2
    assert max(sizes) <= PRODUCT
