"""The calibration board as a page that prints at true size."""

from __future__ import annotations

import numpy as np

from sff_ros.core.calibration.charuco import CELLS, Board

POINT_M = 0.0254 / 72  # PDF's unit
MARGIN = 0.4  # white margin around the board, squares: 11x7 of 25 mm fit A4
RULER_M = 0.1  # to check the print scale


def board_pdf(board: Board) -> bytes:
    """Return a one-page vector PDF of the size of board and margin.

    A line of RULER_M below the board serves to check the print scale.
    """
    side = board.square_m / POINT_M
    width, height = (board.columns + 2 * MARGIN) * side, (board.rows + 3 * MARGIN) * side
    bottom = 2 * MARGIN * side
    cell = side / CELLS
    drawn = board.draw(CELLS) < 128
    lines = ['0 g']
    for row, cells in enumerate(drawn):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], cells.astype(np.int8), [0]))))
        y = bottom + board.rows * side - (row + 1) * cell
        for start, end in edges.reshape(-1, 2).tolist():
            x = MARGIN * side + start * cell
            # Slightly higher than the cell, or printers leave white lines between rows.
            lines.append(f'{x:.4f} {y:.4f} {(end - start) * cell:.4f} {cell * 1.002:.4f} re f')
    ruler = min(RULER_M, board.columns * board.square_m)
    lines.append(f'{MARGIN * side:.4f} {bottom * 0.6:.4f} {ruler / POINT_M:.4f} 0.7 re f')
    note = (
        f'{board.columns}x{board.rows} squares of {board.square_m * 1e3:g} mm; this line is '
        f'{ruler * 1e3:g} mm long: print at 100 %, then measure it'
    )
    at = f'{MARGIN * side:.2f} {bottom * 0.3:.2f}'
    lines.append(f'BT /F1 {min(9, side / 6):.1f} Tf {at} Td ({note}) Tj ET')
    return _page('\n'.join(lines).encode('ascii'), width, height)


def _page(content: bytes, width: float, height: float) -> bytes:
    """Return a one-page PDF file (ISO 32000-1) with this content, sizes in points."""
    objects = [
        b'<< /Type /Catalog /Pages 2 0 R >>',
        b'<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        f'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.3f} {height:.3f}] '
        '/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>'.encode('ascii'),
        b'<< /Length %d >>\nstream\n%s\nendstream' % (len(content), content),
        b'<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ]
    file = b'%PDF-1.4\n'
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(file))
        file += b'%d 0 obj\n%s\nendobj\n' % (number, body)
    table = b''.join(b'%010d 00000 n \n' % offset for offset in offsets)
    start = len(file)
    file += b'xref\n0 %d\n0000000000 65535 f \n%s' % (len(objects) + 1, table)
    file += b'trailer\n<< /Size %d /Root 1 0 R >>\n' % (len(objects) + 1)
    return file + b'startxref\n%d\n%%%%EOF\n' % start
