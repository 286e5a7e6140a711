"""Slices brought into one frame: what focus and an unsteady hand did to the picture, undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.registration import Level, Model, Warp, correlation, pyramid, register
from sff_ros.core.stack import FocalStack, Image

# What a warp must explain of that by which two slices differ. In sweeps that hold still, blur
# alone seems to move by up to a pixel, and explains 6 %; a step of half a pixel explains 20 %.
LEAST_EXPLAINED = 0.08
FARTHEST = 0.2  # of the longer side that a corner may move from slice to slice: more is a mistake

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How one slice lies to the one before.

    Attributes:
        warp: (3, 3) from px of the slice before to px of this one.
        before, after: correlation of the two as they are, and warped.
        refused: whether no warp was found that is better than none, so that `warp` is the
            identity.
    """

    warp: Warp
    before: float
    after: float
    refused: bool


class Aligner:
    """Follows the picture through one sweep, slice by slice."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._last: list[Level] = []
        self._warp: Warp = np.eye(3)  # from the first slice to the last
        self.steps: list[Step] = []

    def add(self, image: Image) -> Warp:
        """Take the next slice.

        Args:
            image: (H, W) or (H, W, 3), as all of the sweep.

        Returns:
            (3, 3) from px of the first slice to px of this one.
        """
        levels = pyramid(image)
        if self._last:
            self.steps.append(self._step(levels))
            self._warp = self.steps[-1].warp @ self._warp
        self._last = levels
        return self._warp

    def _step(self, levels: list[Level]) -> Step:
        still: Warp = np.eye(3)
        # Breathing goes on as it did: the last step is often the better start.
        starts = [still, *(step.warp for step in self.steps[-1:])]
        start = max(starts, key=lambda w: correlation(self._last[0], levels[0], w))
        warp = register(self._last, levels, start, self._model)
        before, after = (correlation(self._last[-1], levels[-1], w) for w in (still, warp))
        explained = (after - before) / max(1 - before, 1e-9)
        if explained < LEAST_EXPLAINED or _reach(warp, levels) > FARTHEST:
            return Step(still, before, before, refused=True)
        return Step(warp, before, after, refused=False)


@dataclass(frozen=True, slots=True, eq=False)
class AlignedStack:
    """A stack whose slices share one frame.

    Attributes:
        stack: with its slices warped.
        covered: (H, W), True where all slices have a picture.
        reference: index of the slice whose frame it is.
        warps: (3, 3) each, from px of the reference to px of a slice.
        steps: from each slice to the next.
    """

    stack: FocalStack
    covered: Mask
    reference: int
    warps: tuple[Warp, ...]
    steps: tuple[Step, ...]

    @property
    def is_moved(self) -> bool:
        """Whether any slice was resampled."""
        return not all(step.refused for step in self.steps)

    def __str__(self) -> str:
        refused = sum(step.refused for step in self.steps)
        if not self.is_moved:
            return 'none needed, or none found'
        scales = [float(np.sqrt(np.linalg.det(warp[:2, :2]))) for warp in self.warps]
        kept = f', {refused} of {len(self.steps)} steps refused' if refused else ''
        return (
            f'slices of scale {min(scales):.3f} to {max(scales):.3f} of slice '
            f'{self.reference}{kept}'
        )


def align(stack: FocalStack, model: Model) -> AlignedStack:
    """Bring the slices of a stack into the frame of the one that sees the least around.

    That frame is covered by all slices, if nothing but breathing moved them.
    """
    aligner = Aligner(model)
    warps = [aligner.add(slice_.image) for slice_ in stack.slices]
    # Who sees the least shows the first slice's px the largest.
    reference = int(np.argmax([np.linalg.det(warp[:2, :2]) for warp in warps]))
    back = np.linalg.inv(warps[reference])
    warps = [np.eye(3) if k == reference else warp @ back for k, warp in enumerate(warps)]
    slices = tuple(
        replace(slice_, image=warped(slice_.image, warp))
        for slice_, warp in zip(stack.slices, warps, strict=True)
    )
    seen = covered(warps, stack.shape)
    return AlignedStack(FocalStack(slices), seen, reference, tuple(warps), tuple(aligner.steps))


def warped(image: Image, warp: Warp) -> Image:
    """Resample a picture; where it ends, its border is repeated.

    Args:
        image: (H, W) or (H, W, 3).
        warp: (3, 3) from px of the result to px of the picture.
    """
    if np.allclose(warp, np.eye(3), atol=1e-9):
        return image
    size = (image.shape[1], image.shape[0])
    # Cubic: a linear one blurs, the more the nearer to half a pixel, and blur is what is measured.
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(image, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cast('Image', moved)


def covered(warps: Sequence[Warp], shape: tuple[int, int]) -> Mask:
    """Return (H, W), True where all pictures have something to show.

    Args:
        warps: from px of the result to px of each picture.
        shape: (H, W) of all.
    """
    height, width = shape
    full = np.ones(shape, np.uint8)
    everywhere = np.ones(shape, bool)
    for warp in warps:
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(full, warp, (width, height), flags=flags)
        everywhere &= seen.astype(bool)
    return everywhere


def _reach(warp: Warp, levels: list[Level]) -> float:
    """Return how far a warp moves the corner that it moves the most, of the longer side."""
    height, width = (side * levels[0].shrink for side in levels[0].picture.shape)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]]).T
    moved = warp @ corners
    distance = np.linalg.norm(moved[:2] / moved[2] - corners[:2], axis=0)
    return float(distance.max() / max(height, width))
