"""Alignment time of a VGA slice, and residual misalignment of real sweeps.

python benchmarks/align.py                                   # times, on the simulated camera
python benchmarks/align.py FOLDER... --align auto            # residual of each sweep, px

The residual is the RMS displacement of corners (Shi and Tomasi) from one aligned slice to the
next, tracked by pyramidal Lucas-Kanade with a forward-backward check, where both slices are
sharp; - if there are too few corners.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.cameras.simulated.optics import SimulatedOptics
from sff_ros.config.cameras import SimulatedConfig
from sff_ros.core.alignment.aligner import ALIGNMENTS, Aligner, Method, as_alignment, moved
from sff_ros.core.alignment.motion import MotionMeter
from sff_ros.core.alignment.warp import covered
from sff_ros.core.focus.measure import measure_contrast
from sff_ros.core.homography import inverse, product
from sff_ros.core.image import Floats, Image, to_grey
from sff_ros.core.optics.breathing import breathing_warp
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.files.stack import read_stack
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

SHARP = 0.7  # of the sharpest slice at that pixel
WINDOW_PX = 21
FORWARD_BACKWARD_PX = 0.2
FEWEST = 20  # corners


def main() -> None:
    """Print times, or the residual of each folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folders', nargs='*', type=Path, metavar='FOLDER')
    parser.add_argument('--align', choices=ALIGNMENTS, default='auto')
    parser.add_argument('--slices', type=int, default=15)
    args = parser.parse_args()
    if args.folders:
        for folder in args.folders:
            stack = read_stack(folder).focal_stack()
            setup = SweepSetup(align=as_alignment(args.align))
            found = ShapeFromFocus(PeakBackend()).estimate(stack, setup)
            print(f'{folder.name}: {residuals(found)}')
    else:
        print(json.dumps(times(breathing_sweep(args.slices)), indent=2))


def breathing_sweep(count: int) -> FocalStack:
    """Return a sweep of the simulated camera that breathes by 5 %, calibrated."""
    optical = SimulatedOptics(SimulatedConfig(breathing=0.05))
    reach, k = optical.reach, optical.intrinsics
    slices = []
    for index, focus in enumerate(np.linspace(reach.far_dpt, reach.near_dpt, count).tolist()):
        warp = breathing_warp(optical.scale_at(focus), (k.cx, k.cy))
        image = optical.image(focus)
        slices.append(Slice(image, LensState(focus, warp=warp), 10**8 * index, index, count))
    return FocalStack(tuple(slices))


def times(stack: FocalStack) -> dict[str, object]:
    """Return medians a slice, ms of wall clock."""
    width, height = stack.shape[1], stack.shape[0]
    result: dict[str, object] = {'size': [width, height], 'opencv': cv2.__version__}
    methods: tuple[Method, ...] = ('breathing', 'similarity', 'homography')
    for how in methods:
        aligner, spent = Aligner(how), []
        for slice_ in stack.slices:
            start = time.perf_counter()
            place = aligner.find(slice_)
            moved(slice_, place.warp)
            covered((place.warp,), stack.shape)
            spent.append(time.perf_counter() - start)
            aligner.take(place)
        result[f'{how}_ms'] = round(1e3 * float(np.median(spent)), 1)
    meter, spent = MotionMeter(), []
    for slice_ in ShapeFromFocus(PeakBackend()).estimate(stack).stack.slices:
        start = time.perf_counter()
        meter.add(slice_.image)
        spent.append(time.perf_counter() - start)
    result['motion_ms'] = round(1e3 * float(np.median(spent)), 1)
    return result


def residuals(found: FocusMap) -> str:
    """Return the RMS of each step that can be measured, and of all of them, px."""
    images = [slice_.image for slice_ in found.stack.slices]
    sharpness = np.stack([_sharpness(image) for image in images])
    sharpest = sharpness.max(axis=0)
    textured = sharpest >= np.median(sharpest)
    sharp = (sharpness >= SHARP * sharpest) & textured
    shape = found.stack.shape
    seen = covered([product(w, inverse(found.frame)) for w in found.alignment.warps], shape)
    steps = []
    for k in range(len(images) - 1):
        both = sharp[k] & sharp[k + 1] & seen
        steps.append(track(to_grey(images[k]), to_grey(images[k + 1]), both))
    rms = [_rms(step) for step in steps]
    shown = [f'{value:.2f}' if np.isfinite(value) else '-' for value in rms]
    known = [step for step, value in zip(steps, rms, strict=True) if np.isfinite(value)]
    total = _rms(np.concatenate(known)) if known else np.nan
    return f'{found.alignment}; {total:.2f} px RMS ({" ".join(shown)})'


def track(first: Image, second: Image, where: npt.NDArray[np.bool_]) -> Floats:
    """Return (N, 2) displacements of corners from one image to the next, px."""
    a, b = (np.asarray(image / image.max() * 255, np.uint8) for image in (first, second))
    points: Any = cv2.goodFeaturesToTrack(a, 2000, 0.01, 7, mask=where.astype(np.uint8))
    if points is None:
        return np.empty((0, 2))
    there, found = _follow(a, b, points)
    back, again = _follow(b, a, there)
    good = (found & again).ravel().astype(bool)
    good &= np.linalg.norm((back - points).reshape(-1, 2), axis=1) < FORWARD_BACKWARD_PX
    return np.asarray((there - points).reshape(-1, 2)[good], np.float64)


def _follow(first: Image, second: Image, points: Any) -> tuple[Any, Any]:
    """Track points from one image to the other; return them, and which were found."""
    start: Any = None  # no guess
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, points, start, winSize=(WINDOW_PX, WINDOW_PX)
    )
    return there, found


def _rms(steps: Floats) -> float:
    """Return the RMS length; NaN if there are too few."""
    return float(np.sqrt((steps**2).sum(axis=1).mean())) if len(steps) >= FEWEST else float('nan')


def _sharpness(image: Image) -> npt.NDArray[np.float32]:
    response = cv2.GaussianBlur(measure_contrast(image, 2)[:2].sum(axis=0), (0, 0), 2.0)
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(response, (width, height)), np.float32)


if __name__ == '__main__':
    main()
