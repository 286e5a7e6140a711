"""Where the sweeps of a lens calibration come from: a live camera, or folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from sff_ros.cameras.lens_device import LensDevice
from sff_ros.cameras.lens_probe import Motion, measure_motion, sweep_codes, take_sweep
from sff_ros.cameras.open import open_device
from sff_ros.cli.arguments import read_capture_config
from sff_ros.core.calibration.board_pose import BoardViews, observe
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError
from sff_ros.files.stack import read_stack, write_stack

FEWEST_VIEWS = 1  # slices that show the board, of a sweep that is worth something


@runtime_checkable
class HoldsBoard(Protocol):
    """A device that puts the board elsewhere by itself, as a simulated one does."""

    def next_board(self) -> str:
        """Hold the board elsewhere; return where, for people."""
        ...


def recorded_sweeps(folders: Sequence[Path], board: Board) -> list[BoardViews]:
    """Read sweeps over the board and find it in them.

    Raises:
        StackError: a folder holds no sweep.
        CalibrationError: it does not say the lens codes.
    """
    sweeps = []
    for folder in folders:
        stack = read_stack(folder)
        if np.isnan(stack.codes).any():
            raise CalibrationError(f'{folder}: stack.yaml must give lens_codes, one a picture')
        images = tuple(stack.image(i) for i in range(len(stack.paths)))
        sweeps.append(observe(CodeSweep(folder.name, stack.codes, images), board))
    return sweeps


def live_sweeps(args: argparse.Namespace, board: Board) -> tuple[list[BoardViews], Motion, str]:
    """Take the sweeps with a camera, telling the user where to hold the board.

    Returns:
        The sweeps with the board found, how the lens moves, and the camera's identity.

    Raises:
        SffError: the camera cannot be opened or gives no pictures, or the user gave up.
    """
    device = open_device(read_capture_config(args))
    try:
        low, high = device.codes.low, device.codes.high
        print(f'camera {device.identity or "without identity"}, lens codes {low:g} .. {high:g}')
        sweeps: list[BoardViews] = []
        motion: Motion | None = None
        while len(sweeps) < 2 * args.places:
            where = _ask(device, len(sweeps) // 2, args.places)
            if motion is None:
                motion = measure_motion(device, args.slices, args.patience)
                print(f'lens settles in {motion.settling.settle_s * 1e3:.1f} ms')
            pair = [observe(sweep, board) for sweep in _pair(device, where, args.slices, motion)]
            seen = [sum(corners is not None for corners in views.corners) for views in pair]
            print(f'{where}: the board is seen in {seen[0]} and {seen[1]} of {args.slices} slices')
            if min(seen) < FEWEST_VIEWS:
                print('  too few: hold it where the lens can focus, well lit, wholly in view')
                continue
            _keep(args.keep, [views.sweep for views in pair])
            sweeps += pair
        assert motion is not None
        return sweeps, motion, device.identity
    finally:
        device.close()


def _ask(device: LensDevice, number: int, places: int) -> str:
    """Have the board put elsewhere; return the name of that place."""
    if isinstance(device, HoldsBoard):
        return f'place {number + 1}, {device.next_board()}'
    how = 'far, near and in between; tilted by 20 to 40 degrees every other time'
    print(f'place {number + 1} of {places}: put the board elsewhere ({how}), hold it still; Enter')
    if not sys.stdin.readline():
        raise CalibrationError('no more input: nobody presses Enter')
    return f'place {number + 1}'


def _pair(device: LensDevice, where: str, slices: int, motion: Motion) -> list[CodeSweep]:
    """Take a sweep up and a sweep down."""
    # A frame more than measured: calibration has time.
    settle_s = motion.settling.settle_s + device.period_ns * 1e-9
    return [
        take_sweep(
            device,
            f'{where}, {"up" if rising else "down"}',
            sweep_codes(device, slices, motion.play, rising),
            settle_s,
        )
        for rising in (True, False)
    ]


def _keep(folder: Path | None, pair: Sequence[CodeSweep]) -> None:
    """Write sweeps as folders that `sff calibrate lens FOLDER...` reads."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for sweep in pair:
        slices = [
            Slice(image, float('nan'), k, index=k, count=len(sweep.codes), code=float(code))
            for k, (image, code) in enumerate(zip(sweep.images, sweep.codes, strict=True))
        ]
        name = sweep.name.replace(', ', '_').replace(' ', '_')
        write_stack(folder / name, slices, Intrinsics(*sweep.size))
