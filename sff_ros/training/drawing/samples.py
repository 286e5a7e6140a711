"""One training sample: a scene seen by an imperfect camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sff_ros.core.focus.canonical import POSITIONS
from sff_ros.core.image import FloatMap, Floats, Mask
from sff_ros.core.optics.rendering import Layer
from sff_ros.training.drawing.camera import (
    Stack,
    blank_frames,
    digitise,
    draw_exposure,
    draw_field_stop,
    enlarged,
    resized,
    unsteady,
)
from sff_ros.training.drawing.known import GLOWING, MIXED_PX, has_texture, keeps_still
from sff_ros.training.drawing.motion import (
    Shifts,
    camera_path,
    move_camera,
    moved_places,
    object_shifts,
)
from sff_ros.training.drawing.ranges import SampleRange, log_uniform
from sff_ros.training.drawing.render import CatEye, render_sweep
from sff_ros.training.drawing.scenes import LAST, draw_scene, flatten, visible
from sff_ros.training.drawing.textures import Rng, Textures

FLAT = 0.4  # share of the scenes without background behind visible surfaces
COLOURS_APART = 2.0  # positions, at most, in sweeps of few slices
MIRRORED_BEYOND, MIRRORED_APART = 4.0, 2.0  # of virtual images: outside the sweep; from surfaces
SPARKLES = 0.5  # share of the reflections that are lamps, not a textured scene


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A focal stack and its ground truth.

    Attributes:
        stack: (S, size, size, 3) uint8.
        places: (S,) canonical positions of the slices, increasing from 0 to 14; even where the
            focus axis is unknown, whatever the steps were.
        ground_truth: (size, size) float32 position of the visible surface, on the axis of
            `places`, as seen in mid-sweep; arbitrary where it is not known.
        known: (size, size) whether the stack tells it: see known.py.
        blur_px: growth of the blur radius, px per position.
    """

    stack: Stack
    places: Floats
    ground_truth: FloatMap
    known: Mask
    blur_px: float


@dataclass(frozen=True, slots=True, eq=False)
class _Optics:
    """A lens during one sweep.

    Attributes:
        places: (S,) canonical positions in focus.
        blur_px, sigma_px, cat_eye: see render_sweep.
        colours: offset of the places for red, green and blue.
    """

    places: Floats
    blur_px: float
    sigma_px: float
    cat_eye: CatEye | None
    colours: tuple[float, float, float]

    def render(self, layers: Sequence[Layer], size: int, shifts: Shifts | None) -> FloatMap:
        """Return (S, size, size, 3) linear light."""
        sweeps = {
            offset: render_sweep(
                layers, (self.places + offset).tolist(), self.blur_px, size, self.sigma_px,
                self.cat_eye, shifts,
            )
            for offset in sorted(set(self.colours))
        }  # fmt: skip
        if len(sweeps) == 1:
            return sweeps[0.0]
        return np.stack([sweeps[o][..., c] for c, o in enumerate(self.colours)], axis=-1)


def draw_sample(rng: Rng, textures: Textures, ranges: SampleRange, size: int) -> Sample:
    """Draw a scene and render it.

    Args:
        rng: source of all randomness: the same generator gives the same sample.
        textures: of the surfaces.
        ranges: distribution of scene, camera and motion.
        size: side of the images, px.
    """
    night = ranges.night.draw(rng)
    layers = draw_scene(rng, textures, size, ranges, 1.0 if night is None else night)
    places = _draw_places(rng, ranges)
    still = bool(ranges.still) and rng.random() < ranges.still
    shifts = None
    front = _order(layers, size)
    if rng.random() < FLAT:
        layers = flatten(layers, size)
        front = visible(layers, size)[1]
    elif not still:
        shifts = object_shifts(rng, ranges, layers, len(places))
    colour, place = visible(layers, size)
    glows = colour[..., :3].max(axis=2) > GLOWING * (night or 1.0)
    optics = _draw_optics(rng, ranges, np.full(1, rng.uniform(0, LAST)) if still else places)
    sweep = optics.render(layers, size, shifts)
    mirrored = _add_gloss(rng, textures, ranges, layers, optics, sweep, shifts)
    if still:
        sweep = np.repeat(sweep, len(places), axis=0)
    exposure = draw_exposure(rng, ranges, sweep, night is not None)
    sweep, sharp = exposure.apply(sweep), exposure.apply(colour[..., :3])
    reflected = None if mirrored is None else 255 * exposure.apply(mirrored)
    sweep, known = _in_motion(rng, ranges, sweep, layers, places, shifts)
    stop = draw_field_stop(rng, ranges, size)
    if stop is not None:
        sweep *= stop
        known &= stop[..., 0] > 0.5
    sweep = unsteady(rng, ranges, sweep)
    noise, scale = log_uniform(rng, ranges.noise), ranges.soft.draw(rng)
    if scale is None:
        stack = digitise(rng, sweep, noise)
    else:
        inner = round(size / scale)
        stack = enlarged(rng, digitise(rng, resized(sweep, inner), noise), size)
        sharp = resized(resized(sharp, inner), size)
    known &= not still and has_texture(
        255 * sharp, place, front, glows, noise, reflected, MIXED_PX + round(scale or 0)
    )
    stack, kept = _with_blank_frames(rng, ranges, stack)
    places = places[kept]
    claimed = (places - places[0]) / (places[-1] - places[0]) * LAST
    if ranges.unknown_axis and rng.random() < ranges.unknown_axis:
        claimed = np.linspace(0, LAST, len(places))
    return Sample(stack, claimed, _on_axis(place, places, claimed), known, optics.blur_px)


def _draw_places(rng: Rng, ranges: SampleRange) -> Floats:
    """Return the focus of each slice: even or with uneven steps, some dropped."""
    count = POSITIONS
    if rng.random() >= ranges.usual:
        # Sweeps of few slices are harder: half of these are in the lower quarter of the range.
        few, many = np.log(ranges.slices)
        count = round(float(np.exp(few + (many - few) * rng.random() ** 2)))
    steps = np.ones(count - 1)
    if rng.random() >= ranges.even:
        ratio = log_uniform(rng, ranges.step_ratio)
        steps = np.exp(rng.uniform(0, np.log(ratio), count - 1))
        if rng.random() < 0.5:
            steps.sort()  # like a sweep that is even in metres or lens codes
            steps = steps[:: rng.choice((-1, 1))]
    places = np.concatenate([[0.0], np.cumsum(steps)])
    if count > 10 and rng.random() < 0.15:
        lost = 1 + rng.choice(count - 2, int(rng.integers(1, 3)), replace=False)
        places = np.delete(places, lost)
    return np.asarray(places / places[-1] * LAST, np.float64)


def _draw_optics(rng: Rng, ranges: SampleRange, places: Floats) -> _Optics:
    blur_px, sigma_px = log_uniform(rng, ranges.blur_px), float(rng.uniform(0.35, 0.8))
    apart, cat_eye = ranges.cat_eye.draw(rng), None
    if apart is not None:
        cat_eye = CatEye(apart, rng.uniform(0, 2 * np.pi))
    slices, colours = ranges.colours.draw(rng), (0.0, 0.0, 0.0)
    if slices is not None:
        offset = min(slices * LAST / max(len(places) - 1, 1), COLOURS_APART)
        offset *= int(rng.choice((-1, 1)))
        colours = (offset, 0.0, -offset * rng.uniform(0.5, 1))
    return _Optics(places, blur_px, sigma_px, cat_eye, colours)


def _add_gloss(
    rng: Rng,
    textures: Textures,
    ranges: SampleRange,
    layers: Sequence[Layer],
    optics: _Optics,
    sweep: FloatMap,
    shifts: Shifts | None,
) -> FloatMap | None:
    """Add a reflection on one surface, in place, in front of or behind that surface.

    Returns:
        (size, size, 3) the reflection in focus, alone; None if there is none.
    """
    strength = ranges.gloss.draw(rng)
    if strength is None:
        return None
    size = sweep.shape[1]
    areas = np.array([float(layer.rgba[..., 3].sum()) for layer in layers])
    glossy = int(rng.choice(len(layers), p=areas / areas.sum()))
    where = [_painted(layer, float(k == glossy)) for k, layer in enumerate(layers)]
    at = float(np.mean(layers[glossy].dioptres))
    choices = np.linspace(-MIRRORED_BEYOND, LAST + MIRRORED_BEYOND, 100)
    virtual = float(rng.choice(choices[np.abs(choices - at) > MIRRORED_APART]))
    light = textures.draw(rng, size, size)
    if rng.random() < SPARKLES:
        light = np.where(light > np.quantile(light, 0.98), 20 * light, 0).astype(np.float32)
    light *= np.float32(strength)
    image = Layer(
        np.dstack([light, np.ones((size, size), np.float32)]),
        np.full((size, size), virtual, np.float32),
    )
    sweep += optics.render(where, size, shifts) * optics.render([image], size, None)
    return visible(where, size)[0][..., :3] * light


def _painted(layer: Layer, brightness: float) -> Layer:
    alpha = layer.rgba[..., 3:]
    rgba = np.concatenate([np.repeat(alpha * np.float32(brightness), 3, axis=2), alpha], axis=2)
    return Layer(rgba, layer.dioptres, layer.x, layer.y)


def _order(layers: Sequence[Layer], size: int) -> FloatMap:
    """Return (size, size) the index of the visible layer: an object may lie below the ground."""
    numbered = [
        replace(layer, dioptres=np.full_like(layer.dioptres, k)) for k, layer in enumerate(layers)
    ]
    return visible(numbered, size)[1]


def _in_motion(
    rng: Rng,
    ranges: SampleRange,
    sweep: FloatMap,
    layers: Sequence[Layer],
    places: Floats,
    shifts: Shifts | None,
) -> tuple[FloatMap, Mask]:
    """Return the sweep of a moving camera, and where motion leaves positions known."""
    size = sweep.shape[1]
    _, place = visible(list(layers), size)
    path = camera_path(rng, ranges, len(places))
    if path is None and shifts is None:
        return sweep, np.ones((size, size), np.bool_)
    if shifts is None:
        seen = np.repeat(place[None], len(places), axis=0)
    else:
        seen = moved_places(layers, size, shifts)
    if path is not None:
        sweep, seen = move_camera(rng, sweep, seen, path)
    return sweep, keeps_still(seen, places, place)


def _with_blank_frames(
    rng: Rng, ranges: SampleRange, stack: Stack
) -> tuple[Stack, npt.NDArray[np.intp]]:
    """Turn some frames black or white, or drop them; return the stack and the slices in it."""
    kept = np.arange(len(stack))
    blank = blank_frames(rng, ranges, len(stack))
    if not blank:
        return stack, kept
    if rng.random() < 0.5:
        return np.delete(stack, blank, axis=0), np.delete(kept, blank)
    stack[blank] = 255 * int(rng.integers(2))
    return stack, kept


def _on_axis(place: FloatMap, places: Floats, claimed: Floats) -> FloatMap:
    """Convert true positions to the axis that the sweep is given with; linear beyond its ends."""
    first, last = ((claimed[k + 1] - claimed[k]) / (places[k + 1] - places[k]) for k in (0, -2))
    inside = np.interp(place, places, claimed)
    below = np.minimum(place - places[0], 0) * first
    above = np.maximum(place - places[-1], 0) * last
    return np.asarray(inside + below + above, np.float32)
