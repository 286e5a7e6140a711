"""Sweeps for a lens calibration, from a live camera or from folders."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from sff_ros.cameras.lens_device import LensDevice
from sff_ros.cameras.lens_probe import MeasuredDynamics, measure_dynamics, sweep_codes, take_sweep
from sff_ros.cameras.open import open_device
from sff_ros.cli.arguments import read_capture_config
from sff_ros.core.calibration.board_pose import BoardViews, observe
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError
from sff_ros.files.stack import read_stack, write_stack

FEWEST_VIEWS = 1  # slices that show the board, of a usable sweep


@runtime_checkable
class HoldsBoard(Protocol):
    """A device that moves the board by itself, as a simulated one does."""

    def next_board(self) -> str:
        """Move the board to its next position; return a description."""
        ...


def recorded_sweeps(folders: Sequence[Path], board: Board) -> list[BoardViews]:
    """Read sweeps over the board and find it in them.

    Raises:
        StackError: a folder holds no sweep.
        CalibrationError: a stack.yaml has no lens codes.
    """
    sweeps = []
    for folder in folders:
        stack = read_stack(folder)
        if any(math.isnan(lens.code) for lens in stack.lens):
            raise CalibrationError(f'{folder}: stack.yaml must give lens_codes, one an image')
        kept = from_one_side(stack.lens)
        codes = np.array([stack.lens[i].code for i in kept])
        images = tuple(stack.image(i) for i in kept)
        sweeps.append(observe(CodeSweep(folder.name, codes, images), board))
    return sweeps


def from_one_side(states: Sequence[LensState]) -> list[int]:
    """Return the slices that the lens approached in the direction of the sweep.

    At the start of a sweep, the lens may still be on the other side of its backlash: the position
    codes show it. Without them this is unknown for the first slice, which is left out.
    """
    side = 1 if states[-1].code > states[0].code else -1
    if any(math.isnan(lens.position_code) for lens in states):
        return list(range(1, len(states)))
    return [i for i, s in enumerate(states) if side * (s.code - s.position_code) >= 0]


def live_sweeps(
    args: argparse.Namespace, board: Board
) -> tuple[list[BoardViews], MeasuredDynamics, str]:
    """Take the sweeps with a camera, asking the user where to hold the board.

    Returns:
        The sweeps with the board found, the dynamics of the lens, and the camera's identity.

    Raises:
        SffError: the camera cannot be opened or delivers no images, or input ended.
    """
    device = open_device(read_capture_config(args))
    try:
        low, high = device.codes.low, device.codes.high
        print(f'camera {device.identity or "without identity"}, lens codes {low:g} .. {high:g}')
        sweeps: list[BoardViews] = []
        dynamics: MeasuredDynamics | None = None
        while len(sweeps) < 2 * args.places:
            where = _ask(device, len(sweeps) // 2, args.places)
            if dynamics is None:
                dynamics = measure_dynamics(device, args.slices, args.patience)
                print(f'lens settles in {dynamics.settling.settle_s * 1e3:.1f} ms')
            pair = [observe(sweep, board) for sweep in _pair(device, where, args.slices, dynamics)]
            seen = [sum(corners is not None for corners in views.corners) for views in pair]
            print(f'{where}: the board is seen in {seen[0]} and {seen[1]} of {args.slices} slices')
            if min(seen) < FEWEST_VIEWS:
                print('  too few: hold it where the lens can focus, well lit, wholly in view')
                continue
            _keep(args.keep, [views.sweep for views in pair], dynamics.backlash)
            sweeps += pair
        assert dynamics is not None
        return sweeps, dynamics, device.identity
    finally:
        device.close()


def _ask(device: LensDevice, number: int, places: int) -> str:
    """Have the board moved to its next position; return the name of that."""
    if isinstance(device, HoldsBoard):
        return f'place {number + 1}, {device.next_board()}'
    how = 'far, near and in between; tilted by 20 to 40 degrees every other time'
    print(f'place {number + 1} of {places}: move the board ({how}), hold it still, press Enter')
    if not sys.stdin.readline():
        raise CalibrationError('no more input: Enter was not pressed')
    return f'place {number + 1}'


def _pair(
    device: LensDevice, where: str, slices: int, dynamics: MeasuredDynamics
) -> list[CodeSweep]:
    """Take a sweep up and a sweep down."""
    # A frame more than measured, for safety.
    settle_s = dynamics.settling.settle_s + device.period_ns * 1e-9
    return [
        take_sweep(
            device,
            f'{where}, {"up" if rising else "down"}',
            sweep_codes(device, slices, dynamics.backlash, rising),
            settle_s,
        )
        for rising in (True, False)
    ]


def _keep(folder: Path | None, pair: Sequence[CodeSweep], backlash: float) -> None:
    """Write sweeps as folders that `sff calibrate lens FOLDER...` reads."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for sweep in pair:
        offset = sweep.side * backlash / 2
        slices = [
            Slice(image, LensState(code=code, position_code=code - offset), k, k, len(sweep.codes))
            for k, (image, code) in enumerate(zip(sweep.images, sweep.codes.tolist(), strict=True))
        ]
        name = sweep.name.replace(', ', '_').replace(' ', '_')
        write_stack(folder / name, slices, Intrinsics(*sweep.size))
