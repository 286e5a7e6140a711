"""A depth backend for tests: what is bright is sharp."""

from __future__ import annotations

import numpy as np

from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec

POOLING = 8
DEVIATION = 0.25  # slices


class BrightestBackend:
    """Takes brightness for sharpness, keeps its inputs, and fails on request.

    Attributes:
        failing: 'measure' or 'infer', whichever should fail; empty for neither.
        volumes, contexts: what `infer` was given, sweep by sweep.
    """

    spec = ModelSpec('brightest', 0, 1, '', 'fp32', POOLING)

    def __init__(self) -> None:
        self.failing = ''
        self.volumes: list[FocusVolume] = []
        self.contexts: list[Image] = []

    def measure(self, image: Image) -> Responses:
        if self.failing == 'measure':
            raise ModelError('cannot measure')
        grey = image if image.ndim == 2 else image[..., 1]
        return grey[None, ::POOLING, ::POOLING].astype(np.float32)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        if self.failing == 'infer':
            raise ModelError('cannot infer')
        self.volumes.append(volume)
        self.contexts.append(context.copy())
        best = volume.responses[:, 0].argmax(axis=0).astype(np.float32)
        position = best.repeat(POOLING, axis=0).repeat(POOLING, axis=1)
        return FocusEstimate(position, np.ones_like(position), np.full_like(position, DEVIATION))
