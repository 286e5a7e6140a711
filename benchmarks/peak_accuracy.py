"""Accuracy of the classical backend, compared with the usual simple method.

    python benchmarks/peak_accuracy.py STACK...

Each STACK is as for `sff evaluate`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from sff_ros.cli.evaluate import evaluate, stack_names, with_means
from sff_ros.cli.evaluation.ground_truth import ground_truth_path
from sff_ros.cli.report.evaluation_table import markdown
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, Responses, measure_ddl
from sff_ros.core.image import Image
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.peak import PeakBackend


class SimplePeak:
    """DDL summed over 9x9 pixels, the top of a parabola, a 5x5 median."""

    spec = ModelSpec('simple', slices=0, size_multiple=1, sha256='', precision='fp32', pooling=1)

    def measure(self, image: Image) -> Responses:
        return np.asarray(cv2.blur(measure_ddl(image, 1).sum(axis=0), (9, 9))[None], np.float32)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        curves = volume.responses[:, 0]
        top = curves.argmax(axis=0)
        inner = np.clip(top, 1, len(curves) - 2)
        before, at, after = (
            np.take_along_axis(curves, (inner + d)[None], axis=0)[0] for d in (-1, 0, 1)
        )
        bend = np.maximum(2 * at - before - after, 1e-9)
        shift = np.clip((after - before) / (2 * bend), -1, 1)
        position = np.where(top == inner, inner + shift, top).astype(np.float32)
        contrast = 1 - curves.mean(axis=0) / np.maximum(curves.max(axis=0), 1e-9)
        return FocusEstimate(
            np.asarray(cv2.medianBlur(position, 5), np.float32),
            contrast.astype(np.float32),
            np.ones_like(position),  # it does not know
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('stacks', nargs='+', type=Path)
    stacks = parser.parse_args().stacks
    ground_truths = {
        name: ground_truth_path(path)
        for name, path in zip(stack_names(stacks), stacks, strict=True)
    }
    rows = list(
        evaluate(ground_truths, {'simple': SimplePeak(), 'peak': PeakBackend()}, None, 'none')
    )
    print(markdown(with_means(rows)))


if __name__ == '__main__':
    main()
