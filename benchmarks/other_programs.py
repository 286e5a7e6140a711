"""Accuracy of this package and of other programs on the same slices.

    ./run python benchmarks/other_programs.py STACK... [--model FILE] [--focus-stack PATH]

STACK is a folder with ground truth, as for `sff evaluate`. Nothing is aligned by this script, and
every pixel with ground truth counts, whatever its confidence; a position beyond the sweep counts
as its end. The executable of focus-stack
(https://github.com/PetteriAimonen/focus-stack) is run if it is on PATH or given; the operators of
the literature are written here, from the formulas in the papers.

CPU time is that of all threads, from the images in memory to the map; for focus-stack it is that
of the whole program, which also reads, aligns and merges the images.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

import sff_ros
from sff_ros.cli.evaluation.ground_truth import ground_truth_path, read_ground_truth
from sff_ros.cli.evaluation.scoring import measure
from sff_ros.core.image import AnyFloats, FloatMap, to_grey
from sff_ros.core.metrics import Scores, score
from sff_ros.files.stack import RecordedStack, read_stack
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import open_backend

BAD_SLICES = 1.0

# Of all settings. Its alignment cannot be switched off, but the correction of brightness can.
FOCUS_STACK = ('--no-whitebalance', '--no-contrast', '--no-opencl', '--nocrop')
# Its defaults remove halos of 20 px and smooth as far: photographs have many megapixels.
FOCUS_STACK_SETTINGS: dict[str, tuple[str, ...]] = {
    'defaults': (),
    'little smoothing': (
        '--depthmap-threshold=1',
        '--depthmap-smooth-xy=8',
        '--depthmap-smooth-z=8',
        '--halo-radius=0',
    ),
}


@dataclass(frozen=True, slots=True)
class Program:
    """What turns slices into depth; `run` returns (H, W) slice positions of a stack."""

    name: str
    version: str
    run: Callable[[RecordedStack], AnyFloats]


@dataclass(frozen=True, slots=True)
class Result:
    """Of one program on one stack of so many slices; scores are in slices, seconds CPU time."""

    slices: int
    scores: Scores
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('stacks', metavar='STACK', type=Path, nargs='+')
    parser.add_argument('--model', metavar='FILE', default='', help='default: the shipped one')
    parser.add_argument(
        '--focus-stack', metavar='PATH', default='focus-stack', help='default: the one on PATH'
    )
    args = parser.parse_args()
    network = open_backend('onnx', args.model)
    programs = [
        Program('this package, `peak`', sff_ros.__version__, backend_of(open_backend('peak'))),
        Program(
            'this package, network',
            f'{sff_ros.__version__}, weights {network.spec.sha256[:8]}',
            backend_of(network),
        ),
        *focus_stack_programs(args.focus_stack),
        *operators(),
    ]
    results: dict[str, list[Result]] = {program.name: [] for program in programs}
    for folder in args.stacks:
        for program, result in compared(folder, programs):
            results[program.name].append(result)
            said = f'{folder}, {program.name}: {result.scores.mae:.3f}'
            print(f'{said}, {result.seconds:.2f} s', file=sys.stderr, flush=True)
    print('\n'.join(table(programs, results)))


def compared(folder: Path, programs: Sequence[Program]) -> Iterator[tuple[Program, Result]]:
    """Run the programs on a stack."""
    stack = read_stack(folder)
    shape = stack.intrinsics.height, stack.intrinsics.width
    ground_truth = read_ground_truth(ground_truth_path(folder), shape, stack.focus_dpt).index
    for program in programs:
        start = cpu_seconds()
        found = np.clip(program.run(stack), 0, len(stack.paths) - 1)
        seconds = cpu_seconds() - start
        yield program, Result(len(stack.paths), score(found, ground_truth, BAD_SLICES), seconds)


def cpu_seconds() -> float:
    """Return the CPU time that this process and what it has run have used so far."""
    return sum(os.times()[:4])


def table(programs: Sequence[Program], results: dict[str, list[Result]]) -> Iterator[str]:
    """Yield the lines of the table; stacks are grouped by their number of slices."""
    first = results[programs[0].name]
    counts = sorted({result.slices for result in first})
    groups = [f'{sum(r.slices == n for r in first)} of {n} slices' for n in counts]
    heads = ['program', 'version', 'error', 'geometric mean', 'above one slice, %']
    heads += ['CPU time', *(groups if len(groups) > 1 else ())]
    yield f'| {" | ".join(heads)} |'
    yield f'|---|---|{"---:|" * (len(heads) - 2)}'
    for program in programs:
        own = results[program.name]
        errors = np.array([result.scores.mae for result in own])
        bad = np.mean([result.scores.bad for result in own])
        time = np.median([a.seconds / b.seconds for a, b in zip(own, first, strict=True)])
        cells = [program.name, program.version, f'{errors.mean():.3f}']
        cells += [f'{np.exp(np.log(errors).mean()):.3f}', f'{100 * bad:.1f}', f'{time:.2f}']
        if len(groups) > 1:
            of_group = ([r.scores.mae for r in own if r.slices == n] for n in counts)
            cells += [f'{np.mean(group):.3f}' for group in of_group]
        yield f'| {" | ".join(cells)} |'


def backend_of(backend: DepthBackend) -> Callable[[RecordedStack], AnyFloats]:
    """Return what runs a backend of this package, without alignment."""
    return lambda stack: measure(stack, backend, 'none')[0].index


def focus_stack_programs(executable: str) -> Iterator[Program]:
    """Yield the program focus-stack at each of FOCUS_STACK_SETTINGS, or say that it is missing."""
    path = shutil.which(executable)
    if path is None:
        print(f'{executable}: is not there, focus-stack is left out', file=sys.stderr)
        return
    said = subprocess.run([path, '--version'], capture_output=True, text=True, check=True)
    version = (said.stdout + said.stderr).split()[1].rstrip(',')
    for name, options in FOCUS_STACK_SETTINGS.items():
        command = (path, *FOCUS_STACK, *options)
        yield Program(f'focus-stack, {name}', version, partial(focus_stack, command))


def focus_stack(command: Sequence[str], stack: RecordedStack) -> AnyFloats:
    """Return the depth map that focus-stack writes, as slice positions.

    Of S < 255 images, slice k is written as the grey level (k + 1) * 255 / S, 0 meaning unknown
    (its src/task_depthmap.cc). The image is grown evenly on all sides to a size that wavelets can
    take, which --nocrop keeps.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, 'depth.png')
        outputs = (f'--output={folder}/sharp.png', f'--depthmap={written}')
        images = map(str, stack.paths)
        subprocess.run([*command, *outputs, *images], check=True, stdout=subprocess.DEVNULL)
        grey = cv2.imread(str(written), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise SystemExit(f'{command[0]} wrote no depth map of {stack.paths[0].parent}')
    height, width = stack.intrinsics.height, stack.intrinsics.width
    top, left = (grey.shape[0] - height) // 2, (grey.shape[1] - width) // 2
    inner = grey[top : top + height, left : left + width]
    return inner.astype(np.float32) * len(stack.paths) / 255 - 1


def operators() -> Iterator[Program]:
    """Yield classical methods of the literature.

    Nayar and Nakagawa, Shape from focus, PAMI 1994: the sum-modified Laplacian over 5x5 pixels,
    and over 9x9, which is best on rendered stacks of 1 grey level of noise. Pertuz, Puig and
    Garcia, Analysis of focus measure operators for shape-from-focus, Pattern Recognition 2013:
    the default of their program, which is the grey-level variance over 9x9 and a Gaussian through
    every second slice. Cou, Depth from focus using windowed linear least squares regressions, The
    Visual Computer 2023: as its program, which leaves open how far the focus measure is smoothed;
    its correction of bias is left out, since it adds error on the author's own stacks.
    """

    def sml(side: int, stack: RecordedStack) -> AnyFloats:
        return gaussian_top(curves(stack, lambda grey: sum_ml(grey, side)), 1)

    def variance(stack: RecordedStack) -> AnyFloats:
        return gaussian_top(curves(stack, lambda grey: modified_variance(grey, 9)), 2)

    def windowed_lines(side: int, stack: RecordedStack) -> AnyFloats:
        return smoothed(*lines_top(curves(stack, lambda grey: ring(grey, side)), 10), 5)

    ours = 'our implementation'
    yield Program('Nayar and Nakagawa, 5x5', f'1994, {ours}', partial(sml, 5))
    yield Program('Nayar and Nakagawa, 9x9', f'1994, {ours}', partial(sml, 9))
    yield Program('Pertuz et al., variance, 9x9', f'2013, {ours}', variance)
    yield Program('Cou, 9x9', f'2023, {ours}', partial(windowed_lines, 9))
    yield Program('Cou, 17x17', f'2023, {ours}', partial(windowed_lines, 17))


def curves(stack: RecordedStack, operator: Callable[[FloatMap], FloatMap]) -> FloatMap:
    """Return (S, H, W) what an operator finds in the grey images."""
    images = (stack.image(i) for i in range(len(stack.paths)))
    return np.stack([operator(to_grey(image).astype(np.float32)) for image in images])


def sum_ml(grey: FloatMap, side: int) -> FloatMap:
    """Return the mean modified Laplacian in windows: |second difference| in x plus that in y."""
    second = np.array([[-1, 2, -1]], np.float32)
    across, down = (cv2.filter2D(grey, -1, kernel) for kernel in (second, second.T))
    total = np.abs(across) + np.abs(down)
    return np.asarray(cv2.blur(total, (side, side)), np.float32)


def modified_variance(grey: FloatMap, side: int) -> FloatMap:
    """Return the mean square deviation from the local mean, both in windows."""
    deviation = grey - cv2.blur(grey, (side, side))
    return np.asarray(cv2.blur(deviation * deviation, (side, side)), np.float32)


def gaussian_top(curve: FloatMap, step: int) -> FloatMap:
    """Return (H, W) the top of the Gaussian through the largest of (S, H, W) and two about it.

    These are `step` slices away; where one would be outside the sweep, the slice is returned.
    """
    best = curve.argmax(axis=0)
    inner = np.clip(best, step, len(curve) - 1 - step)
    before, at, after = (
        np.log(np.take_along_axis(curve, (inner + offset)[None], axis=0)[0] + 1e-6)
        for offset in (-step, 0, step)
    )
    bend = np.maximum(2 * at - before - after, 1e-6)
    shift = np.clip((after - before) / (2 * bend), -0.5, 0.5)
    return np.asarray(np.where(best == inner, best + step * shift, best), np.float32)


def ring(grey: FloatMap, side: int) -> FloatMap:
    """Return the squared difference to the ring of 2 px around, smoothed by a Gaussian."""
    kernel = np.array([[0, 1, 1, 1, 0], *[[1, 0, 0, 0, 1]] * 3, [0, 1, 1, 1, 0]], np.float32)
    kernel[2, 2] = -12
    square = cv2.filter2D(grey, -1, kernel) ** 2
    return np.asarray(cv2.GaussianBlur(square, (side, side), (side - 1) / 8), np.float32)


def lines_top(curve: FloatMap, radius: int) -> tuple[FloatMap, FloatMap]:
    """Return (H, W) where two lines of opposite slope through log curves meet, and how high.

    Between any two slices, the lines are fitted to as many slices before and after as `radius`;
    those that meet highest, near to where they were parted, count.
    """
    share = 100 * curve / (curve.sum(axis=0) + 1e-6)
    log = np.log(share + 1e-6)
    log = np.maximum(log, -4 * log.max(axis=0))
    position, height = curve.argmax(axis=0).astype(np.float32), np.zeros_like(curve[0])
    for k in range(1, len(curve) - 2):
        halves = slice(max(0, k + 1 - radius), k + 1), slice(k + 1, k + 1 + radius)
        places = [np.arange(len(curve), dtype=np.float32)[half] for half in halves]
        z = [place.mean() for place in places]
        y = [log[half].mean(axis=0) for half in halves]
        products = [
            np.tensordot(place - middle, log[half], 1)
            for place, middle, half in zip(places, z, halves, strict=True)
        ]
        squares = sum(((p - m) ** 2).sum() for p, m in zip(places, z, strict=True))
        slope = (products[0] - products[1]) / squares
        meet = (y[1] - y[0] + slope * (z[0] + z[1])) / (2 * np.maximum(slope, 1e-6))
        top = y[0] + slope * (meet - z[0])
        better = (slope > 0) & (top > height) & (meet >= k - 1.5) & (meet <= k + 2.5)
        position, height = np.where(better, meet, position), np.where(better, top, height)
    return position, height


def smoothed(position: FloatMap, weight: FloatMap, radius: int) -> FloatMap:
    """Return the value at each pixel of the weighted least-squares quadric through its window."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    terms = [np.ones_like(x), x, y, x * x, y * y, x * y]
    weight = np.maximum(weight, 1e-3).astype(np.float64)
    normal = [[cv2.filter2D(weight, -1, a * b) for b in terms] for a in terms]
    right = [cv2.filter2D(weight * position, -1, a) for a in terms]
    matrices = np.moveaxis(np.array(normal), (0, 1), (-2, -1))
    values = np.moveaxis(np.array(right), 0, -1)[..., None]
    return np.linalg.solve(matrices, values)[..., 0, 0].astype(np.float32)


if __name__ == '__main__':
    main()
