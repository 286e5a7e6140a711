"""`python -m sff_ros.training.traced`: render path-traced scenes for `sff train --traced`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sff_ros.errors import SffError
from sff_ros.training.drawing.textures import Textures, installed_photographs
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.rendering import render_missing

EPILOG = """\
A file of 1 to 2 MB a scene. Scenes that exist are skipped: an interrupted call resumes. Needs:
pip install -r requirements/traced.txt, and a CUDA GPU or LLVM (apt install libllvm19; 14 and 15
crash).
"""


def main(arguments: list[str] | None = None) -> int:
    """Render; return the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m sff_ros.training.traced',
        description='Render random path-traced scenes for `sff train --traced DIR`.',
        epilog=EPILOG,
    )
    parser.add_argument('--out', metavar='DIR', type=Path, required=True, help='of the files')
    parser.add_argument('--scenes', metavar='N', type=_count, default=1000, help='(%(default)s)')
    parser.add_argument(
        '--seed', metavar='N', type=int, default=1, help='of the scenes (%(default)s)'
    )
    parser.add_argument('--size', metavar='PX', type=_count, default=192, help='(%(default)s)')
    parser.add_argument(
        '--rays',
        metavar='N',
        type=_count,
        default=256,
        help='per pixel, for a whole sweep (%(default)s)',
    )
    parser.add_argument(
        '--textures',
        metavar='DIR',
        type=Path,
        action='append',
        default=[],
        help='images for surfaces, png or jpg, besides those of scikit-image if it is installed',
    )
    args = parser.parse_args(arguments)
    try:
        mitsuba()
        textures = Textures((*installed_photographs(), *args.textures))
        render_all(args, textures)
    except (SffError, OSError) as err:
        sys.stderr.write(f'{parser.prog}: {err}\n')
        return 1
    return 0


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not 1 or more')
    return value


def render_all(args: argparse.Namespace, textures: Textures) -> None:
    """Render what is not there yet, and say how far it is."""
    args.out.mkdir(parents=True, exist_ok=True)
    for number in range(args.scenes):
        if render_missing(args.out, args.seed, number, textures, args.size, args.rays):
            sys.stderr.write(f'\r{number + 1} of {args.scenes} scenes')
    sys.stderr.write(f'\r{args.out}: {args.scenes} scenes\n')


if __name__ == '__main__':
    sys.exit(main())
