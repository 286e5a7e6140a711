"""A backend that has to be built first, made up for tests."""

from __future__ import annotations

import threading

import numpy as np

from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.warm_up import BuiltBackend, Progress, Size


class Slow(BuiltBackend):
    """Builds when it is let, and answers one position everywhere.

    Attributes:
        answer: the position.
        let: set it, and the build ends.
        begun: set once a build is under way.
        built: sizes, in the order they were built.
        build_error, infer_error: what to raise instead.
    """

    def __init__(self) -> None:
        self.answer = 7.0
        self.let = threading.Event()
        self.begun = threading.Event()
        self.built: list[Size] = []
        self.build_error: Exception | None = None
        self.infer_error: ModelError | None = None

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec('slow', 15, 16, '', 'fp16', 2)

    def is_built(self, size: Size) -> bool:
        return self.built[-1:] == [size]

    def build(self, size: Size, progress: Progress) -> None:
        progress('half way', 0.5)
        self.begun.set()
        assert self.let.wait(10)
        if self.build_error is not None:
            raise self.build_error
        self.built.append(size)

    def measure(self, image: Image) -> Responses:
        return np.full((4, image.shape[0] // 2, image.shape[1] // 2), 7, np.float32)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        if self.infer_error is not None:
            raise self.infer_error
        answer = np.full(volume.size, self.answer, np.float32)
        return FocusEstimate(answer, np.ones_like(answer), np.ones_like(answer))
