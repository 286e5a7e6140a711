"""The output of `sff demo`: images, point cloud and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sff_ros.cli.report.images import (
    confidence_image,
    contact_sheet,
    depth_image,
    error_image,
    position_image,
)
from sff_ros.core.image import FloatMap
from sff_ros.files.export import write_ply
from sff_ros.files.image import write_png
from sff_ros.files.whole_file import write_file

if TYPE_CHECKING:
    from sff_ros.nodes.observer import Seen


def write_report(folder: Path, seen: Seen) -> dict[str, Any]:
    """Write everything that was received into a folder; return the metrics."""
    if seen.slices:
        focus, images = zip(*seen.slices, strict=True)
        write_png(folder / 'stack.png', contact_sheet(images, focus))
    if seen.sharp is not None:
        write_png(folder / 'all_in_focus.png', seen.sharp)
    if seen.confidence is not None:
        write_png(folder / 'confidence.png', confidence_image(seen.confidence))
    if seen.depth_m is not None:
        _write_depth(folder, seen, seen.depth_m)
    elif seen.position is not None:
        write_png(folder / 'depth.png', position_image(seen.position))
    metrics = figures(seen)
    write_file(folder / 'metrics.json', json.dumps(metrics, indent=2) + '\n')
    return metrics


def _write_depth(folder: Path, seen: Seen, depth_m: FloatMap) -> None:
    write_png(folder / 'depth.png', depth_image(depth_m))
    if seen.ground_truth_m is not None:
        write_png(folder / 'error.png', error_image(depth_m - seen.ground_truth_m, 'error, m'))
    points = seen.points()
    if points is not None:
        write_ply(folder / 'cloud.ply', *points)


def figures(seen: Seen) -> dict[str, Any]:
    """Return the metrics of a run; depth errors only if ground truth is known.

    depth_mae_m (m) and depth_abs_rel are means over sweeps, over the pixels with a depth;
    latencies are between arrivals of messages at a third process.
    """
    metrics: dict[str, Any] = {'sweeps': len(seen.results)}
    if seen.errors:
        error_m, relative = np.mean(seen.errors, axis=0)
        metrics |= {'depth_mae_m': round(float(error_m), 5)}
        metrics |= {'depth_abs_rel': round(float(relative), 5)}
    if seen.valid:
        metrics['valid_fraction'] = round(float(np.mean(seen.valid)), 4)
    median, p95 = np.percentile(np.array(seen.latencies_s or [np.nan]) * 1e3, (50, 95))
    return metrics | {
        'latency_ms': {'last_slice_to_depth': {'median': round(median, 1), 'p95': round(p95, 1)}},
        'dropped_slices': seen.dropped_slices(),
        'lost_sweeps': seen.lost_sweeps(),
    }
