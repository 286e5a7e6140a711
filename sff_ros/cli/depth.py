"""`sff depth`: a folder of pictures in; slice positions, depth and points out."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sff_ros.cli.predict import predict_folder
from sff_ros.cli.report.images import confidence_image, depth_image, position_image
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import MODELS, Alignment, align, as_alignment
from sff_ros.core.alignment.motion import MUCH_MOVING
from sff_ros.core.depth.cloud import unproject
from sff_ros.core.depth.metric import metric_depth
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.sweep.stack import FocalStack
from sff_ros.errors import CalibrationError, ConfigError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.camera_info import read_camera_info
from sff_ros.files.export import checked_out, write_ply, write_tiff
from sff_ros.files.image import write_png
from sff_ros.files.stack import RecordedStack, read_stack
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import AUTO, choose_backend
from sff_ros.pipeline import FocusMap, ShapeFromFocus

HELP = 'Compute depth from a folder of pictures of one sweep of the lens.'
EPILOG = """\
FOLDER holds the pictures of one sweep (png, jpg, tif, bmp, webp, pgm, ppm; 8 or 16 bits) in
natural order, slice_2 before slice_10. An optional stack.yaml beside them may give
  focus_dpt or focus_m   focus distance of each picture, dioptres or metres (.inf allowed)
  lens_codes and lens    control codes, and the table {codes, dioptres} that turns them into focus
  scales, centre_px      size of each picture over that at the reference focus, and about which px
  camera_matrix          3x3, px; zero: not calibrated
  distortion             4, 5 or 8 coefficients in OpenCV's order; distortion_model as in ROS

DIR receives
  index.tiff         float32 slice position, 0 is the first picture; geometry of the pictures,
                     after an alignment of the one that it names
  confidence.tiff    float32, 0 .. 1, of index.tiff; confidence.png shows it
  all_in_focus.png   the sharp picture, bits as in FOLDER; rectified where distortion is known
  depth.tiff         float32 metres along Z: NaN unknown, -Inf too near, +Inf too far; rectified;
                     only where focus distances are known
  depth.png          depth.tiff in colour, grey where there is none; else index.tiff in colour,
                     pale where it is not sure
  cloud.ply          coloured points in metres; only where focus and camera_matrix are known
Everything is written, or nothing. Files of these names from an earlier run are replaced.

With --model the paper's network predicts instead, in PyTorch (pip install torch), and DIR
receives only
  prediction.tiff    float32 in the units of the data set that the checkpoint was trained on
                     (ckpt_FT.pth: disparity, px; ckpt_FoD.pth: metres of its scenes); geometry
                     of the pictures
  prediction.png     prediction.tiff in colour
These units are no metres of your lens: so there is no depth.tiff, cloud.ply or all_in_focus.png,
and stack.yaml is not looked at for more than its errors.
"""

OUTPUTS = (
    'index.tiff',
    'confidence.tiff',
    'confidence.png',
    'all_in_focus.png',
    'depth.tiff',
    'depth.png',
    'cloud.ply',
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff depth`."""
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='pictures of one sweep')
    parser.add_argument(
        '--out', metavar='DIR', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument(
        '--backend',
        default=AUTO,
        help='tensorrt, onnx, torch, peak, or auto: the best that loads (default)',
    )
    parser.add_argument(
        '--camera-info',
        metavar='YAML',
        type=Path,
        help='intrinsics as a ROS camera_info file, instead of those in stack.yaml',
    )
    parser.add_argument(
        '--min-confidence',
        metavar='C',
        type=float,
        default=DepthConfig().min_confidence,
        help='less is not sure and gives no depth; 0: keep all (default: %(default)s)',
    )
    parser.add_argument(
        '--align',
        choices=tuple(MODELS),
        default='auto',
        help='how slices are brought into one frame; breathing: by the scales of stack.yaml; '
        'similarity, homography: these, and what the pictures show beside; auto: these, and a '
        'similarity where the pictures show one (default: %(default)s)',
    )
    parser.add_argument(
        '--model',
        metavar='CHECKPOINT',
        type=Path,
        help="predict by the paper's network with its authors' weights, e.g. ckpt_FT.pth",
    )
    parser.add_argument(
        '--iterations',
        metavar='N',
        type=int,
        help='refinements of --model, 1 or more (default: 32, as it was trained)',
    )


def run(args: argparse.Namespace) -> int:
    """Run `sff depth`.

    Raises:
        SffError: the input is wrong; nothing was written.
        OSError: DIR cannot be written.
    """
    out = checked_out(args.out, args.folder)
    _check_model(args)
    if args.model is not None:
        return predict_folder(args.folder, out, args.model, args.iterations)
    limit = DepthConfig(min_confidence=args.min_confidence).min_confidence
    stack = _open(args.folder, args.camera_info)
    choice = choose_backend(args.backend)
    if args.backend == AUTO:
        print(f'backend: {choice}', file=sys.stderr)
    focus_map = _estimate(choice.backend, stack.focal_stack(), as_alignment(args.align))
    with staged_folder(out) as stage:
        absent = _write(stage, stack, focus_map, limit)
        written = [name for name in OUTPUTS if (stage / name).exists()]
    for name in set(OUTPUTS) - set(written):
        (out / name).unlink(missing_ok=True)
    print(f'{out}: {", ".join(written)}')
    if absent:
        print(absent)
    return 0


def _estimate(backend: DepthBackend, stack: FocalStack, how: Alignment) -> FocusMap:
    """Align the slices if asked to, say what came of it, and estimate.

    Raises:
        ConfigError: the stack does not know what it is asked for.
    """
    if how == 'breathing' and all(slice_.warp is None for slice_ in stack.slices):
        raise ConfigError(
            '--align breathing: nothing says how the pictures breathe; give scales in stack.yaml, '
            'or take auto'
        )
    aligned = align(stack, how)
    if aligned.is_moved or how not in ('auto', 'none'):
        print(f'alignment: {aligned}', file=sys.stderr)
    focus_map = ShapeFromFocus(backend).estimate(aligned.stack)
    if focus_map.moving > MUCH_MOVING:
        print(
            f'motion: {focus_map.moving:.0%} of the pixels moved; they have little confidence',
            file=sys.stderr,
        )
    estimate = focus_map.estimate
    confidence = estimate.confidence * aligned.covered
    return replace(focus_map, estimate=replace(estimate, confidence=confidence))


def _check_model(args: argparse.Namespace) -> None:
    """Refuse options that would be ignored with --model, or without it.

    Raises:
        ConfigError: there is one, or --iterations is less than 1.
    """
    if args.model is None:
        if args.iterations is not None:
            raise ConfigError('--iterations means nothing without --model')
        return
    if args.iterations is not None and args.iterations < 1:
        raise ConfigError(f'--iterations is {args.iterations}; allowed: 1 or more')
    given = {
        '--backend': args.backend != AUTO,
        '--align': args.align != 'auto',
        '--camera-info': args.camera_info is not None,
        '--min-confidence': args.min_confidence != DepthConfig().min_confidence,
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise ConfigError(f'{option} means nothing with --model, which writes no depth in metres')


def _open(folder: Path, camera_info: Path | None) -> RecordedStack:
    """Read the stack, with the intrinsics of another file where one is given."""
    stack = read_stack(folder)
    if camera_info is None:
        return stack
    intrinsics, own = read_camera_info(camera_info), stack.intrinsics
    if (intrinsics.width, intrinsics.height) != (own.width, own.height):
        raise CalibrationError(
            f'{camera_info} is for {intrinsics.width}x{intrinsics.height}, the pictures of '
            f'{folder} are {own.width}x{own.height}'
        )
    return replace(stack, intrinsics=intrinsics)


def _write(stage: Path, stack: RecordedStack, focus_map: FocusMap, min_confidence: float) -> str:
    """Write every output that can be; say which cannot, and why."""
    rectifier = Rectifier(stack.intrinsics)
    estimate = focus_map.estimate
    sharp = rectifier.picture(focus_map.all_in_focus())
    write_tiff(stage / 'index.tiff', estimate.position)
    write_tiff(stage / 'confidence.tiff', estimate.confidence)
    write_png(stage / 'confidence.png', confidence_image(estimate.confidence))
    write_png(stage / 'all_in_focus.png', sharp)
    dioptres = focus_map.dioptres_for(stack.intrinsics)
    if dioptres is None:
        sure = estimate.confidence >= min_confidence
        write_png(stage / 'depth.png', position_image(estimate.position, sure))
        return 'no depth.tiff, no cloud.ply: focus distances are unknown'
    depth_m = metric_depth(dioptres, estimate.confidence, min_confidence=min_confidence)
    depth_m = rectifier.map(depth_m, np.nan)
    write_tiff(stage / 'depth.tiff', depth_m)
    write_png(stage / 'depth.png', depth_image(depth_m))
    if not stack.intrinsics.is_calibrated:
        return 'no cloud.ply: camera_matrix is zero or not given'
    if not np.isfinite(depth_m).any():
        return 'no cloud.ply: no pixel has a depth'
    points_m = unproject(depth_m, stack.intrinsics.rectified())
    write_ply(stage / 'cloud.ply', points_m, stack.as_8_bit(sharp))
    return ''
