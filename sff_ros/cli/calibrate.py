"""`sff calibrate`: calibrate a lens, from codes to metres."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sff_ros.cameras.lens_probe import PATIENT_S, MeasuredDynamics, measure_dynamics
from sff_ros.cameras.open import open_device
from sff_ros.cli.arguments import add_camera_arguments, read_capture_config
from sff_ros.cli.calibrate_lens import live_sweeps, recorded_sweeps
from sff_ros.cli.report.board_pdf import board_pdf
from sff_ros.cli.report.calibration_plot import calibration_plot
from sff_ros.cli.report.calibration_text import describe, describe_fit
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.calibration.from_board import calibrate_lens
from sff_ros.errors import ConfigError, quoted
from sff_ros.files.image import write_png
from sff_ros.files.lens_yaml import read_lens, write_lens
from sff_ros.files.whole_file import write_file

HELP = 'Calibrate a lens: print a board, sweep over it, get dioptres for lens codes.'
EPILOG = """\
1. sff calibrate board --out board.pdf            print it at 100 %, glue it onto something flat
2. sff calibrate lens --params-file my.yaml --out lens.yaml
     hold or mount the board at several distances and tilts; follow the prompts
3. set lens.file of capture_node to lens.yaml

my.yaml holds the parameters of capture_node, as `ros2 launch` takes them. `sff calibrate show
lens.yaml` prints it. `sff calibrate settle` measures settling, lag and backlash alone, over any
still scene with texture, and writes them to lens.yaml if given by --into.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff calibrate`."""
    verbs = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    board = verbs.add_parser('board', help='Make the printable board.')
    _add_board(board)
    board.add_argument('--out', metavar='PDF', type=Path, required=True)

    lens = verbs.add_parser('lens', help='Calibrate the lens over the board.')
    add_camera_arguments(lens)
    _add_board(lens)
    lens.add_argument(
        'folders', metavar='FOLDER', nargs='*', type=Path,
        help='recorded sweeps over the board, with lens_codes in stack.yaml, instead of a camera',
    )  # fmt: skip
    lens.add_argument('--out', metavar='YAML', type=Path, required=True)
    lens.add_argument('--plot', metavar='PNG', type=Path, help='draw it')
    lens.add_argument('--keep', metavar='DIR', type=Path, help='write the sweeps, a folder each')
    lens.add_argument('--places', type=int, default=8, help='of the board (default: %(default)s)')
    lens.add_argument('--slices', type=int, default=31, help='a sweep (default: %(default)s)')
    _add_patience(lens)

    settle = verbs.add_parser('settle', help='Measure settling, lag and backlash of the lens.')
    add_camera_arguments(settle)
    settle.add_argument('--into', metavar='YAML', type=Path, help='calibration to write them to')
    _add_patience(settle)

    show = verbs.add_parser('show', help='Print a calibration.')
    show.add_argument('file', metavar='YAML', type=Path)
    show.add_argument('--plot', metavar='PNG', type=Path, help='draw it')


def run(args: argparse.Namespace) -> int:
    """Run `sff calibrate`.

    Raises:
        SffError: the camera, the board or a file is unsuitable; the message says what to do.
        OSError: a file cannot be written.
    """
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        'board': _board,
        'lens': _lens,
        'settle': _settle,
        'show': _show,
    }
    plot = getattr(args, 'plot', None)
    if plot is not None and plot.suffix.lower() != '.png':
        raise ConfigError(f'--plot {plot}: only .png is written')
    with _interrupted_by_sigterm():
        actions[args.action](args)
    return 0


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM interrupt the command as Ctrl-C does, so that the lens is reset."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_board(text: str) -> Board:
    """Return the board of 'COLUMNSxROWSxMM', e.g. 11x7x25.

    Raises:
        ConfigError: the text is malformed.
        CalibrationError: the board is invalid.
    """
    parts = text.lower().split('x')
    try:
        columns, rows, square_mm = int(parts[0]), int(parts[1]), float(parts[2])
        if len(parts) != 3:
            raise ValueError(text)
    except (ValueError, IndexError) as err:
        raise ConfigError(
            f'--board {quoted(text)} must be COLUMNSxROWSxMM, e.g. 11x7x25: squares, and their '
            'side'
        ) from err
    return Board(columns, rows, square_mm * 1e-3)


def describe_dynamics(dynamics: MeasuredDynamics) -> str:
    """Return settling, lag and backlash in a line."""
    s = dynamics.settling
    return (
        f'settles in {s.settle_s * 1e3:.1f} ms, lags {s.lag_s * 1e3:.1f} ms, '
        f'backlash {dynamics.backlash:.2f} codes'
    )


def _add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--board', metavar='COLUMNSxROWSxMM', default='11x7x25',
        help='squares, and their side as measured on the print (default: %(default)s: A4)',
    )  # fmt: skip


def _add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--patience', metavar='S', type=float, default=PATIENT_S,
        help='after which the lens is certainly at rest (default: %(default)s)',
    )  # fmt: skip


def _board(args: argparse.Namespace) -> None:
    write_file(args.out, board_pdf(parse_board(args.board)))
    print(f'{args.out}: print it at 100 %, check its line, and give --board the measured side')


def _settle(args: argparse.Namespace) -> None:
    _check_patience(args.patience)
    known = read_lens(args.into) if args.into else None
    device = open_device(read_capture_config(args))
    try:
        dynamics = measure_dynamics(device, patient_s=args.patience)
    finally:
        device.close()
    print(describe_dynamics(dynamics))
    if known is not None:
        settling = dynamics.settling
        known = replace(
            known, settle_s=settling.settle_s, lag_s=settling.lag_s, backlash=dynamics.backlash
        )
        write_lens(args.into, known)
        print(f'{args.into}: settle_s, lag_s and backlash updated')


def _check_lens(args: argparse.Namespace) -> None:
    """Check before the sweeps what would fail after them."""
    for option, given, least in (('places', args.places, 3), ('slices', args.slices, 5)):
        if given < least:
            raise ConfigError(f'--{option} is {given}; allowed: {least} or more')
    _check_patience(args.patience)
    for file in (args.out, args.plot):
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f'{file} cannot be written: {file.parent} is not a folder')


def _check_patience(patience_s: float) -> None:
    if not 0 < patience_s <= 10:
        raise ConfigError(f'--patience is {patience_s:g} s; allowed: above 0, up to 10')


def _lens(args: argparse.Namespace) -> None:
    _check_lens(args)
    board = parse_board(args.board)
    if args.folders:
        sweeps, dynamics, device = recorded_sweeps(args.folders, board), None, ''
    else:
        sweeps, dynamics, device = live_sweeps(args, board)
    report = calibrate_lens(sweeps, board)
    calibration = replace(report.calibration, device=device)
    if dynamics is not None:
        settling = dynamics.settling
        calibration = replace(calibration, settle_s=settling.settle_s, lag_s=settling.lag_s)
    print('\n'.join((*describe_fit(report), '', *describe(calibration))))
    write_lens(args.out, calibration)
    if args.plot:
        write_png(args.plot, calibration_plot(calibration, report))
    print(f'{args.out}: set lens.file of capture_node to it')


def _show(args: argparse.Namespace) -> None:
    calibration = read_lens(args.file)
    print('\n'.join(describe(calibration)))
    if args.plot:
        write_png(args.plot, calibration_plot(calibration, None))
        print(args.plot)
