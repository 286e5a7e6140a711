"""`sff render`: focal stacks with ground truth from images with depth."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.core.sweep.stack import MIN_SLICES
from sff_ros.errors import ConfigError, StackError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.depth_map import MAP_SUFFIXES, read_map
from sff_ros.files.export import checked_out, write_npy
from sff_ros.files.image import SUFFIXES, read_image, write_png
from sff_ros.training.drawing.rgbd import render_rgbd, spread_places

HELP = 'Render focal stacks with ground truth from images and their depth.'
EPILOG = """\
SCENES is one image, with --depth MAP; or a folder of pairs NAME.png (or jpg ..) and
NAME_disparity.npy (or tiff, png). Maps are inverse depth: large is near, any unit; with --metres
they are depth. A stack sweeps evenly in inverse depth over exactly the range of its scene, slice
0 the farthest, so focus distances are unknown.

DIR receives slice_000.png .. and truth/index.npy (float32 slice position); for a folder of
pairs, in one folder NAME each. An existing stack is an error.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff render`."""
    parser.add_argument('scenes', metavar='SCENES', type=Path, help='an image, or a folder')
    parser.add_argument('--depth', metavar='MAP', type=Path, help='npy, tiff or 16-bit png')
    parser.add_argument(
        '--out', metavar='DIR', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument('--metres', action='store_true', help='maps are depth, not its inverse')
    parser.add_argument('--slices', type=int, default=15, help='default: %(default)s')
    parser.add_argument(
        '--blur-px',
        metavar='R',
        type=float,
        default=0.6,
        help='growth of the blur radius, px a slice (default: %(default)s)',
    )
    parser.add_argument(
        '--noise',
        metavar='SIGMA',
        type=float,
        default=1.0,
        help='of the sensor, grey levels of 255 (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the noise (default: %(default)s)')


def run(args: argparse.Namespace) -> int:
    """Run `sff render`.

    Raises:
        SffError: invalid input; finished stacks are kept.
        OSError: DIR cannot be written.
    """
    if args.slices < MIN_SLICES:
        raise ConfigError(f'--slices must be {MIN_SLICES} or more, not {args.slices}')
    if args.seed < 0:
        raise ConfigError(f'--seed must be >= 0, not {args.seed}')
    out = checked_out(args.out, args.scenes)
    for image, depth, target in _jobs(args.scenes, args.depth, out):
        _render(image, depth, target, args)
        print(target)
    return 0


def _jobs(scenes: Path, depth: Path | None, out: Path) -> list[tuple[Path, Path, Path]]:
    """List (image, map, stack folder); reject existing targets before any work."""
    if depth is not None:
        jobs = [(scenes, depth, out)]
    elif scenes.is_dir():
        jobs = [(p, d, out / p.stem) for p, d in pairs(scenes)]
    else:
        raise ConfigError(f'{scenes}: is not a folder of scenes; a single image needs --depth MAP')
    for _, _, target in jobs:
        if target.exists():
            raise StackError(f'{target}: exists already')
    return jobs


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Find the pairs of a folder, in order of name."""
    listed = []
    for image in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
        maps = [image.with_name(f'{image.stem}_disparity{end}') for end in MAP_SUFFIXES]
        found = next((path for path in maps if path.is_file()), None)
        if found is not None:
            listed.append((image, found))
    if not listed:
        raise StackError(f'{folder}: has no pair NAME.png and NAME_disparity.npy')
    return listed


def _render(path: Path, depth: Path, target: Path, args: argparse.Namespace) -> None:
    """Render one stack; the target is written atomically."""
    sharp = read_image(path)
    if sharp.dtype != np.uint8:
        raise StackError(f'{path}: must have 8 bits, not 16')
    inverse = _inverted(depth) if args.metres else read_map(depth)
    with staged_folder(target) as stage:
        try:
            places = spread_places(inverse, args.slices)
            slices = render_rgbd(
                np.asarray(sharp, np.uint8),
                places,
                range(args.slices),
                args.blur_px,
                args.noise,
                args.seed,
            )
            for i, image in enumerate(slices):
                write_png(stage / f'slice_{i:03d}.png', image)
        except StackError as err:
            raise StackError(f'{depth}: {err}') from err
        (stage / 'truth').mkdir()
        write_npy(stage / 'truth' / 'index.npy', places)


def _inverted(depth: Path) -> FloatMap:
    """Read metres as dioptres."""
    depth_m = read_map(depth)
    wrong = int(np.count_nonzero(~(depth_m > 0)))
    if wrong:
        raise StackError(f'{depth}: metres must be > 0; {wrong} pixels are not')
    return np.asarray(1 / depth_m, np.float32)
