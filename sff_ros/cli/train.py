"""`sff train`: train a network on rendered scenes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from sff_ros.errors import ModelError

HELP = 'Train a network on rendered scenes; resumes where it was interrupted.'
EPILOG = """\
DIR receives
  scenes/            rendered scenes, created on demand, about 1.5 MB each
  checkpoint.pt      weights, their running average and the optimizer; written every 5 minutes and
                     on interruption
  history.csv        step, hours, learning rate and errors; history.png shows them
`sff export DIR/checkpoint.pt` converts it to the model files of the nodes.

Several processes or GPUs share each step under torchrun:
  torchrun --nproc-per-node 2 -m sff_ros.cli train --out DIR ...
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff train`."""
    parser.add_argument('--out', metavar='DIR', type=Path, required=True, help='see below')
    parser.add_argument(
        '--recipe', choices=('fast', 'paper'), default='fast', help='see docs/training.md'
    )
    parser.add_argument(
        '--textures',
        metavar='DIR',
        type=Path,
        action='append',
        default=[],
        help='images for surfaces, png or jpg; may be repeated',
    )
    parser.add_argument(
        '--weights',
        metavar='FILE',
        type=Path,
        help='initial weights, .safetensors of `sff export`, if DIR has no checkpoint',
    )
    parser.add_argument('--steps', metavar='N', type=int, help='total number of steps')
    parser.add_argument('--scenes', metavar='N', type=int, help='total number of scenes')
    parser.add_argument('--workers', metavar='N', type=int, default=1, help='loaders per process')
    parser.add_argument(
        '--device', choices=('auto', 'cpu', 'cuda'), default='auto', help='(default: %(default)s)'
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff train`; return 0 if the training is finished, 1 if it was interrupted.

    Raises:
        SffError: a package is missing, or textures or checkpoint are invalid.
    """
    try:
        import skimage.data

        from sff_ros.training.recipes import RECIPES
        from sff_ros.training.textures import Textures
        from sff_ros.training.train import Run, Trainer
    except ImportError as err:
        raise ModelError(f'{err}; training needs: pip install -r requirements/train.txt') from err
    wanted = {name: getattr(args, name) for name in ('steps', 'scenes')}
    recipe = replace(
        RECIPES[args.recipe], **{name: n for name, n in wanted.items() if n is not None}
    )
    photographs = Path(skimage.data.__file__).parent
    textures = Textures((photographs, *args.textures))
    where = Run(
        args.out, args.out / 'scenes', args.weights, workers=args.workers, device=args.device
    )
    trainer = Trainer(recipe, where, textures)
    finished = trainer.train()
    if trainer.rank == 0:
        print(f'{args.out}: step {trainer.step} of {recipe.steps}')
    return 0 if finished else 1
