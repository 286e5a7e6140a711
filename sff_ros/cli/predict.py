"""`sff predict`: a folder of images in; what the paper's network predicts out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sff_ros.cli.report.images import prediction_image
from sff_ros.core.image import FloatMap
from sff_ros.errors import ConfigError, ModelError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.export import checked_out, write_tiff
from sff_ros.files.image import write_png
from sff_ros.files.stack import read_stack

HELP = "Predict by the paper's network with its authors' weights, in the units of their data."
EPILOG = """\
FOLDER holds the images of one sweep, as for `sff depth`. CHECKPOINT is a plain state dict as the
authors of the paper published it. It runs in PyTorch (pip install torch). DIR receives
  prediction.tiff    float32 in the units of the data set that the checkpoint was trained on
                     (ckpt_FT.pth: disparity, px; ckpt_FoD.pth: metres of its scenes); geometry
                     of the images
  prediction.png     prediction.tiff in colour
These units are not metres of your lens: so there is no depth.tiff, cloud.ply or all_in_focus.png,
and stack.yaml is read for its errors only. `sff depth` computes metres.
"""
TIFF, PNG = 'prediction.tiff', 'prediction.png'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff predict`."""
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='images of one sweep')
    parser.add_argument(
        'checkpoint', metavar='CHECKPOINT', type=Path, help='weights, e.g. ckpt_FT.pth'
    )
    parser.add_argument(
        '--out', metavar='DIR', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument(
        '--iterations',
        metavar='N',
        type=int,
        help='refinements, 1 or more (default: 32, as the network was trained)',
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff predict`: write prediction.tiff and prediction.png, or nothing.

    Raises:
        SffError: the input is wrong; nothing was written.
        OSError: DIR cannot be written.
    """
    out = checked_out(args.out, args.folder)
    if args.iterations is not None and args.iterations < 1:
        raise ConfigError(f'--iterations is {args.iterations}; allowed: 1 or more')
    stack = read_stack(args.folder)
    images = [stack.as_8_bit(stack.image(i)) for i in range(len(stack.paths))]
    prediction = _predict(args.checkpoint, images, args.iterations)
    with staged_folder(out) as stage:
        write_tiff(stage / TIFF, prediction)
        write_png(stage / PNG, prediction_image(prediction))
    print(f"{out}: {TIFF} in the units of the checkpoint's data set, {PNG}")
    return 0


def _predict(
    checkpoint: Path, images: Sequence[npt.NDArray[np.uint8]], iterations: int | None
) -> FloatMap:
    """Load the network and run it.

    Args:
        checkpoint: plain state dict.
        images: of the sweep, (H, W) grey or (H, W, 3) RGB.
        iterations: refinements; None: as many as the network was trained with.

    Raises:
        ModelError: PyTorch is missing, or the checkpoint or the images do not fit the network.
    """
    try:
        from sff_ros.network.checkpoint import load_weights
        from sff_ros.network.paper.ddl_gru import DdlGru, predict
    except ModuleNotFoundError as err:
        if err.name != 'torch':
            raise
        raise ModelError('PyTorch is not installed: pip install torch') from err
    except (ImportError, OSError) as err:  # a library that PyTorch itself needs
        raise ModelError(f'PyTorch cannot be loaded: {err}') from err
    network = DdlGru()
    load_weights(network, checkpoint)
    return predict(network, images, iterations or network.config.iterations)
