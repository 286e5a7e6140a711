"""`sff export`: convert trained weights to the model files of the nodes."""

from __future__ import annotations

import argparse
from pathlib import Path

from sff_ros.errors import ModelError

HELP = 'Export trained weights to the model files that the nodes run.'
EPILOG = """\
CHECKPOINT is checkpoint.pt of `sff train`, of which the running average is exported, or
fast_gru.safetensors of an earlier export. DIR receives
  fast_gru.onnx         the network, for the backends onnx and tensorrt
  fast_gru_fp16.onnx    the same with convolutions in fp16, for the backend tensorrt
  ddl.onnx              the focus measure of one slice, for the backend tensorrt
  *.onnx.json           what each of these graphs is; keep it beside the graph
  fast_gru.safetensors  the weights alone, for the backend torch
Each graph is first compared with PyTorch; existing files are replaced only after that.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff export`."""
    parser.add_argument(
        'checkpoint', metavar='CHECKPOINT', type=Path, help='weights, .pt or .safetensors'
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        type=Path,
        default=Path('models'),
        help='folder to write to (default: %(default)s)',
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff export`.

    Raises:
        SffError: the weights do not fit the network; nothing was written.
        OSError: DIR cannot be written.
    """
    try:
        from sff_ros.network.checkpoint import assign_weights, read_trained
        from sff_ros.network.export import export_model
        from sff_ros.network.fast_gru import FastGru
    except ImportError as err:
        raise ModelError(f'{err}; export needs: pip install -r requirements/train.txt') from err
    network = FastGru()
    assign_weights(network, read_trained(args.checkpoint), args.checkpoint)
    for file in export_model(network, args.out):
        print(f'{file}: {file.stat().st_size / 1e6:.1f} MB')
    return 0
