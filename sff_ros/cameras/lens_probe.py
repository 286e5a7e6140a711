"""Takes the sweeps and steps for the calibration of a lens."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from sff_ros.cameras.lens_device import Frame, LensDevice, first_received
from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.calibration.settling import (
    Flank,
    Settling,
    find_flank,
    judge_steps,
    measure_backlash,
    sharpness,
)
from sff_ros.core.image import Floats, Image
from sff_ros.errors import CameraError, CameraLostError

PATIENT_S = 0.4  # nearly every lens has settled by then
STEPS = 12
LEAD = 0.06  # share of the range left out at both ends while the backlash is unknown
LOST_IN_A_ROW = 10


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredDynamics:
    """How a lens moves.

    Attributes:
        settling: its steps.
        backlash: width of its hysteresis, codes.
        flank: the codes between which it stepped.
    """

    settling: Settling
    backlash: float
    flank: Flank


def take_sweep(
    device: LensDevice, name: str, codes: Floats, settle_s: float = PATIENT_S
) -> CodeSweep:
    """Take a slice at each code, the lens at rest, each code approached from the same side.

    Args:
        device: open.
        name: for display.
        codes: strictly monotonic, in the order of time; the first one leaves room for the backlash
            on the side of approach.
        settle_s: wait after each move.

    Raises:
        CameraError: no frames arrive.
    """
    rising = codes[-1] > codes[0]
    device.move(device.codes.low if rising else device.codes.high)
    _frame(device, device.now_ns() + round(settle_s * 1e9))
    images: list[Image] = []
    for code in codes.tolist():
        device.move(code)
        images.append(_frame(device, device.now_ns() + round(settle_s * 1e9)).image)
    return CodeSweep(name, codes, tuple(images))


def sweep_codes(device: LensDevice, count: int, backlash: float | None, rising: bool) -> Floats:
    """Return codes over the range, less the backlash at both ends (LEAD if None)."""
    low, high = device.codes.low, device.codes.high
    lead = LEAD * (high - low) if backlash is None else 1.1 * backlash + device.codes.step
    ends = np.linspace(low + lead, high - lead, count)
    codes = np.unique([device.codes.nearest(code) for code in ends.tolist()])
    return codes if rising else codes[::-1].copy()


def measure_dynamics(
    device: LensDevice, count: int = 31, patient_s: float = PATIENT_S
) -> MeasuredDynamics:
    """Measure settling, lag and backlash on a still scene with texture.

    Args:
        device: open.
        count: slices of each of the two sweeps for sharpness.
        patient_s: time after which the lens is assumed to be at rest.

    Raises:
        CalibrationError: the scene has no texture, moves, or the lens does not settle.
        CameraError: no frames arrive.
    """
    up, down = (
        take_sweep(device, name, sweep_codes(device, count, None, rising), patient_s)
        for name, rising in (('up', True), ('down', False))
    )
    backlash = measure_backlash(up, down)
    flank = find_flank(up.codes, np.array([sharpness(image) for image in up.images]))
    steps = [_step(device, flank, k, patient_s) for k in range(STEPS)]
    times, position_codes, starts, goals = (
        np.concatenate(column) for column in zip(*steps, strict=True)
    )
    settling = judge_steps(times, position_codes, starts, goals)
    return MeasuredDynamics(settling, backlash, flank)


def _step(
    device: LensDevice, flank: Flank, number: int, patient_s: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Step along the flank; return time, position code, start and goal of each frame."""
    ends = (float(flank.codes[0]), float(flank.codes[-1]))
    here, there = ends if number % 2 == 0 else ends[::-1]
    device.move(here)
    before = _frame(device, device.now_ns() + round(patient_s * 1e9))
    # Another phase of the frame clock each time: all steps together sample finely.
    time.sleep((number + 0.5) / STEPS * device.period_ns * 1e-9)
    commanded_ns = device.now_ns()
    device.move(there)
    times: list[float] = []
    sharp: list[float] = []
    not_before_ns = commanded_ns
    while not times or times[-1] < 1.5 * patient_s:
        frame = _frame(device, not_before_ns)
        times.append((frame.start_ns + frame.exposure_ns / 2 - commanded_ns) * 1e-9)
        sharp.append(sharpness(frame.image))
        not_before_ns = frame.start_ns + 1
    position_codes = flank.position_codes(np.array(sharp))
    start = float(flank.position_codes(np.array([sharpness(before.image)]))[0])
    rest = position_codes[np.array(times) > patient_s]
    goal = float(np.median(rest))
    count = len(times)
    return np.array(times), position_codes, np.full(count, start), np.full(count, goal)


def _frame(device: LensDevice, not_before_ns: int) -> Frame:
    """Return the first frame that is not lost."""
    try:
        return first_received(device, not_before_ns, LOST_IN_A_ROW)
    except CameraLostError:
        raise
    except CameraError as err:
        raise CameraError(f'no image arrives: {err}') from err
