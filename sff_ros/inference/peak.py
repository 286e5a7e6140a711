"""The classical backend: the peak of the focus volume, without any weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sff_ros.core.focus.canonical import canonical_places
from sff_ros.core.focus.deviation import PEAK, Calibration, confidence_of, sparse_error
from sff_ros.core.focus.estimate import FocusEstimate, local_step
from sff_ros.core.focus.measure import POOLING, FocusVolume, Responses, measure_contrast
from sff_ros.core.focus.peak import estimate_peak
from sff_ros.core.image import Image
from sff_ros.inference.backend import ModelSpec, finite_estimate, finite_responses

LEAST_ERROR = np.float32(1e-3)  # positions, to divide by


class PeakBackend:
    """Finds the peak of each pixel's focus curve; see core/focus/peak.py.

    Args:
        calibration: of the spread that the focus curves tell.
    """

    spec = ModelSpec(
        name='peak', slices=0, size_multiple=1, sha256='', precision='fp32', pooling=POOLING
    )

    def __init__(self, calibration: Calibration = PEAK) -> None:
        self._calibration = calibration

    def measure(self, image: Image) -> Responses:
        """Return the DDL responses of one slice, (4, ceil(H / 2), ceil(W / 2)) float32 >= 0."""
        return finite_responses(self.spec.name, measure_contrast(image, POOLING))

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate position and its error; keeps no state between sweeps.

        The confidence is lower between sparse slices, by the chance of an error of more than a
        canonical position that no curve shows.
        """
        found = estimate_peak(volume, context, self._calibration)
        error = sparse_error(local_step(found.position, canonical_places(volume.axis)))
        confidence = found.confidence * confidence_of(np.maximum(error, LEAST_ERROR))
        return finite_estimate(self.spec.name, replace(found, confidence=confidence))
