"""`sff depth`: a folder of images in; slice positions, depth and points out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sff_ros.cli.report.blank import report_blank
from sff_ros.cli.report.images import confidence_image, depth_image, position_image
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import ALIGNMENTS, MODELS, Alignment, alignment_of
from sff_ros.core.alignment.motion import MUCH_MOVING
from sff_ros.core.focus.reversals import MANY_REVERSALS, block_sharpness, reversals
from sff_ros.core.sweep.blank import BlankSlice
from sff_ros.depth_pipeline import DepthPipeline, is_sure
from sff_ros.errors import CalibrationError, ConfigError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.camera_info import read_camera_info
from sff_ros.files.export import checked_out, write_ply, write_tiff
from sff_ros.files.image import write_png
from sff_ros.files.order import unclear_order
from sff_ros.files.stack import RecordedStack, read_stack
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import AUTO, choose_backend
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

HELP = 'Compute depth from a folder of images of one sweep of the lens.'
EPILOG = """\
FOLDER holds the images of one sweep (png, jpg, tif, bmp, webp, pgm, ppm; 8 or 16 bits) in
the order of the numbers in their names, slice_2 before slice_10; signs, decimals, exponents and
units (900um before 1mm) count, the suffix does not. The order is printed where it is not obvious.
An optional stack.yaml beside them may give
  focus_dpt or focus_m   focus distance of each image, dioptres or metres (.inf allowed)
  lens_codes and lens    control codes, and the table {codes, dioptres} that turns them into focus
  scales, centre_px      scale of each image relative to the reference focus, and its fixed point
  residual_dpt           standard deviation of the focus distances, dioptres
  camera_matrix          3x3, px; zero: not calibrated
  distortion             4, 5 or 8 coefficients in OpenCV's order; distortion_model as in ROS

DIR receives
  index.tiff         float32 slice position, 0 is the first image; geometry of the images, after
                     an alignment that of the frame it prints
  confidence.tiff    float32, 0 .. 1, of index.tiff; confidence.png shows it
  all_in_focus.png   the sharp image, bits as in FOLDER; rectified where distortion is known
  depth.tiff         float32 metres along Z: NaN unknown, -Inf too near, +Inf too far; rectified;
                     only where focus distances are known
  standard_deviation.tiff  float32 metres: of depth.tiff, NaN where that is not finite
  depth.png          depth.tiff in colour, grey where there is none; else index.tiff in colour,
                     pale where confidence is low
  cloud.ply          coloured points in metres; only where focus and camera_matrix are known
An image that is black, white or of one colour while its neighbours are not is left out and named
on stderr; the others keep their numbers. All files are written, or none. Files of these names from
an earlier run are replaced.
"""

OUTPUTS = (
    'index.tiff',
    'confidence.tiff',
    'confidence.png',
    'all_in_focus.png',
    'depth.tiff',
    'standard_deviation.tiff',
    'depth.png',
    'cloud.ply',
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff depth`."""
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='images of one sweep')
    parser.add_argument(
        '--out', metavar='DIR', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument(
        '--page',
        choices=('all',),
        help='all: the images are the pages of one TIFF, e.g. of an OME-TIFF z-stack; FOLDER is '
        'the file, or holds no other image',
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
        help='pixels below it get no depth; 0: keep all (default: %(default)s)',
    )
    parser.add_argument(
        '--align',
        choices=ALIGNMENTS,
        default='auto',
        help='how slices are brought into one frame; breathing: by the scales of stack.yaml; '
        'similarity, homography: these, and motion estimated from the images; auto: breathing if '
        'stack.yaml gives focus distances or scales, else similarity (default: %(default)s)',
    )
    parser.add_argument(
        '--model',
        metavar='FILE',
        default='',
        help='a network of `sff export`, .onnx or .safetensors (default: the one that comes with '
        'the package)',
    )
    # No longer an option, but named in the error.
    parser.add_argument('--iterations', help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Run `sff depth`.

    Raises:
        SffError: the input is wrong; nothing was written.
        OSError: DIR cannot be written.
    """
    out = checked_out(args.out, args.folder.parent if args.folder.is_file() else args.folder)
    if args.iterations is not None:
        raise ConfigError("--iterations is for the paper's network: use `sff predict`")
    config = DepthConfig(min_confidence=args.min_confidence)
    stack = _open(args.folder, args.camera_info, all_pages=args.page == 'all')
    _report_order(stack)
    align = alignment_of(args.align, stack.lens)
    choice = choose_backend(args.backend, args.model)
    if args.backend == AUTO:
        print(f'backend: {choice}', file=sys.stderr)
    focus_map = _estimate(choice.backend, stack, align)
    _report_reversals(stack, focus_map.left_out)
    with staged_folder(out) as stage:
        absent = _write(stage, stack, focus_map, config)
        written = [name for name in OUTPUTS if (stage / name).exists()]
    for name in set(OUTPUTS) - set(written):
        (out / name).unlink(missing_ok=True)
    print(f'{out}: {", ".join(written)}')
    if absent:
        print(absent)
    return 0


def _report_order(stack: RecordedStack) -> None:
    """Print the order of the images if it is not obvious."""
    order = unclear_order(stack.names)
    if order:
        print(f'order: {order}', file=sys.stderr)


def _report_reversals(stack: RecordedStack, left_out: Sequence[BlankSlice]) -> None:
    """Print whether focus goes back and forth through the images that were used."""
    used = sorted({*range(len(stack.paths))} - {blank.index for blank in left_out})
    sharpness = np.array([block_sharpness(stack.image(i)) for i in used])
    if reversals(sharpness) > MANY_REVERSALS:
        first, last = stack.names[0], stack.names[-1]
        print(
            f'order: sharpness rises and falls several times from {first} to {last}: focus must '
            'move in one direction; do the names give the order of one sweep?',
            file=sys.stderr,
        )


def _estimate(backend: DepthBackend, stack: RecordedStack, how: Alignment) -> FocusMap:
    """Estimate, and report alignment and motion."""
    setup = SweepSetup(stack.intrinsics, align=how)
    focus_map = ShapeFromFocus(backend).estimate(stack, setup)
    report_blank(stack, focus_map.left_out)
    alignment = focus_map.alignment
    if alignment.is_moved or alignment.dropped or how not in ('auto', 'none'):
        by = f', shifts of up to {focus_map.camera_px:.1f} px' if alignment.is_moved else ''
        print(f'alignment: {alignment}{by}', file=sys.stderr)
    if focus_map.moving > MUCH_MOVING:
        searched = MODELS[alignment.method] is not None
        hint = '' if searched else '; --align similarity compensates camera motion'
        print(
            f'motion: {focus_map.moving:.0%} of the pixels moved; they have little confidence'
            + hint,
            file=sys.stderr,
        )
    if doubt := focus_map.estimate.doubt:
        print(f'focus: {doubt}', file=sys.stderr)
    return focus_map


def _open(folder: Path, camera_info: Path | None, all_pages: bool) -> RecordedStack:
    """Read the stack, with the intrinsics of camera_info if given."""
    stack = read_stack(folder, all_pages=all_pages)
    if camera_info is None:
        return stack
    intrinsics, own = read_camera_info(camera_info), stack.intrinsics
    if (intrinsics.width, intrinsics.height) != (own.width, own.height):
        raise CalibrationError(
            f'{camera_info} is for {intrinsics.width}x{intrinsics.height}, the images of '
            f'{folder} are {own.width}x{own.height}'
        )
    return replace(stack, intrinsics=intrinsics)


def _write(stage: Path, stack: RecordedStack, focus_map: FocusMap, config: DepthConfig) -> str:
    """Write all possible outputs; return which are not, and why."""
    pipeline, estimate = DepthPipeline(), focus_map.estimate
    rectified = pipeline.rectify(focus_map)
    sharp = rectified.all_in_focus()
    write_tiff(stage / 'index.tiff', focus_map.index)
    write_tiff(stage / 'confidence.tiff', estimate.confidence)
    write_png(stage / 'confidence.png', confidence_image(estimate.confidence))
    write_png(stage / 'all_in_focus.png', sharp)
    focus = rectified.focus()
    if focus is None:
        sure = is_sure(estimate.confidence, config)
        write_png(stage / 'depth.png', position_image(focus_map.index, sure))
        return 'no depth.tiff, no cloud.ply: focus distances are unknown'
    depth = pipeline.depth(focus, config)
    write_tiff(stage / 'depth.tiff', depth.depth_m)
    deviation = rectified.deviation_dpt()
    assert deviation is not None
    write_tiff(stage / 'standard_deviation.tiff', depth.deviation_m(deviation))
    write_png(stage / 'depth.png', depth_image(depth.depth_m))
    if not depth.camera.is_calibrated:
        return 'no cloud.ply: camera_matrix is zero or not given'
    if not depth.valid.any():
        return 'no cloud.ply: no pixel has a depth'
    write_ply(stage / 'cloud.ply', depth.points(), stack.as_8_bit(sharp))
    return ''
