"""The classical backend: the peak of the focus volume, without any weights."""

from __future__ import annotations

import numpy as np

from sff_ros.core.focus_map import FocusEstimate
from sff_ros.core.focus_peak import estimate_peak
from sff_ros.core.focus_volume import FocusVolume, Responses, measure_ddl, to_grey
from sff_ros.core.stack import Image
from sff_ros.inference.backend import ModelSpec

POOLING = 2


class PeakBackend:
    """Finds the peak of each pixel's focus curve; see core/focus_peak.py for how."""

    spec = ModelSpec(
        name='peak', slices=0, size_multiple=1, sha256='', precision='fp32', pooling=POOLING
    )

    def measure(self, image: Image) -> Responses:
        """Return the contrast of one slice: its DDL responses over its mean grey.

        The division makes the curve immune to flicker and to changes of exposure.

        Returns:
            (4, ceil(H / 2), ceil(W / 2)) float32 >= 0.
        """
        response = measure_ddl(image, POOLING)
        mean = float(to_grey(image).mean())
        return response / np.float32(mean) if mean > 0 else response

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate position and confidence from both; holds no state between sweeps."""
        return estimate_peak(volume, context)
