"""`sff depth --model`: a folder of pictures in; what the paper's network predicts out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sff_ros.cli.report.images import prediction_image
from sff_ros.core.image import FloatMap
from sff_ros.errors import ModelError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.export import write_tiff
from sff_ros.files.image import write_png
from sff_ros.files.stack import read_stack

TIFF, PNG = 'prediction.tiff', 'prediction.png'


def predict_folder(folder: Path, out: Path, checkpoint: Path, iterations: int | None) -> int:
    """Predict from a recorded sweep and write prediction.tiff and prediction.png, or nothing.

    Nothing metric is written, and no all-in-focus picture: the units are those of the data set
    that the checkpoint was trained on, and nothing in it says how they relate to the lens.

    Args:
        folder: pictures of the sweep.
        out: folder to write to.
        checkpoint: plain state dict, as the paper's authors published it.
        iterations: refinements; None: as many as the network was trained with.

    Returns:
        The exit code of the verb.

    Raises:
        SffError: the input is wrong; nothing was written.
        OSError: out cannot be written.
    """
    stack = read_stack(folder)
    pictures = [stack.as_8_bit(stack.image(i)) for i in range(len(stack.paths))]
    prediction = _predict(checkpoint, pictures, iterations)
    with staged_folder(out) as stage:
        write_tiff(stage / TIFF, prediction)
        write_png(stage / PNG, prediction_image(prediction))
    print(f"{out}: {TIFF} in the units of the checkpoint's data set, {PNG}")
    return 0


def _predict(
    checkpoint: Path, pictures: Sequence[npt.NDArray[np.uint8]], iterations: int | None
) -> FloatMap:
    """Load the network and run it; PyTorch is imported here and nowhere else in the tool."""
    try:
        from sff_ros.network.checkpoint import load_weights
        from sff_ros.network.paper.ddl_gru import DdlGru, predict
    except ModuleNotFoundError as err:
        if err.name != 'torch':
            raise
        message = '--model needs PyTorch, which is not installed: pip install torch'
        raise ModelError(message) from err
    except (ImportError, OSError) as err:  # a library that PyTorch itself needs
        raise ModelError(f'--model needs PyTorch, which cannot be loaded: {err}') from err
    network = DdlGru()
    load_weights(network, checkpoint)
    return predict(network, pictures, iterations or network.config.iterations)
