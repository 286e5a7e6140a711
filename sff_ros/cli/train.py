"""`sff train`: train a network on rendered scenes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from sff_ros.errors import ModelError

CHANGEABLE = ('steps', 'batch', 'scenes', 'pool', 'learning_rate')  # fields of Recipe

HELP = 'Train a network on rendered scenes; resumes where it was interrupted.'
EPILOG = """\
Scenes are drawn by the workers while the training runs, and kept in memory: about 1.5 MB each.
DIR receives
  checkpoint.pt      weights, their running average and the optimizer; written every 5 minutes and
                     on interruption
  history.csv        step, hours, learning rate, errors and shares; history.png shows them
`sff export DIR/checkpoint.pt` converts it to the model files of the nodes.

Several processes or GPUs share each step under torchrun:
  torchrun --nproc-per-node 2 -m sff_ros.cli train --out DIR ...

On a machine with a GPU, which needs no network:
  sff train --recipe robust --device cuda --batch 256 --workers 16 --pool 4000 --textures PHOTOS \\
    --out DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff train`."""
    parser.add_argument('--out', metavar='DIR', type=Path, required=True, help='see below')
    parser.add_argument(
        '--recipe',
        choices=('fast', 'robust', 'paper'),
        default='fast',
        help='see docs/training.md',
    )
    parser.add_argument(
        '--textures',
        metavar='DIR',
        type=Path,
        action='append',
        default=[],
        help='images for surfaces, png or jpg, besides those of scikit-image if it is installed; '
        'may be repeated',
    )
    parser.add_argument(
        '--weights',
        metavar='FILE',
        type=Path,
        help='initial weights, .safetensors of `sff export`, if DIR has no checkpoint',
    )
    parser.add_argument(
        '--traced',
        metavar='DIR',
        type=Path,
        help='path-traced scenes that take the place of a share of the drawn ones, with exposure '
        'and noise of their own at each use; python -m sff_ros.training.traced writes them',
    )
    parser.add_argument(
        '--traced-share',
        metavar='SHARE',
        type=_rate,
        default=0.2,
        help='of the scenes that are of --traced DIR (default: %(default)s)',
    )
    parser.add_argument('--steps', metavar='N', type=_count, help='total number of steps')
    parser.add_argument('--batch', metavar='N', type=_count, help='crops per step')
    parser.add_argument('--scenes', metavar='N', type=_count, help='total number of scenes')
    parser.add_argument(
        '--pool',
        metavar='N',
        type=_count,
        help='scenes in memory at a time; the oldest are replaced step by step',
    )
    parser.add_argument('--learning-rate', metavar='RATE', type=_rate, help='the peak value')
    parser.add_argument(
        '--workers',
        metavar='N',
        type=int,
        default=1,
        help='processes that draw scenes, per process that trains (default: %(default)s)',
    )
    parser.add_argument(
        '--device', choices=('auto', 'cpu', 'cuda'), default='auto', help='(default: %(default)s)'
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff train`; return 0 if the training is finished, 1 if it was interrupted.

    Raises:
        SffError: a package is missing, or textures or checkpoint are invalid.
    """
    try:
        from sff_ros.training.drawing.textures import Textures, installed_photographs
        from sff_ros.training.recipes import RECIPES
        from sff_ros.training.train import Run, Trainer
    except ImportError as err:
        raise ModelError(f'{err}; training needs: pip install -r requirements/train.txt') from err
    wanted = {name: getattr(args, name) for name in CHANGEABLE}
    recipe = replace(
        RECIPES[args.recipe], **{name: n for name, n in wanted.items() if n is not None}
    )
    textures = Textures((*installed_photographs(), *args.textures))
    where = Run(
        args.out,
        args.weights,
        workers=args.workers,
        device=args.device,
        traced=args.traced,
        traced_share=args.traced_share,
    )
    trainer = Trainer(recipe, where, textures)
    finished = trainer.train()
    if trainer.rank == 0:
        print(f'{args.out}: step {trainer.step} of {recipe.steps}')
    return 0 if finished else 1


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not 1 or more')
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f'{value:g} is not between 0 and 1')
    return value
