"""Whether focus moves in one direction along a sweep, as the images show it."""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.core.image import Floats, Image, to_grey

# Real and rendered sweeps in order stay below 0.02, one on black at 0.15; the same with half of
# them reversed are above 0.26, taken there and back or twice above 0.4. One slice out of place at
# an end, where all are blurred, is not seen.
MANY_REVERSALS = 0.2

_SIDE_PX = 640  # of the image that is measured: pixel noise and fine texture count less
_BLOCKS, _BLOCK_PX = 24, 16  # a side at most; of a block at least
_DARK = 0.2  # of the mean brightness: below, the ratio to brightness is noise
_FLOOR = 0.002  # sharpness that is nothing
_LEAST_RANGE = 0.8  # of a block's log sharpness: others are plain, or in focus nowhere
_BAND = 0.1  # of that range, either way: smaller swings are noise
_FEWEST_BLOCKS = 0.01  # of all


def block_sharpness(image: Image) -> Floats:
    """Return the log sharpness of the blocks of an image, (B,); no unit, exposure cancels.

    It is the mean absolute Laplacian over the mean brightness.
    """
    grey = to_grey(image)
    scale = min(1.0, _SIDE_PX / max(grey.shape))
    values = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    values = values.astype(np.float32)
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(values, (0, 0), 1.0), cv2.CV_32F))
    height, width = (int(np.clip(side // _BLOCK_PX, 1, _BLOCKS)) for side in values.shape)
    mean, sharp = (
        cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
        for plane in (values, edges)
    )
    dark = _DARK * float(mean.mean()) + np.finfo(np.float32).tiny
    return np.asarray(np.log(sharp / (mean + dark) + _FLOOR), np.float64).ravel()


def reversals(sharpness: Floats) -> float:
    """Return how much sharpness goes back and forth along a sweep, relative to going once.

    Along a sweep in one direction, the sharpness of a block rises to its peak and falls. What
    it goes up and down beyond that is divided by what one rise and one fall take.

    Args:
        sharpness: (S, B) `block_sharpness` of the slices, in order.

    Returns:
        0 in one direction; 1: all the way twice. 0 also where nothing changes along the sweep.
    """
    extent = np.ptp(sharpness, axis=0)
    used = extent > _LEAST_RANGE
    if used.mean() < _FEWEST_BLOCKS:
        return 0.0
    band = _BAND * extent[used]
    # As a lens with backlash follows its drive: only what leaves the band moves it.
    followed = [sharpness[0, used]]
    for values in sharpness[1:, used]:
        followed.append(np.clip(followed[-1], values - band, values + band))
    curve = np.array(followed)
    once = 2 * curve.max(axis=0) - curve[0] - curve[-1]
    travelled = np.abs(np.diff(curve, axis=0)).sum(axis=0)
    return float((travelled - once).sum() / once.sum())
