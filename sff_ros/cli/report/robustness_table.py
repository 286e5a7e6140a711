"""The results of `sff evaluate --suite robustness` as tables and as numbers for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from sff_ros.cli.evaluation.robustness_scores import Decile, EdgeBin, RobustnessRow, SuiteScores
from sff_ros.cli.report.evaluation_table import as_text

Cells = Sequence[str]

# Heading, field of RobustnessRow, format.
COLUMNS = (
    ('published, %', 'published', '.1%'),
    ('published and wrong, %', 'wrong', '.1%'),
    ('wrong of published, %', 'wrong_of_published', '.1%'),
    ('error', 'error', '.3f'),
    ('right of knowable, %', 'right_of_knowable', '.1%'),
)


def markdown(scores: SuiteScores) -> str:
    """Format all scores as Markdown with aligned columns, so that it reads as text, too."""
    parts = [_scenes(scores)]
    for backend, groups in scores.reliability.items():
        for group, tenths in groups.items():
            parts.append(f'Reliability of {backend}, {group}:\n\n{_tenths(tenths)}')
    for backend, bins in scores.edges.items():
        parts.append(f'Distance to the nearest depth edge, {backend}:\n\n{_bins(bins)}')
    return '\n\n'.join(parts)


def to_numbers(scores: SuiteScores) -> dict[str, object]:
    """Return all scores for JSON, which has neither NaN nor infinity."""
    return {
        'suite': 'robustness',
        'min_confidence': scores.min_confidence,
        'rows': [
            {'scene': scene, 'backend': backend, **_numbers(row)}
            for (scene, backend), row in scores.rows.items()
        ],
        'reliability': {
            backend: {group: [_numbers(tenth) for tenth in tenths] for group, tenths in of.items()}
            for backend, of in scores.reliability.items()
        },
        'edges': {
            backend: [_numbers(part) for part in of] for backend, of in scores.edges.items()
        },
    }


def _scenes(scores: SuiteScores) -> str:
    rows = [
        [scene, backend, *(as_text(getattr(row, name), form) for _, name, form in COLUMNS)]
        for (scene, backend), row in scores.rows.items()
    ]
    return _table(['scene', 'backend', *(heading for heading, _, _ in COLUMNS)], rows, 2)


def _tenths(tenths: Sequence[Decile]) -> str:
    rows = [
        [f'{number}', f'{t.confidence:.3f}', as_text(t.wrong, '.1%'), as_text(t.error, '.3f')]
        for number, t in enumerate(tenths, 1)
    ]
    return _table(['tenth', 'confidence', 'wrong, %', 'error'], rows, 0)


def _bins(bins: Sequence[EdgeBin]) -> str:
    rows = [
        [
            f'{b.from_px:g} to {b.to_px:g}'
            if math.isfinite(b.to_px)
            else f'{b.from_px:g} and more',
            as_text(b.pixels, '.1%'),
            as_text(b.error, '.3f'),
            as_text(b.error_share, '.1%'),
        ]
        for b in bins
    ]
    return _table(['px', 'of all pixels, %', 'error', 'of all error, %'], rows, 1)


def _table(heading: Cells, rows: Sequence[Cells], names: int) -> str:
    """Format a table whose first columns are names and whose others are numbers."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    rule = [
        '-' * width if index < names else '-' * (width - 1) + ':'
        for index, width in enumerate(widths)
    ]
    padded = [
        [
            cell.ljust(width) if index < names else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in (heading, rule, *rows)
    ]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in padded)


def _numbers(part: RobustnessRow | Decile | EdgeBin) -> dict[str, float | None]:
    return {k: round(v, 6) if math.isfinite(v) else None for k, v in asdict(part).items()}
