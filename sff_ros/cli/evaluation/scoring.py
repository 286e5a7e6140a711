"""Score one backend on one stack with ground truth: its map, errors and time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from sff_ros.cli.evaluation.ground_truth import GroundTruth
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import Alignment
from sff_ros.core.focus.estimate import local_step
from sff_ros.core.image import AnyFloats, Mask
from sff_ros.core.metrics import error_at_coverage, score
from sff_ros.depth_pipeline import DepthPipeline, is_sure
from sff_ros.errors import StackError
from sff_ros.files.stack import RecordedStack
from sff_ros.inference.backend import DepthBackend
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

BAD_SLICES = 1.0
COVERAGES = (0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one map, or the mean of several; NaN where not applicable.

    Attributes:
        mae, rmse: slices.
        bad_1: share of pixels whose error is above one slice.
        abs_rel: mean of |error| / depth, in metres, where both are known.
        bumpiness: of the slice position; see core/metrics.py.
        mae_50, mae_70, mae_90: mean absolute error of the most confident 50, 70, 90 %, slices.
        valid: share of the pixels that keep their depth at the default min_confidence.
        within_1, within_2: share of these whose error is at most one, two standard deviations.
        seconds: from the arrival of the last slice to the map.
    """

    mae: float
    rmse: float
    bad_1: float
    abs_rel: float
    bumpiness: float
    mae_50: float
    mae_70: float
    mae_90: float
    valid: float
    within_1: float
    within_2: float
    seconds: float


def measure(
    stack: RecordedStack, backend: DepthBackend, align: Alignment = 'auto'
) -> tuple[FocusMap, float]:
    """Feed a sweep slice by slice; return the map and the seconds after the last one arrived.

    Raises:
        ModelError: the backend cannot take the stack.
        StackError: an image was damaged in the meantime, or too few are not blank.
    """
    method = ShapeFromFocus(backend)
    # Blank images are left out, as by `sff depth`.
    setup = SweepSetup(stack.intrinsics, align=align, max_missing=len(stack.paths))
    for i in range(len(stack.paths)):
        slice_ = stack.slice(i)
        start = time.perf_counter()
        focus_map = method.add(slice_, setup)
        seconds = time.perf_counter() - start
    if focus_map is None:
        blank = method.counts['blank_slices']
        raise StackError(
            f'{stack.paths[0].parent}: {blank} of {len(stack.paths)} images are black, white or '
            'of one colour, too few are left'
        )
    return focus_map, seconds


def judge(focus_map: FocusMap, ground_truth: GroundTruth, seconds: float) -> Row:
    """Compare a map with the ground truth."""
    estimate = focus_map.estimate
    scores = score(focus_map.index, ground_truth.index, BAD_SLICES)
    covered = error_at_coverage(
        focus_map.index, ground_truth.index, estimate.confidence, COVERAGES
    )
    known = np.isfinite(ground_truth.index)
    published = is_sure(estimate.confidence, DepthConfig()) & known
    ratio = _deviations(focus_map, ground_truth)[published]
    return Row(
        mae=scores.mae,
        rmse=scores.rmse,
        bad_1=scores.bad,
        abs_rel=_abs_rel(focus_map, ground_truth),
        bumpiness=scores.bumpiness,
        mae_50=covered[0.5],
        mae_70=covered[0.7],
        mae_90=covered[0.9],
        valid=float(published.sum() / known.sum()),
        within_1=_share(ratio <= 1),
        within_2=_share(ratio <= 2),
        seconds=seconds,
    )


def mean_row(rows: Sequence[Row]) -> Row:
    """Average each column over the rows where it applies."""
    columns = {f.name: [getattr(row, f.name) for row in rows] for f in fields(Row)}
    known = {name: [v for v in column if not math.isnan(v)] for name, column in columns.items()}
    return Row(**{name: sum(v) / len(v) if v else math.nan for name, v in known.items()})


def to_numbers(row: Row) -> dict[str, float | None]:
    """Return a row for JSON, which has no NaN."""
    return {name: None if math.isnan(v) else round(v, 6) for name, v in asdict(row).items()}


def _deviations(focus_map: FocusMap, ground_truth: GroundTruth) -> AnyFloats:
    """Return (H, W) errors over their standard deviations, NaN where unknown."""
    estimate = focus_map.estimate
    indices = np.array([slice_.index for slice_ in focus_map.stack.slices], float)
    deviation = estimate.deviation * local_step(estimate.position, indices)
    ratio: AnyFloats = np.abs(focus_map.index - ground_truth.index) / deviation
    return ratio


def _share(those: Mask) -> float:
    """Return the share of (N,) pixels; NaN if there is none."""
    return float(those.mean()) if those.size else math.nan


def _abs_rel(focus_map: FocusMap, ground_truth: GroundTruth) -> float:
    """Compare the depth at any confidence, rectified as `sff depth` writes it."""
    pipeline = DepthPipeline()
    rectified = pipeline.rectify(focus_map)
    focus = rectified.focus()
    if (
        focus is None
        or ground_truth.depth_m is None
        or not np.isfinite(ground_truth.depth_m).any()
    ):
        return math.nan
    depth = pipeline.depth(focus, DepthConfig(min_confidence=0.0))
    return score(depth.depth_m, rectified.map(ground_truth.depth_m), math.inf).abs_rel
