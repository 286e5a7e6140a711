"""The results of `sff evaluate` as a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sff_ros.cli.evaluation.scoring import Row

# Heading, field of Row, format.
COLUMNS = (
    ('MAE', 'mae', '.3f'),
    ('RMSE', 'rmse', '.3f'),
    ('bad-1, %', 'bad_1', '.1%'),
    ('AbsRel', 'abs_rel', '.4f'),
    ('bumpiness', 'bumpiness', '.2f'),
    ('MAE 50 %', 'mae_50', '.3f'),
    ('MAE 70 %', 'mae_70', '.3f'),
    ('MAE 90 %', 'mae_90', '.3f'),
    ('valid, %', 'valid', '.1%'),
    ('within 1 SD, %', 'within_1', '.1%'),
    ('within 2 SD, %', 'within_2', '.1%'),
    ('time, s', 'seconds', '.2f'),
)


def markdown(rows: Sequence[tuple[str, str, Row]]) -> str:
    """Format (stack, backend, row) as a table; columns without values are omitted."""
    shown = [
        column
        for column in COLUMNS
        if not all(math.isnan(getattr(row, column[1])) for *_, row in rows)
    ]
    lines = [
        ['stack', 'backend', *(heading for heading, _, _ in shown)],
        ['---', '---', *('---:' for _ in shown)],
    ]
    for stack, backend, row in rows:
        numbers = [as_text(getattr(row, name), form) for _, name, form in shown]
        lines.append([stack, backend, *numbers])
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def as_text(value: float, form: str) -> str:
    """Return a number for a table; a dash for NaN, percent without the sign."""
    return '-' if math.isnan(value) else format(value, form).removesuffix('%')
