"""What every network backend does around its network: into canonical form and back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.canonical import (
    CanonicalSweep,
    canonical_places,
    from_canonical,
    to_canonical,
)
from sff_ros.core.focus.deviation import (
    NETWORK,
    OVERSTATED,
    Calibration,
    between_slices,
    confidence_of,
    in_slices,
)
from sff_ros.core.focus.estimate import FocusEstimate, check_finite, local_step
from sff_ros.core.focus.measure import DILATIONS, POOLING, FocusVolume, Responses, measure_contrast
from sff_ros.core.focus.peak import Evidence, gather_evidence
from sff_ros.core.focus.subslice import refine_long_sweep
from sff_ros.core.focus.support import supported_confidence
from sff_ros.core.image import FloatMap, Image
from sff_ros.core.model_card import ModelCard
from sff_ros.core.sweep.stack import MIN_SLICES
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec, finite_estimate, finite_responses
from sff_ros.inference.tiles import tiles_of

Measure = Callable[[Image], Responses]

OUTPUTS = ('position', 'scale')  # of the graph `fast_gru`


class Runner(Protocol):
    """Runs the graph `fast_gru` on some library."""

    def run(
        self, responses: FloatMap, evidence: FloatMap, context: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Return OUTPUTS: position and the Laplace scale of its error, canonical, (H, W) float32.

        Args:
            responses, evidence, context: CanonicalSweep's, contiguous float32: (15, 4, H / 2,
                W / 2), (7, H / 2, W / 2), (3, H, W); H and W are multiples of the model's
                size_multiple.

        Raises:
            ModelError: the library failed, e.g. out of memory.
        """
        ...


def check_outputs(names: Collection[str]) -> None:
    """Refuse a graph that was exported for another version of this package.

    Args:
        names: of its outputs.

    Raises:
        ModelError: says what it gives and what is expected; names no file.
    """
    if not set(OUTPUTS) <= set(names):
        raise ModelError(
            f'the graph gives {", ".join(names)}, expected {", ".join(OUTPUTS)}: export its '
            'weights again with `sff export`'
        )


def measure(image: Image) -> Responses:
    """Return the DDL responses of one slice, (4, ceil(H / 2), ceil(W / 2)) float32 >= 0."""
    return measure_contrast(image, POOLING)


def spec_of(name: str, card: ModelCard) -> ModelSpec:
    """Describe a backend that runs a model."""
    return ModelSpec(
        name=name,
        slices=card.positions,
        size_multiple=card.size_multiple,
        sha256=card.sha256,
        precision=card.precision,
        pooling=card.pooling,
    )


class CanonicalNetwork:
    """A DepthBackend around a runner; holds no state between sweeps.

    Args:
        spec: what is run.
        runner: runs it.
        measure: the focus measure of one slice, if the backend has a faster one.
        calibration: of the scale that the network states.
    """

    def __init__(
        self,
        spec: ModelSpec,
        runner: Runner,
        measure: Measure = measure,
        calibration: Calibration = NETWORK,
    ) -> None:
        self.spec = spec
        self._runner = runner
        self._measure = measure
        self._calibration = calibration

    def calibrated(self, calibration: Calibration) -> CanonicalNetwork:
        """Return the same network with another calibration."""
        return CanonicalNetwork(self.spec, self._runner, self._measure, calibration)

    def measure(self, image: Image) -> Responses:
        """Return the DDL responses of one slice, (4, ceil(H / 2), ceil(W / 2)) float32 >= 0."""
        return finite_responses(self.spec.name, self._measure(image))

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate position and errors: the classical evidence, corrected by the network."""
        _check(volume)
        evidence = gather_evidence(volume)
        position, scale = self._answer(volume, evidence, context)
        # Before any of it becomes an index.
        for name, values in zip(OUTPUTS, (position, scale), strict=True):
            check_finite(f'{self.spec.name}: network: {name}', values)
        slices = from_canonical(position, volume.axis)
        slices = refine_long_sweep(slices, volume, evidence)
        step = local_step(slices, canonical_places(volume.axis))
        scale = between_slices(np.float32(OVERSTATED) * scale, step)
        confidence = supported_confidence(slices, confidence_of(scale), volume, evidence)
        deviation = in_slices(self._calibration.apply(scale), step)
        return finite_estimate(self.spec.name, FocusEstimate(slices, confidence, deviation))

    def _answer(
        self, volume: FocusVolume, evidence: Evidence, context: Image
    ) -> tuple[FloatMap, FloatMap]:
        """Return canonical position and scale, tile by tile."""
        answer = np.empty(volume.size, np.float32), np.empty(volume.size, np.float32)
        for tile in tiles_of(volume.size, self.spec.size_multiple):
            found = self._run(to_canonical(volume, evidence, context, tile.window))
            for whole, part in zip(answer, found, strict=True):
                whole[tile.rows, tile.columns] = part[tile.own]
        return answer

    def _run(self, sweep: CanonicalSweep) -> tuple[FloatMap, FloatMap]:
        """Pad to a size that the network takes, run it, and crop to the size of the slices."""
        height, width = sweep.context.shape[1:]
        multiple, pooling = self.spec.size_multiple, self.spec.pooling
        full = (_up(height, multiple), _up(width, multiple))
        pooled = (full[0] // pooling, full[1] // pooling)
        position, scale = self._runner.run(
            _padded(sweep.responses, pooled),
            _padded(sweep.evidence, pooled),
            _padded(sweep.context, full),
        )
        return position[:height, :width], scale[:height, :width]


def _check(volume: FocusVolume) -> None:
    """Refuse a volume that the network cannot take.

    Raises:
        ModelError: names what the volume is and what is expected.
    """
    slices, maps = volume.responses.shape[:2]
    if slices < MIN_SLICES:
        raise ModelError(f'the sweep has {slices} slices, expected {MIN_SLICES} or more')
    if maps != len(DILATIONS) or volume.pooling != POOLING:
        raise ModelError(
            f'the volume has {maps} maps a slice pooled by {volume.pooling}, expected '
            f'{len(DILATIONS)} pooled by {POOLING}'
        )


def _up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _padded(maps: npt.NDArray[np.float32], size: tuple[int, int]) -> FloatMap:
    """Repeat the last row and column until (..., h, w) has that size."""
    missing = [want - have for want, have in zip(size, maps.shape[-2:], strict=True)]
    if any(missing):
        lead = [(0, 0)] * (maps.ndim - 2)
        maps = np.pad(maps, [*lead, *((0, more) for more in missing)], mode='edge')
    return np.ascontiguousarray(maps)
