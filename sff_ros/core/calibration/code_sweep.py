"""A sweep in lens codes, as calibration takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image
from sff_ros.core.sweep.stack import MIN_SLICES
from sff_ros.errors import CalibrationError


@dataclass(frozen=True, slots=True, eq=False)
class CodeSweep:
    """Images of a still scene and what the lens was commanded for each, settled.

    Attributes:
        name: shown to the user.
        codes: (S,) strictly monotonic in the order of time; the first one was approached from
            the same side as the others.
        images: S images of one size.
    """

    name: str
    codes: npt.NDArray[np.float64]
    images: tuple[Image, ...]

    def __post_init__(self) -> None:
        steps = np.diff(self.codes)
        if len(self.codes) < MIN_SLICES or not np.isfinite(self.codes).all():
            raise CalibrationError(
                f'{self.name}: a sweep needs {MIN_SLICES} known lens codes or more'
            )
        if not ((steps > 0).all() or (steps < 0).all()):
            raise CalibrationError(f'{self.name}: lens codes must go in one direction')
        if len(self.images) != len(self.codes):
            raise CalibrationError(
                f'{self.name}: {len(self.codes)} codes for {len(self.images)} images'
            )
        sizes = {image.shape[:2] for image in self.images}
        if len(sizes) > 1:
            raise CalibrationError(f'{self.name}: images differ in size: {sorted(sizes)}')

    @property
    def side(self) -> int:
        """1 where the lens came from below, -1 from above."""
        return 1 if self.codes[-1] > self.codes[0] else -1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images, px."""
        height, width = self.images[0].shape[:2]
        return width, height
