"""The protocol between a focus volume and a focus map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sff_ros.core.focus.estimate import FocusEstimate, check_finite
from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.image import Image


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a backend runs, for logs and diagnostics.

    Attributes:
        name: backend and model, e.g. 'peak'.
        slices: positions the model works on inside; 0 = as many as the sweep has.
        size_multiple: images are padded to a multiple of this, px; 1: any size as it is.
        sha256: digest of the weights; empty where there are none.
        precision: 'fp32', 'fp16'.
        pooling: side of the blocks that `measure` averages over, px.
    """

    name: str
    slices: int
    size_multiple: int
    sha256: str
    precision: str
    pooling: int


class DepthBackend(Protocol):
    """Turns a focus volume into slice positions; knows neither lens nor metres."""

    @property
    def spec(self) -> ModelSpec: ...

    def measure(self, image: Image) -> Responses:
        """Return the focus responses of one slice; called as slices arrive.

        Raises:
            ModelError: a response is NaN or Inf, or the device that measures failed.
        """
        ...

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate where along the sweep each pixel is sharp.

        Args:
            volume: the responses of all slices of one sweep.
            context: (H, W) or (H, W, 3) all-in-focus image of the sweep so far.

        Raises:
            ModelError: the volume does not fit the model, the model cannot run, or an answer is
                NaN or Inf.
        """
        ...


def finite_responses(name: str, responses: Responses) -> Responses:
    """Return the responses of one slice; every backend passes its own through here.

    Args:
        name: of the backend.
        responses: (C, h, w).

    Raises:
        ModelError: there is NaN or Inf; names the backend and the stage.
    """
    check_finite(f'{name}: focus responses of a slice', responses)
    return responses


def finite_estimate(name: str, estimate: FocusEstimate) -> FocusEstimate:
    """Return an estimate; every backend passes its own through here.

    Args:
        name: of the backend.
        estimate: of a sweep.

    Raises:
        ModelError: there is NaN or Inf; names the backend and the stage.
    """
    check_finite(f'{name}: slice position', estimate.position)
    check_finite(f'{name}: confidence', estimate.confidence)
    check_finite(f'{name}: standard deviation', estimate.deviation)
    return estimate
