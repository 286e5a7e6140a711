"""Where the position of a surface can be known at all."""

from __future__ import annotations

import cv2
import numpy as np

from sff_ros.core.image import FloatMap, Floats, Mask

FAINTEST, OF_NOISE = 0.3, 0.1  # rms step between neighbours: grey levels; share of the noise
WINDOW = 9  # px, over which it is taken
REACH_PX = 16  # how far texture tells the position of a plain surface
GLOWING, HALO_PX = 1.2, 2  # times the ambient light: a lamp; what it tells around it
MIXED_PX = 2  # of outlines that are soft by a pixel
SAME = 0.5  # positions within which neighbours are one surface
APART = 1.0  # positions by which a second peak misleads


def has_texture(
    sharp: FloatMap,
    place: FloatMap,
    front: FloatMap,
    glows: Mask,
    noise: float,
    reflected: FloatMap | None = None,
    mixed_px: int = MIXED_PX,
) -> Mask:
    """Return where a surface has texture of its own within reach.

    A step between two pixels at a depth edge is the outline of the surface in front: it tells
    nothing about a plain one behind it. Nor does a lamp tell about the dark around it.

    Args:
        sharp: (H, W, 3) the scene in focus everywhere and without noise, grey levels as
            digitised: clipped areas have no texture.
        place: (H, W) position of the visible surface.
        front: (H, W) larger for the surface in front, in any unit.
        glows: (H, W) lamps and highlights.
        noise: standard deviation, grey levels.
        reflected: (H, W, 3) what surfaces mirror, alone; where it is the stronger texture, the
            peak of sharpness is that of its virtual image.
        mixed_px: width of the seam behind a depth edge where colours of both surfaces mix.

    Returns:
        (H, W).
    """
    dark = cv2.dilate(glows.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    energy = _own_steps(sharp, place, front) * (dark & ~_behind_edge(place, front, mixed_px))
    rival = None if reflected is None else _own_steps(reflected, place, front)
    least = max(FAINTEST, OF_NOISE * noise) ** 2
    known = cv2.distanceTransform((~glows).astype(np.uint8), cv2.DIST_L2, 5) < HALO_PX
    for level in np.unique(np.rint(place)).tolist():
        near = (np.abs(place - level) <= 0.5 + SAME / 2) & dark
        strength = _mean_within(energy, near)
        textured = near & (strength > least)
        if rival is not None:
            textured &= strength > _mean_within(rival, near)
        if textured.any():
            way = cv2.distanceTransform((~textured).astype(np.uint8), cv2.DIST_L2, 5)
            known |= (way <= REACH_PX) & (np.rint(place) == level)
    return known


def is_outshone(own: FloatMap, reflected: FloatMap, place: FloatMap, noise: float) -> Mask:
    """Return where a reflection has more texture than the surface, in a window around a pixel.

    Args:
        own: (H, W, 3) what surfaces scatter, in focus and without noise, grey levels.
        reflected: (H, W, 3) what they mirror or let through, alone.
        place: (H, W) position of the visible surface.
        noise: standard deviation, grey levels.
    """
    rival, strength = (
        cv2.blur(_own_steps(image, place, place), (WINDOW, WINDOW)) for image in (reflected, own)
    )
    least = max(FAINTEST, OF_NOISE * noise) ** 2
    return np.asarray((rival > least) & (rival >= strength), np.bool_)


def keeps_still(seen: FloatMap, places: Floats, place: FloatMap) -> Mask:
    """Return where motion leaves one peak of sharpness, at the right position.

    Args:
        seen: (S, H, W) position of what is visible in each slice; NaN where nothing is.
        places: (S,) focus of each slice.
        place: (H, W) position of the visible surface, as asked for.

    Returns:
        (H, W) true where some slice shows this surface in focus, and none shows another in focus
        that is more than APART away.
    """
    low, high = float(places.min()), float(places.max())
    gaps = np.diff(places)
    gap = np.maximum(np.append(gaps, 0), np.append(0, gaps)) + 1e-3
    right = np.zeros(place.shape, np.bool_)
    wrong = np.zeros(place.shape, np.bool_)
    for now, focus, reach in zip(seen, places.tolist(), gap.tolist(), strict=True):
        blur = np.abs(np.clip(now, low, high) - focus)
        same = np.abs(now - place) <= APART
        right |= (blur <= reach) & same
        wrong |= (blur <= reach / 2) & ~same  # NaN is neither
    return right & ~wrong


def _behind_edge(place: FloatMap, front: FloatMap, within_px: int) -> Mask:
    """Return the pixels close to a surface in front; a slope has as much below as above."""
    around = np.ones((2 * within_px + 1,) * 2, np.uint8)

    def unevenness(values: FloatMap) -> FloatMap:
        return np.asarray(cv2.dilate(values, around) + cv2.erode(values, around) - 2 * values)

    return np.asarray((np.abs(unevenness(place)) > SAME) & (unevenness(front) > 0), np.bool_)


def _own_steps(image: FloatMap, place: FloatMap, front: FloatMap) -> FloatMap:
    """Return (H, W) squared steps to the neighbours; at a depth edge for the front one only."""
    grey = image.mean(axis=2)
    energy = np.zeros_like(grey)
    for before, after in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1, :], np.s_[1:, :]),
    ):
        squared = (grey[after] - grey[before]) ** 2 / 4  # each step is shared by two pixels
        same = np.abs(place[after] - place[before]) <= SAME
        energy[before] += np.where(same | (front[before] > front[after]), squared, 0)
        energy[after] += np.where(same | (front[after] > front[before]), squared, 0)
    return np.asarray(energy, np.float32)


def _mean_within(values: FloatMap, mask: Mask) -> FloatMap:
    """Return the mean over a window of those pixels that are in the mask."""
    inside = mask.astype(np.float32)
    total = cv2.boxFilter(values * inside, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(inside, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(count, 1e-6), np.float32)
