"""Settling time, lag and backlash of a lens, from sharpness against time.

The reference is a still scene with texture. Its sharpness against the lens code, measured with the
lens at rest, gives the position of the lens in any later frame, on a monotonic flank of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sff_ros.core.calibration.code_sweep import CodeSweep
from sff_ros.core.calibration.extrapolate import along
from sff_ros.core.image import Floats, Image, to_grey
from sff_ros.errors import CalibrationError

SETTLED = 0.02  # of a step: remaining distance at which the lens counts as settled
NOISE = 3.0  # standard deviations of the last frames that count as settled as well
STEEP = (0.1, 0.9)  # part of the flank's rise that is used
FEWEST = 4  # slices of a flank
LEAST_RISE = 0.15  # of the maximum: change of sharpness needed along the flank
SHIFTS = 401  # candidates for the backlash
MEDIAN = 5  # frames


@dataclass(frozen=True, slots=True, eq=False)
class Flank:
    """The part of a static sweep where sharpness gives the position code of the lens.

    Attributes:
        codes: (K,) strictly increasing.
        sharpness: (K,) strictly monotonic.
    """

    codes: Floats
    sharpness: Floats

    def position_codes(self, sharpness: Floats) -> Floats:
        """Return the position codes of sharpness values; extrapolated beyond the ends."""
        return along(sharpness, self.sharpness, self.codes)


@dataclass(frozen=True, slots=True, eq=False)
class Settling:
    """Step response of a lens.

    Attributes:
        settle_s: from the command until SETTLED of the step remains.
        lag_s: delay of a steadily moving lens: the area between command and response.
        time_s: (N,) of the frames, since their command.
        response: (N,) share of the step done by then.
    """

    settle_s: float
    lag_s: float
    time_s: Floats
    response: Floats


def sharpness(image: Image) -> float:
    """Return the sharpness of an image: mean absolute Laplacian over mean grey level."""
    grey = to_grey(image).astype(np.float32)
    edges = cv2.Laplacian(grey, cv2.CV_32F, ksize=1)
    return float(np.abs(edges).mean() / max(float(grey.mean()), 1e-6))


def find_flank(codes: Floats, sharp: Floats) -> Flank:
    """Return the steep part of the longest run along which sharpness rises or falls.

    Args:
        codes: (S,) strictly increasing.
        sharp: (S,) sharpness of the images, the lens at rest.

    Raises:
        CalibrationError: sharpness hardly changes: there is no texture, or the lens does not move.
    """
    steps = np.sign(np.diff(sharp))
    best = (0.0, 0, 0)
    start = 0
    for end in range(1, len(codes)):
        if end > start + 1 and steps[end - 1] != steps[start]:
            start = end - 1
        best = max(best, (abs(sharp[end] - sharp[start]), start, end))
    rise, start, end = best
    if rise <= LEAST_RISE * sharp.max() or end - start < 2:
        raise CalibrationError(
            f'sharpness changes by {100 * rise / max(sharp.max(), 1e-9):.0f} % along the sweep, '
            f'{100 * LEAST_RISE:.0f} % are needed: point the camera at something with texture '
            'that is sharp near one end of the lens, and see that the lens moves'
        )
    # Near its foot and its top sharpness hardly changes: it is imprecise there.
    done = (sharp[start : end + 1] - sharp[start]) / (sharp[end] - sharp[start])
    steep = start + np.flatnonzero((done >= STEEP[0]) & (done <= STEEP[1]))
    kept = steep if len(steep) >= FEWEST else np.arange(start, end + 1)
    return Flank(codes[kept], sharp[kept])


def measure_backlash(up: CodeSweep, down: CodeSweep) -> float:
    """Return the offset between the sweeps from below and from above, codes.

    Args:
        up, down: of one still scene, the same codes in either order.

    Raises:
        CalibrationError: the two are not over the same codes.
    """
    codes = up.codes
    if len(codes) != len(down.codes) or not np.allclose(codes, down.codes[::-1]):
        raise CalibrationError('the sweeps up and down must be over the same lens codes')
    rising = np.array([sharpness(image) for image in up.images])
    falling = np.array([sharpness(image) for image in down.images])[::-1]
    span = float(codes[-1] - codes[0])
    shifts = np.linspace(-span / 4, span / 4, SHIFTS)
    costs = []
    for shift in shifts.tolist():
        inside = (codes - shift >= codes[0]) & (codes - shift <= codes[-1])
        moved = _smoothly(codes[inside] - shift, codes, falling)
        costs.append(float(np.mean((moved - rising[inside]) ** 2)))
    k = int(np.clip(np.argmin(costs), 1, SHIFTS - 2))
    below, least, above = costs[k - 1 : k + 2]
    bend = max(below - 2 * least + above, 1e-18)
    step = shifts[1] - shifts[0]
    return max(float(shifts[k] + step * (below - above) / (2 * bend)), 0.0)


def _smoothly(x: Floats, xs: Floats, ys: Floats) -> Floats:
    """Interpolate by cubic Hermite pieces (Catmull and Rom 1974): a chord would cut the peak."""
    slopes = np.gradient(ys, xs)
    k = np.clip(np.searchsorted(xs, x, side='right') - 1, 0, len(xs) - 2)
    width = xs[k + 1] - xs[k]
    t = (x - xs[k]) / width
    here = (1 + 2 * t) * (1 - t) ** 2 * ys[k] + t * (1 - t) ** 2 * width * slopes[k]
    there = t**2 * (3 - 2 * t) * ys[k + 1] - t**2 * (1 - t) * width * slopes[k + 1]
    y: Floats = here + there
    return y


def judge_steps(time_s: Floats, position_code: Floats, start: Floats, goal: Floats) -> Settling:
    """Find when a lens that was commanded a step has settled.

    Args:
        time_s: (N,) mid-exposure of frames after their command, of all steps together.
        position_code: (N,) of the lens in each.
        start, goal: (N,) where the lens rested before and after that step, codes.

    Raises:
        CalibrationError: the lens does not come to rest.
    """
    order = np.argsort(time_s)
    time_s = time_s[order]
    response = _smooth(((position_code - start) / (goal - start))[order])
    noise = float(np.std(response[time_s > 0.7 * time_s[-1]]))
    limit = max(SETTLED, NOISE * noise)
    if limit > 0.2:
        raise CalibrationError(
            f'the lens does not come to rest within {time_s[-1]:.2f} s, or the scene moves: '
            f'the last frames differ by {100 * noise:.0f} % of the step'
        )
    unsettled = np.flatnonzero(np.abs(response - 1) > limit)
    last = int(unsettled[-1]) + 1 if unsettled.size else 0
    settle_s = float(time_s[last]) if unsettled.size else 0.0
    # The response is 0 at the command; frames of all steps form one curve.
    times = np.concatenate(([0.0], time_s[: last + 1]))
    left = np.concatenate(([1.0], 1 - response[: last + 1]))
    lag_s = float((np.diff(times) * (left[1:] + left[:-1]) / 2).sum()) if unsettled.size else 0.0
    lag_s = max(lag_s, 0.0)
    if settle_s:
        # The remainder, below the noise, is assumed to decay as a first-order lag.
        settle_s += lag_s * float(np.log(limit / SETTLED))
    return Settling(settle_s, lag_s, time_s, response)


def _smooth(response: Floats) -> Floats:
    """Return the running median of MEDIAN frames, robust to single outliers."""
    reach = MEDIAN // 2
    padded = np.pad(response, reach, mode='edge')
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN)
    smooth: Floats = np.median(windows, axis=1)
    return smooth
