"""Every metric against hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.metrics import bumpiness, error_at_coverage, score
from sff_ros.errors import StackError

NAN, INF = np.nan, np.inf


def test_scores_by_hand() -> None:
    ground_truth = np.array([[1.0, 2, 4, 8, NAN, INF]])
    estimate = np.array([[1.1, 2, 2, NAN, 5, 5]])
    with pytest.raises(ValueError, match='too small'):
        bumpiness(estimate, ground_truth)  # one row has no curvature
    ground_truth, estimate = np.repeat(ground_truth, 3, axis=0), np.repeat(estimate, 3, axis=0)
    result = score(estimate, ground_truth, bad_threshold=0.5)
    assert result.mae == pytest.approx(0.7)
    assert result.rmse == pytest.approx(np.sqrt((0.01 + 4) / 3))
    assert result.abs_rel == pytest.approx((0.1 + 0 + 0.5) / 3)
    assert result.delta == pytest.approx(2 / 3)
    assert result.bad == pytest.approx(1 / 3)
    assert result.valid_fraction == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ('estimate', 'ground_truth', 'delta'),
    [(-1, 1, 0), (1, -1, 0), (-1, -1.1, 1), (0, 1, 0), (1, 0, 0), (1.24, 1, 1), (0.79, 1, 0)],
)
def test_delta_guards_signs(estimate: float, ground_truth: float, delta: float) -> None:
    result = score(np.full((3, 3), float(estimate)), np.full((3, 3), float(ground_truth)), 1.0)
    assert result.delta == delta


def test_bumpiness_is_the_clipped_curvature_of_the_error() -> None:
    y, x = np.mgrid[:20, :20].astype(float)
    ground_truth = 3 * x + y
    assert bumpiness(ground_truth + 5 + 0.2 * x, ground_truth) == pytest.approx(0, abs=1e-9)
    # Second derivative 0.02 across x, exact but for the one-sided differences at the border.
    bent = bumpiness((ground_truth + 0.01 * x * x)[:, :], ground_truth)
    assert 100 * 0.01 < bent <= 100 * 0.02 + 1e-9
    assert bumpiness(ground_truth + 10.0 * x * x, ground_truth) == pytest.approx(5.0)


def test_error_at_coverage_follows_the_confidence() -> None:
    ground_truth = np.zeros((1, 4))
    ground_truth_known = np.hstack([ground_truth, [[NAN]]])
    estimate = np.array([[1.0, 2, 3, 4, 99]])
    confidence = np.array([[0.9, 0.8, 0.7, 0.1, 1.0]])
    errors = error_at_coverage(estimate, ground_truth_known, confidence, (0.25, 0.5, 1.0))
    assert errors == {0.25: 1.0, 0.5: 1.5, 1.0: 2.5}


def test_nothing_valid_scores_nan_not_zero() -> None:
    result = score(np.full((3, 3), NAN), np.ones((3, 3)), 1.0)
    assert np.isnan(result.mae)
    assert result.valid_fraction == 0


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: score(np.ones((3, 3)), np.ones((3, 4)), 1.0), r'estimate is \(3, 3\)'),
        (
            lambda: score(np.ones((3, 3)), np.full((3, 3), NAN), 1.0),
            'no pixel of the ground truth',
        ),
        (
            lambda: error_at_coverage(np.ones((3, 3)), np.ones((3, 3)), np.ones((3, 3)), (1.5,)),
            r'coverages must be in \(0, 1\]',
        ),
    ],
)
def test_what_cannot_be_scored_is_named(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(StackError, match=message):
        call()
