"""The paper's focus measure: multi-scale directional dilated Laplacian (DDL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Floats, Image, check_image, to_grey
from sff_ros.errors import StackError, quoted

DILATIONS = (1, 2, 3, 4)
POOLING = 2  # px, of both estimates

# Offset (dy, dx) of one of the two neighbours in each direction; the other is opposite.
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))

Responses = FloatMap  # (C, h, w) of a slice or (S, C, h, w) of a sweep, pooled
# Quoted: NumPy before 1.22 cannot subscript this at run time.
Plane: TypeAlias = 'npt.NDArray[np.integer[Any] | np.floating[Any]]'


@dataclass(frozen=True, slots=True, eq=False)
class FocusVolume:
    """The focus responses of one sweep.

    Attributes:
        responses: (S, C, h, w) float32 >= 0: C maps per slice, as measured by the backend, each
            averaged over blocks of `pooling` x `pooling` pixels.
        axis: (S,) position of each slice along the sweep, strictly monotonic: dioptres where
            known, else 0..S-1. Blur is linear in dioptres, so peaks are fitted on this axis.
        size: height and width of the slices (H, W), px.
        pooling: block side, px; h = ceil(H / pooling).
    """

    responses: Responses
    axis: Floats
    size: tuple[int, int]
    pooling: int

    def __post_init__(self) -> None:
        shape = self.responses.shape
        if self.responses.dtype != np.float32 or self.responses.ndim != 4:
            raise StackError(
                f'responses must be (S, C, h, w) float32, not {shape} {self.responses.dtype}'
            )
        if self.pooling < 1:
            raise StackError(f'pooling must be 1 px or more, not {self.pooling}')
        pooled = tuple(-(-side // self.pooling) for side in self.size)
        if shape[2:] != pooled:
            raise StackError(
                f'responses are {shape[2:]}; {self.size} px pooled by {self.pooling} is {pooled}'
            )
        if self.axis.shape != shape[:1]:
            raise StackError(f'the axis has shape {self.axis.shape} for {shape[0]} slices')
        steps = np.diff(self.axis)
        if not np.isfinite(self.axis).all() or not ((steps > 0).all() or (steps < 0).all()):
            raise StackError(
                f'the axis must be finite and strictly monotonic, not {quoted(self.axis.tolist())}'
            )


def measure_ddl(image: Image, pooling: int, dilations: Sequence[int] = DILATIONS) -> Responses:
    """Measure the sharpness of one slice by the paper's DDL, pooled.

    For each dilation r: the sum over four directions e of |g(x - re) + g(x + re) - 2 g(x)|, with
    diagonal offset (r, r) (Ashfaq & Mahmood, IJCV 2026). Here the border is mirrored; the
    paper's zero padding creates a false edge there.

    Args:
        image: (H, W) grey or (H, W, 3) RGB, uint8 or uint16.
        pooling: side of the blocks that are averaged, px.
        dilations: r of each map, px.

    Returns:
        (C, ceil(H / pooling), ceil(W / pooling)) float32 >= 0, grey levels.

    Raises:
        StackError: not an image of a slice.
    """
    check_image(image)
    height, width = (-(-side // pooling) * pooling for side in image.shape[:2])
    centre, padded = _mirror(to_grey(image), height, width, max(dilations))
    maps = [_laplacians(padded, centre, r, max(dilations)) for r in dilations]
    return np.stack([_pool(m, pooling) for m in maps])


def measure_contrast(image: Image, pooling: int) -> Responses:
    """Return the DDL responses of one slice over its mean grey.

    The division makes focus curves invariant to flicker and exposure changes.

    Args:
        image, pooling: as for measure_ddl.

    Returns:
        (4, ceil(H / pooling), ceil(W / pooling)) float32 >= 0.
    """
    response = measure_ddl(image, pooling)
    mean = float(to_grey(image).mean())
    return response / np.float32(mean) if mean > 0 else response


def _mirror(grey: Image, height: int, width: int, margin: int) -> tuple[Plane, Plane]:
    """Return twice the grey image, and the padded image, in a type that holds sums."""
    rows, columns = height - grey.shape[0], width - grey.shape[1]
    if rows or columns:
        grown = cv2.copyMakeBorder(grey, 0, rows, 0, columns, cv2.BORDER_REPLICATE)
        grey = cast('Image', grown)
    # Four directions of uint8 sum to at most 2040: int16 is exact, and twice as fast as float32.
    wide: Plane = grey.astype(np.int16 if grey.dtype == np.uint8 else np.float32)
    padded = cv2.copyMakeBorder(wide, *(margin,) * 4, cv2.BORDER_REFLECT_101)
    return cv2.add(wide, wide), padded


def _laplacians(padded: Plane, twice: Plane, r: int, margin: int) -> Plane:
    """Return the sum over the directions of |g(x - re) + g(x + re) - 2 g(x)|."""
    height, width = twice.shape

    def shifted(dy: int, dx: int) -> Plane:
        y, x = margin + dy * r, margin + dx * r
        return padded[y : y + height, x : x + width]

    total = np.zeros_like(twice)
    response = np.empty_like(twice)
    for dy, dx in DIRECTIONS:
        cv2.add(shifted(dy, dx), shifted(-dy, -dx), dst=response)
        cv2.absdiff(response, twice, dst=response)
        cv2.add(total, response, dst=total)
    return total


def _pool(response: Plane, pooling: int) -> Responses:
    """Average over blocks."""
    height, width = response.shape
    size = (width // pooling, height // pooling)
    pooled = cv2.resize(response.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return cast('Responses', pooled)
