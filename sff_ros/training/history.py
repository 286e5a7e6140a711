"""Training history: a CSV and its plot."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from sff_ros.files.whole_file import read_file, write_file

MAX_BYTES = 100_000_000  # of history.csv
ERRORS = ('train_mae', 'validation_mae', 'validation_mae_70', 'hard_mae', 'hard_mae_70')
SHARES = ('validation_wrong', 'validation_published', 'hard_wrong', 'hard_published')
COLUMNS = ('step', 'hours', 'learning_rate', *ERRORS, *SHARES)


class History:
    """Appends to history.csv and redraws history.png; resumed trainings continue both.

    Args:
        folder: of both files.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / 'history.csv'
        self._plot = folder / 'history.png'

    def add(self, **values: float) -> None:
        """Append a row of COLUMNS and redraw the plot."""
        rows = [row for row in self.rows() if row['step'] < values['step']]
        rows.append(values)
        text = io.StringIO(newline='')
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows({name: f'{row[name]:.6g}' for name in COLUMNS} for row in rows)
        write_file(self._file, text.getvalue())
        self._draw(rows)

    def rows(self) -> list[dict[str, float]]:
        """Return the rows so far."""
        if not self._file.exists():
            return []
        lines = read_file(self._file, MAX_BYTES).decode().splitlines()
        return [{name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(lines)]

    def _draw(self, rows: list[dict[str, float]]) -> None:
        """Plot errors and shares against the hours."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 7), layout='constrained')
        hours = [row['hours'] for row in rows]
        for axes, names in zip(figure.subplots(2, 1, sharex=True), (ERRORS, SHARES), strict=True):
            for name in names:
                axes.plot(hours, [row[name] for row in rows], label=name, marker='.')
            axes.grid(True, which='both', alpha=0.3)
            axes.legend()
        above, below = figure.axes
        above.set_ylabel('mean absolute error, positions of 15')
        above.set_yscale('log')
        below.set_ylabel('share of the pixels')
        below.set_xlabel('hours')
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer)
        write_file(self._plot, buffer.getvalue())
