"""Scores of the robustness suite: a row for each scene, reliability, error beside depth edges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sff_ros.cli.evaluation.robustness import Comparison, joined
from sff_ros.cli.evaluation.robustness_scenes import REFERENCE

ALL = 'all scenes'
DECILES = 10
EDGE_BINS_PX = (0.0, 1.5, 4.0, 8.0, 16.0, math.inf)


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """Scores of one backend on one scene; NaN where not applicable.

    Attributes:
        published: share of the judged pixels whose confidence reaches the threshold.
        wrong: share of the judged pixels that are published and wrong.
        wrong_of_published: share of the published judged pixels that are wrong.
        error: mean absolute error of the published judged pixels, positions of 15.
        right_of_knowable: share of the knowable pixels that are published and right.
    """

    published: float
    wrong: float
    wrong_of_published: float
    error: float
    right_of_knowable: float


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the pixels, by confidence.

    Attributes:
        confidence: its mean, 0..1.
        wrong: share of wrong pixels.
        error: mean absolute error, positions of 15; NaN where there is no ground truth.
    """

    confidence: float
    wrong: float
    error: float


@dataclass(frozen=True, slots=True)
class EdgeBin:
    """The pixels at some distance to the nearest depth edge.

    Attributes:
        from_px, to_px: distance, px; the last bin ends at infinity.
        pixels: share of the pixels.
        error: mean absolute error, positions of 15.
        error_share: share of the sum of all errors.
    """

    from_px: float
    to_px: float
    pixels: float
    error: float
    error_share: float


@dataclass(frozen=True, slots=True)
class SuiteScores:
    """All scores of a run.

    Attributes:
        min_confidence: from which a pixel counts as published.
        rows: of each (scene, backend), in the order of the suite.
        reliability: deciles by backend, then by REFERENCE and ALL.
        edges: of the reference scene, by backend.
    """

    min_confidence: float
    rows: Mapping[tuple[str, str], RobustnessRow]
    reliability: Mapping[str, Mapping[str, Sequence[Decile]]]
    edges: Mapping[str, Sequence[EdgeBin]]


def score_suite(
    comparisons: Mapping[tuple[str, str], Comparison], min_confidence: float
) -> SuiteScores:
    """Score the comparisons of each (scene, backend)."""
    backends = dict.fromkeys(backend for _, backend in comparisons)
    everything = {
        name: joined([c for (_, backend), c in comparisons.items() if backend == name])
        for name in backends
    }
    return SuiteScores(
        min_confidence,
        {key: score_row(c, min_confidence) for key, c in comparisons.items()},
        {
            name: {
                REFERENCE: deciles(comparisons[REFERENCE, name]),
                ALL: deciles(everything[name]),
            }
            for name in backends
        },
        {name: edge_bins(comparisons[REFERENCE, name]) for name in backends},
    )


def score_row(comparison: Comparison, min_confidence: float) -> RobustnessRow:
    """Score what is published at a confidence of min_confidence or more."""
    published = comparison.confidence >= min_confidence
    judged = comparison.judged & published
    compared = comparison.error[judged & np.isfinite(comparison.error)]
    all_judged, known = int(comparison.judged.sum()), int(comparison.knowable.sum())
    wrong = int((judged & comparison.wrong).sum())
    right = int((comparison.knowable & published & ~comparison.wrong).sum())
    return RobustnessRow(
        published=_share(int(judged.sum()), all_judged),
        wrong=_share(wrong, all_judged),
        wrong_of_published=_share(wrong, int(judged.sum())),
        error=float(compared.mean(dtype=np.float64)) if compared.size else math.nan,
        right_of_knowable=_share(right, known),
    )


def deciles(comparison: Comparison) -> list[Decile]:
    """Divide the judged pixels into tenths of growing confidence."""
    confidence = np.nan_to_num(comparison.confidence[comparison.judged])
    wrong, error = comparison.wrong[comparison.judged], comparison.error[comparison.judged]
    order = np.argsort(confidence, kind='stable')
    found = []
    for part in np.array_split(order, DECILES):
        known = error[part][np.isfinite(error[part])]
        found.append(
            Decile(
                confidence=float(confidence[part].mean(dtype=np.float64)),
                wrong=float(wrong[part].mean()),
                error=float(known.mean(dtype=np.float64)) if known.size else math.nan,
            )
        )
    return found


def edge_bins(comparison: Comparison) -> list[EdgeBin]:
    """Divide the judged pixels by distance to the nearest depth edge, at any confidence."""
    known = comparison.judged & np.isfinite(comparison.error)
    distance, error = comparison.edge_px[known], comparison.error[known].astype(np.float64)
    found = []
    for low, high in pairwise(EDGE_BINS_PX):
        here = (distance > low) & (distance <= high)
        mean = float(error[here].mean()) if here.any() else math.nan
        share = float(error[here].sum() / error.sum()) if error.sum() > 0 else math.nan
        found.append(EdgeBin(low, high, _share(int(here.sum()), len(error)), mean, share))
    return found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
