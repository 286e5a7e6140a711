from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.depth.metric import metric_depth, to_millimetres

NAN, INF = float('nan'), float('inf')
LIMITS = {'min_confidence': 0.3, 'min_depth_m': 0.25, 'max_depth_m': 2.0}


def depth_of(dioptres: float, confidence: float, **limits: float) -> float:
    result = metric_depth(
        np.array([[dioptres]], np.float32), np.array([[confidence]], np.float32), **limits
    )
    assert result.dtype == np.float32
    assert result.shape == (1, 1)
    return float(result[0, 0])


@pytest.mark.parametrize(
    ('dioptres', 'expected'),
    [
        (2.0, 0.5),
        (0.001, 1000.0),
        (INF, -INF),  # nearer than the sweep reaches
        (-INF, INF),  # farther
        (0.0, INF),
        (-0.0, INF),
        (1e-40, INF),  # 1 / x is no float32
        (-1e-6, INF),  # beyond infinity
        (NAN, NAN),
    ],
)
def test_rep_117_without_limits(dioptres: float, expected: float) -> None:
    assert depth_of(dioptres, 0.0) == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ('dioptres', 'confidence', 'expected'),
    [
        (1.0, 0.9, 1.0),
        (4.0, 0.9, 0.25),  # exactly the limit is a measurement
        (0.5, 0.9, 2.0),
        (4.01, 0.9, -INF),
        (0.49, 0.9, INF),
        (1.0, 0.3, 1.0),
        (1.0, 0.299, NAN),
        (1.0, NAN, NAN),
        # What is not trusted is unknown, whatever it says.
        (INF, 0.1, NAN),
        (-INF, 0.1, NAN),
        (0.0, 0.1, NAN),
        (9.0, 0.1, NAN),
        (INF, NAN, NAN),
        (INF, 0.9, -INF),
        (-INF, 0.9, INF),
        (NAN, 0.9, NAN),
    ],
)
def test_rep_117_within_limits(dioptres: float, confidence: float, expected: float) -> None:
    assert depth_of(dioptres, confidence, **LIMITS) == pytest.approx(expected, nan_ok=True)


def test_no_confidence_is_enough_where_none_is_asked_for_but_nan_is_none() -> None:
    assert depth_of(1.0, 0.0, min_confidence=0.0) == 1.0
    assert np.isnan(depth_of(1.0, NAN, min_confidence=0.0))


def test_pixels_are_independent_and_inputs_left_alone() -> None:
    rng = np.random.default_rng(0)
    dioptres = rng.uniform(0.2, 6, (30, 40)).astype(np.float32)
    dioptres.flat[:4] = [INF, -INF, NAN, 0]
    confidence = rng.uniform(0, 1, (30, 40)).astype(np.float32)
    before = dioptres.copy(), confidence.copy()
    whole = metric_depth(dioptres, confidence, **LIMITS)
    pairs = zip(dioptres.ravel().tolist(), confidence.ravel().tolist(), strict=True)
    single = [depth_of(d, c, **LIMITS) for d, c in pairs]
    np.testing.assert_array_equal(whole.ravel(), np.array(single, np.float32))
    np.testing.assert_array_equal(dioptres, before[0])
    np.testing.assert_array_equal(confidence, before[1])
    finite = whole[np.isfinite(whole)]
    assert 0.25 <= finite.min() <= finite.max() <= 2.0


@pytest.mark.parametrize(
    ('depth_m', 'expected'),
    [
        (1.0, 1000),
        (0.0014, 1),
        (0.0016, 2),
        (0.001, 1),
        (0.0004, 0),
        (65.535, 65535),
        (65.536, 0),
        (1000.0, 0),
        (1e37, 0),
        (0.0, 0),
        (-1.0, 0),
        (NAN, 0),
        (INF, 0),
        (-INF, 0),
    ],
)
def test_millimetres(depth_m: float, expected: int) -> None:
    result = to_millimetres(np.array([[depth_m]], np.float32))
    assert result.dtype == np.uint16
    assert result.tolist() == [[expected]]


def test_every_millimetre_survives() -> None:
    millimetres = np.arange(1, 65536, dtype=np.uint16)[None]
    depth_m = (millimetres / 1000).astype(np.float32)
    np.testing.assert_array_equal(to_millimetres(depth_m), millimetres)
