"""Fit the constants that make standard deviations of what backends state, and check them.

    ./run python benchmarks/deviation.py STACK... [--model FILE]
    ./run python benchmarks/deviation.py --scenes 128 [--textures DIR] [--hard 0.5] [--model FILE]

STACK is a folder with ground truth, as for `sff evaluate`. Without any, scenes are drawn that
neither training nor validation sees. Of every other one, pixels that can be known and are
published by default give the constants for core/focus/deviation.py: those that bring the share of
errors within one and two standard deviations closest to 68 and 95 %, overall and in each fifth of
the spread. The rest of the scenes checks them, and the constants that are in the code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sff_ros.cli.evaluation.ground_truth import ground_truth_path, read_ground_truth
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.canonical import canonical_places
from sff_ros.core.focus.deviation import AS_STATED, NETWORK, PEAK, Calibration
from sff_ros.core.focus.estimate import local_step
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.focus.peak import gather_evidence, spread_of, to_full_size
from sff_ros.core.image import AnyFloats, FloatMap, Floats, Image, Mask
from sff_ros.files.stack import read_stack
from sff_ros.inference.choice import open_backend
from sff_ros.inference.network_backend import CanonicalNetwork
from sff_ros.inference.peak import PeakBackend
from sff_ros.training.drawing.ranges import ROBUST, USUAL
from sff_ros.training.drawing.samples import draw_sample
from sff_ros.training.drawing.textures import Textures, installed_photographs

SEED = 1_000_003  # recipes and validation use others
SIZE = 192  # px, as in training
WITHIN = ((1, 0.68, 0.05), (2, 0.95, 0.03))  # deviations, share of the errors, tolerance
FACTORS = np.geomspace(0.3, 4, 131)
FLOORS = (0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15, 0.2)
BINS = 5
KEPT = 20_000  # pixels a scene


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A sweep of known positions.

    Attributes:
        images: of the slices.
        places: (S,) canonical position of each.
        ground_truth: (H, W) canonical position of the visible surface.
        known: (H, W) where that is known.
    """

    images: Sequence[Image]
    places: Floats
    ground_truth: FloatMap
    known: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Stated:
    """Published pixels of scenes.

    Attributes:
        error: (N,) absolute, in the unit of the calibration.
        spread: (N,) as the backend states it.
    """

    error: FloatMap
    spread: FloatMap

    def within(self, calibration: Calibration) -> list[float]:
        """Return the share of the errors within each of WITHIN."""
        deviation = calibration.apply(self.spread)
        return [float((self.error <= count * deviation).mean()) for count, _, _ in WITHIN]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('stacks', metavar='STACK', type=Path, nargs='*')
    parser.add_argument('--scenes', metavar='N', type=int, default=128, help='to draw')
    parser.add_argument('--textures', metavar='DIR', type=Path, action='append', default=[])
    parser.add_argument(
        '--hard',
        metavar='SHARE',
        type=float,
        default=0.0,
        help='of the drawn scenes that are of ROBUST, not of USUAL (training/drawing/ranges.py)',
    )
    parser.add_argument('--model', metavar='FILE', default='', help='default: the shipped one')
    parser.add_argument('--backend', default='onnx', help='that runs it (default: %(default)s)')
    args = parser.parse_args()
    opened, peak = open_backend(args.backend, args.model), PeakBackend(AS_STATED)
    assert isinstance(opened, CanonicalNetwork)
    network = opened.calibrated(AS_STATED)
    scenes: Iterator[Scene] = map(recorded, args.stacks)
    if not args.stacks:
        textures = Textures((*installed_photographs(), *args.textures))
        scenes = (drawn(textures, number, args.hard) for number in range(args.scenes))
    kept: dict[str, list[Stated]] = {'NETWORK': [], 'PEAK': []}
    for number, scene in enumerate(scenes):
        volume, context = measured(scene)
        kept['NETWORK'].append(of_network(network, scene, volume, context))
        kept['PEAK'].append(of_peak(peak, scene, volume, context))
        print(f'scene {number + 1}', file=sys.stderr, flush=True)
    print('| constant | factor, floor | scenes | within one, % | within two, % |')
    print('|---|---|---|---:|---:|')
    for name, known in (('NETWORK', NETWORK), ('PEAK', PEAK)):
        print('\n'.join(lines(name, kept[name], known)))


def lines(name: str, scenes: Sequence[Stated], known: Calibration) -> Iterator[str]:
    """Yield the rows of the table: fitted on every other scene, checked on the rest."""
    halves = {'fit': joined(scenes[::2]), 'check': joined(scenes[1::2])}
    for what, calibration in (('fitted', fit(halves['fit'])), ('in the code', known)):
        numbers = f'{calibration.factor:.2f}, {calibration.floor:g}'
        for which, stated in halves.items():
            shares = ' | '.join(f'{100 * share:.1f}' for share in stated.within(calibration))
            yield f'| {name}, {what} | {numbers} | {which} | {shares} |'


def drawn(textures: Textures, number: int, hard: float) -> Scene:
    """Draw a scene as training does."""
    rng = np.random.default_rng([SEED, number])
    ranges = ROBUST if rng.random() < hard else USUAL
    sample = draw_sample(rng, textures, ranges, SIZE)
    return Scene(list(sample.stack), sample.places, sample.ground_truth, sample.known)


def recorded(folder: Path) -> Scene:
    """Read a stack with ground truth; it is not aligned."""
    stack = read_stack(folder)
    shape = stack.intrinsics.height, stack.intrinsics.width
    index = read_ground_truth(ground_truth_path(folder), shape, stack.focus_dpt).index
    count = len(stack.paths)
    axis = stack.focus_dpt if stack.has_focus else np.arange(count, dtype=float)
    places = canonical_places(axis)
    truth = np.interp(index, np.arange(count, dtype=float), places).astype(np.float32)
    return Scene([stack.image(i) for i in range(count)], places, truth, np.isfinite(index))


def measured(scene: Scene) -> tuple[FocusVolume, Image]:
    """Return focus volume and all-in-focus image of a scene, as every backend measures them."""
    peak, context = PeakBackend(), RunningAllInFocus()
    responses = []
    for image in scene.images:
        responses.append(peak.measure(image))
        context.add(image, responses[-1])
    height, width = scene.ground_truth.shape
    volume = FocusVolume(np.stack(responses), scene.places, (height, width), peak.spec.pooling)
    return volume, context.image


def of_network(
    backend: CanonicalNetwork, scene: Scene, volume: FocusVolume, context: Image
) -> Stated:
    """Return what the network states of a scene, canonical positions."""
    found, places = backend.infer(volume, context), scene.places
    position = np.interp(found.position, np.arange(len(places), dtype=float), places)
    published = found.confidence >= DepthConfig().min_confidence
    error = np.abs(position - scene.ground_truth)
    deviation = found.deviation * local_step(found.position, places)
    return thinned(error, deviation, published & scene.known)


def of_peak(backend: PeakBackend, scene: Scene, volume: FocusVolume, context: Image) -> Stated:
    """Return what the classical backend states of a scene, slices at a half width of 1."""
    found, evidence = backend.infer(volume, context), gather_evidence(volume)
    index = np.arange(len(scene.places), dtype=float)
    error = np.abs(found.position - np.interp(scene.ground_truth, scene.places, index))
    spread = to_full_size(spread_of(evidence), volume)
    published = found.confidence >= DepthConfig().min_confidence
    return thinned(error * evidence.width, spread * evidence.width, published & scene.known)


def thinned(error: AnyFloats, spread: AnyFloats, judged: Mask) -> Stated:
    """Return at most KEPT of the pixels that are judged, evenly spread."""
    pixels = np.flatnonzero(judged)
    pixels = pixels[:: max(1, -(-len(pixels) // KEPT))]
    return Stated(
        error.ravel()[pixels].astype(np.float32), spread.ravel()[pixels].astype(np.float32)
    )


def joined(parts: Sequence[Stated]) -> Stated:
    """Return the pixels of several scenes."""
    return Stated(
        np.concatenate([part.error for part in parts]),
        np.concatenate([part.spread for part in parts]),
    )


def fit(stated: Stated) -> Calibration:
    """Return the calibration that comes closest to WITHIN, in units of the tolerances."""
    order = np.argsort(stated.spread)
    parts = [
        Stated(stated.error[part], stated.spread[part]) for part in np.array_split(order, BINS)
    ]
    _, wanted, tolerance = np.array(WITHIN).T

    def cost(calibration: Calibration) -> float:
        shares = np.array([part.within(calibration) for part in parts])
        overall = shares.mean(axis=0)  # of parts of one size
        squared = ((np.vstack([shares, overall]) - wanted) / tolerance) ** 2
        return float(squared[:-1].mean() + squared[-1].mean())

    return min((Calibration(float(a), float(b)) for a in FACTORS for b in FLOORS), key=cost)


if __name__ == '__main__':
    main()
