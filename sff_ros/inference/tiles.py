"""Cut an image that is too large for the memory into overlapping tiles of one size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

from sff_ros.core.focus.canonical import Window

# A network takes about 0.4 GB a megapixel (ONNX Runtime on a CPU), whatever the library.
WHOLE_PX = 2_200_000  # pixels up to which an image is not cut: full HD
TILE_PX = 1_500_000  # of a tile, overlap included
# Overlap on either side of a seam. The network looks farther, but what is there hardly matters:
# see test/inference/test_tiles.py.
MARGIN_PX = 128
MOST = 64  # tiles along a side


@dataclass(frozen=True, slots=True)
class Tile:
    """One part of an image.

    Attributes:
        window: the part that is computed.
        rows, columns: the part of the image that is taken from it.
    """

    window: Window
    rows: slice
    columns: slice

    @property
    def own(self) -> tuple[slice, slice]:
        """Rows and columns of the window that are taken from it."""
        top, left = self.window.top, self.window.left
        return (
            slice(self.rows.start - top, self.rows.stop - top),
            slice(self.columns.start - left, self.columns.stop - left),
        )


def tiles_of(size: tuple[int, int], multiple: int) -> list[Tile]:
    """Return the tiles of an image, of which the fewest pixels are computed.

    Args:
        size: (H, W) px.
        multiple: the windows begin at multiples of it, and are as long, but for those cut off by
            the end of the image.
    """
    height, width = size
    if height * width <= WHOLE_PX:
        return [Tile(Window(0, 0, height, width), slice(0, height), slice(0, width))]
    counts = range(1, MOST + 1)
    grids = [
        (rows * high * columns * wide, rows, columns)
        for (rows, high), (columns, wide) in product(
            [(n, _length(height, n, multiple)) for n in counts],
            [(n, _length(width, n, multiple)) for n in counts],
        )
        if high * wide <= TILE_PX
    ]
    _, rows, columns = min(grids)
    return [
        Tile(Window(top, left, high, wide), own_rows, own_columns)
        for (top, high, own_rows), (left, wide, own_columns) in product(
            _spans(height, rows, multiple), _spans(width, columns, multiple)
        )
    ]


def _length(side: int, count: int, multiple: int) -> int:
    """Return the length of `count` windows that cover a side and overlap by two margins."""
    return -(-(side + (count - 1) * 2 * MARGIN_PX) // (count * multiple)) * multiple


def _spans(side: int, count: int, multiple: int) -> Iterator[tuple[int, int, slice]]:
    """Yield start and length of each window, and the part of the side that is taken from it."""
    length = _length(side, count, multiple)
    room = max(-(-side // multiple) * multiple - length, 0) // multiple
    starts = [room * k // max(count - 1, 1) * multiple for k in range(count)]
    # Half way through each overlap.
    seams = [(after + before + length) // 2 for before, after in pairwise(starts)]
    for start, low, high in zip(starts, [0, *seams], [*seams, side], strict=True):
        yield start, min(length, side - start), slice(low, high)
