"""Increase of the error if the same scene is swept or exposed differently.

./run python benchmarks/invariance.py SCENES --blur-px 0.6

SCENES is a folder of pairs as for `sff render`. Errors are in fifteenths of the sweep for any
number of slices, so that they are comparable; each line is the ratio to 15 even slices, of the
means over all scenes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sff_ros.cli.render import pairs
from sff_ros.core.focus.canonical import POSITIONS, canonical_places
from sff_ros.core.image import FloatMap, Floats, RgbImage
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.files.depth_map import read_map
from sff_ros.files.image import read_image
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import open_backend
from sff_ros.pipeline import ShapeFromFocus
from sff_ros.training.drawing.rgbd import render_rgbd, spread_places

LAST = POSITIONS - 1
Stack = list[RgbImage]

EVEN = np.linspace(0, LAST, POSITIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('scenes', metavar='SCENES', type=Path)
    parser.add_argument('--blur-px', type=float, default=0.6, help='of 15 slices (default: 0.6)')
    parser.add_argument('--backend', default='onnx')
    args = parser.parse_args()
    backend = open_backend(args.backend)
    errors: dict[str, list[float]] = {}
    for image, depth in pairs(args.scenes):
        sharp = np.asarray(read_image(image), np.uint8)
        ground_truth = spread_places(read_map(depth), POSITIONS)
        for name, stack, places in sweeps(sharp, ground_truth, args.blur_px):
            errors.setdefault(name, []).append(error_of(backend, stack, places, ground_truth))
        print(image.stem, file=sys.stderr, flush=True)
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    print('| sweep | error, canonical positions | ratio |\n|---|---:|---:|')
    for name, error in means.items():
        usual = means['15 slices, half exposure' if 'twice' in name else '15 slices']
        print(f'| {name} | {error:.3f} | {error / usual:.2f} |')


def sweeps(
    sharp: RgbImage, ground_truth: FloatMap, blur_px: float
) -> Iterator[tuple[str, Stack, Floats]]:
    """Yield name, stack and focus positions of each sweep of a scene."""

    def taken(places: Floats, image: RgbImage = sharp) -> Stack:
        return list(render_rgbd(image, ground_truth, places.tolist(), blur_px, noise=1.0, seed=1))

    usual = taken(EVEN)
    yield '15 slices', usual, EVEN
    yield '15 slices, reversed', usual[::-1], EVEN[::-1]
    for count in (8, 12, 20, 41, 60):
        places = np.linspace(0, LAST, count)
        yield f'{count} slices', taken(places), places
    steps = np.random.default_rng(0).uniform(1, 3, LAST)
    for name, step in (('random', steps), ('growing', np.linspace(1, 3, LAST))):
        places = np.concatenate([[0], np.cumsum(step) / step.sum() * LAST])
        yield f'15 slices, {name} steps of up to 3:1', taken(places), places
    yield '15 slices, exposure x 0.5', [np.rint(s / 2).astype(np.uint8) for s in usual], EVEN
    # Half as bright first, so that doubling does not clip.
    dark = taken(EVEN, np.rint(sharp / 2.2).astype(np.uint8))
    yield '15 slices, half exposure', dark, EVEN
    yield '15 slices, half exposure taken twice', [2 * s for s in dark], EVEN


def error_of(backend: DepthBackend, stack: Stack, places: Floats, ground_truth: FloatMap) -> float:
    """Return the mean absolute error in canonical positions."""
    slices = (
        Slice(image, LensState(place), k, k, len(stack))
        for k, (image, place) in enumerate(zip(stack, places.tolist(), strict=True))
    )
    position = ShapeFromFocus(backend).estimate(FocalStack(tuple(slices))).estimate.position
    found = np.interp(position, np.arange(len(places)), canonical_places(places))
    found = LAST - found if places[0] > places[-1] else found
    return float(np.abs(found - ground_truth).mean())


if __name__ == '__main__':
    main()
