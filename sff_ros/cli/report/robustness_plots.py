"""Plots of `sff evaluate --suite robustness`: reliability, error at edges, and each scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from sff_ros.cli.evaluation.drawn_scene import DrawnScene
from sff_ros.cli.evaluation.robustness_scores import Decile, SuiteScores
from sff_ros.cli.report.axes import Axes, Colour
from sff_ros.cli.report.images import coloured_positions
from sff_ros.cli.report.scale_bar import draw_text, text_size
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.image import Floats, Mask, RgbImage

_COLOURS: Sequence[Colour] = ((30, 90, 200), (240, 140, 30), (20, 140, 70), (150, 60, 160))
_IDEAL: Colour = (170, 170, 170)
_JUDGED, _KNOWABLE, _BOTH = (230, 120, 60), (60, 160, 90), (245, 245, 245)
_SIZE = 0.45
_TILE_PX = 320


def reliability_plot(scores: SuiteScores) -> RgbImage:
    """Draw each backend's tenths of confidence, one row a backend.

    Left is the share of wrong pixels, with a grey line where it is one minus the confidence;
    right the mean error. Each group of scenes has its colour.
    """
    return np.vstack([_reliability(name, of) for name, of in scores.reliability.items()])


def _reliability(backend: str, groups: Mapping[str, Sequence[Decile]]) -> RgbImage:
    unit = np.array([0.0, 1.0])
    every = [tenth for tenths in groups.values() for tenth in tenths]
    errors = np.array([0.0, *np.nan_to_num([tenth.error for tenth in every])])
    panels = [
        (Axes(unit, unit, 'confidence', f'{backend}: share that is wrong'), 'wrong'),
        (Axes(unit, errors, 'confidence', f'{backend}: mean error, positions of 15'), 'error'),
    ]
    panels[0][0].line(unit, 1 - unit, _IDEAL)
    for axes, name in panels:
        for tenths, colour in zip(groups.values(), _COLOURS, strict=False):
            values = [(t.confidence, float(getattr(t, name))) for t in tenths]
            known = np.array([pair for pair in values if np.isfinite(pair[1])])
            _series(axes, known[:, 0], known[:, 1], colour)
        _legend(axes, list(groups))
    return np.hstack([axes.canvas for axes, _ in panels])


def edge_plot(scores: SuiteScores) -> RgbImage:
    """Draw the mean error by distance to the nearest depth edge, a colour each backend."""
    lines = {
        name: np.array([(b.from_px, b.error) for b in bins if np.isfinite(b.error)])
        for name, bins in scores.edges.items()
    }
    every = np.vstack([[(0.0, 0.0)], *lines.values()])
    label = 'mean error, positions of 15'
    axes = Axes(every[:, 0], every[:, 1], 'px from a depth edge, and more', label)
    for line, colour in zip(lines.values(), _COLOURS, strict=False):
        _series(axes, line[:, 0], line[:, 1], colour)
    _legend(axes, list(lines))
    return axes.canvas


def scene_sheet(
    scene: DrawnScene, estimates: Mapping[str, FocusEstimate], min_confidence: float
) -> RgbImage:
    """Draw a scene: three slices, ground truth, masks, and what each backend publishes.

    In maps grey is no position; black is beyond the sweep. Judged pixels are orange in the mask,
    knowable ones green, white is both.
    """
    last = len(scene.images) - 1
    mask = np.zeros(scene.images[0].shape, np.uint8)
    mask[scene.judged], mask[scene.knowable] = _JUDGED, _KNOWABLE
    mask[scene.judged & scene.knowable] = _BOTH
    tiles = [(f'slice {index}', scene.images[index]) for index in (0, last // 2, last)]
    tiles += [('ground truth', coloured_positions(scene.position, last)), ('judged', mask)]
    for name, estimate in estimates.items():
        published: Mask = estimate.confidence >= min_confidence
        shown = np.where(published, estimate.position, np.float32(np.nan))
        tiles.append((name, coloured_positions(shown, last)))
    return np.hstack([_tile(name, image) for name, image in tiles])


def _series(axes: Axes, x: Floats, y: Floats, colour: Colour) -> None:
    axes.line(x, y, colour)
    axes.dots(x, y, colour)


def _legend(axes: Axes, names: Sequence[str]) -> None:
    for row, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        x = axes.canvas.shape[1] - text_size(name, _SIZE)[0] - 40
        draw_text(axes.canvas, name, (x, 56 + 18 * row), _SIZE, colour)


def _tile(name: str, image: RgbImage) -> RgbImage:
    times = max(1, _TILE_PX // image.shape[1])
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    framed = cv2.copyMakeBorder(large, 20, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    tile = np.asarray(framed, np.uint8)
    draw_text(tile, name, (4, 14), _SIZE)
    return tile
