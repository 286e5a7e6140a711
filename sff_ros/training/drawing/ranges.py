"""The distribution of scenes, lenses, sensors and motion that a network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sff_ros.training.drawing.textures import Rng

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Some:
    """What only some samples have, and how much of it: log-uniform from low to high.

    Attributes:
        share: of the samples that have it; 0 takes no random number.
        low, high: range of its strength, > 0, in the unit that the field says.
    """

    share: float
    low: float
    high: float

    def draw(self, rng: Rng) -> float | None:
        """Return its strength in one sample; None where it has none."""
        if not self.share or rng.random() >= self.share:
            return None
        return log_uniform(rng, (self.low, self.high))


def log_uniform(rng: Rng, bounds: Range) -> float:
    """Return a number between two positive ones, uniform on a log scale."""
    return float(np.exp(rng.uniform(*np.log(bounds))))


@dataclass(frozen=True, slots=True)
class SampleRange:
    """Everything that is drawn for a sample. The defaults are those of a good camera.

    Attributes:
        blur_px: growth of the blur radius, px per canonical position.
        noise: standard deviation of the sensor noise, grey levels of 255.
        even: share of the sweeps with even steps.
        step_ratio: range, over the other sweeps, of the largest step over the smallest.
        usual: share of the sweeps with 15 slices.
        slices: range of the number of slices of the other sweeps.
        flicker: maximum standard deviation of the exposure from slice to slice.
        drift_px: maximum misalignment over the sweep, px.
        unknown_axis: share of the sweeps whose focus is not known: positions are then those of
            the slice index, though the steps are uneven.
        still: share of the sweeps in which the lens does not move.
        blank_frames: number of black or white frames, left in or dropped.
        colours: red and blue focus apart from green, in opposite directions, mean slice steps.
        cat_eye: distance between the centres of the two discs that bound the aperture, radii.
        field_stop: radius of the round field of view, black outside, of the image's side.
        soft: enlargement of the images.
        contrast: what is left of the contrast of the whole image, as in fog or glare.
        camera_jump: shift of all that is seen, once, px.
        camera_motion: the same from slice to slice, px.
        object_jump, object_motion: of one to three objects.
        calm: what is left of the contrast of the surfaces of a scene, each of which then has a
            colour of its own: most things differ more in colour than within.
        plain: share of the surfaces of a scene that have no texture, bright and dark.
        faint: what is left of the contrast of most surfaces of a scene.
        wires: number of wires of 1 to 3 px.
        ramps: slope of the ground, positions per px.
        lights: number of lamps, up to 300 times as bright as white.
        night: brightness of everything but the lamps, white = 1.
        gloss: strength of a reflection on a surface; its virtual image is at another position.
    """

    blur_px: Range = (0.2, 4.0)
    noise: Range = (0.2, 4.0)
    even: float = 0.7
    step_ratio: Range = (3.0, 3.0)
    usual: float = 0.6
    slices: tuple[int, int] = (8, 60)
    flicker: float = 0.02
    drift_px: float = 0.7
    unknown_axis: float = 0.0
    still: float = 0.0
    blank_frames: Some = Some(0, 1, 3)
    colours: Some = Some(0, 0.3, 2)
    cat_eye: Some = Some(0, 0.3, 1.3)
    field_stop: Some = Some(0, 0.25, 0.7)
    soft: Some = Some(0, 1.2, 3)
    contrast: Some = Some(0, 0.05, 0.5)
    camera_jump: Some = Some(0, 1, 64)
    camera_motion: Some = Some(0, 0.2, 4)
    object_jump: Some = Some(0, 2, 64)
    object_motion: Some = Some(0, 0.5, 8)
    calm: Some = Some(0.5, 0.1, 0.8)
    plain: Some = Some(0, 0.2, 1)
    faint: Some = Some(0, 0.02, 0.3)
    wires: Some = Some(0, 2, 10)
    ramps: Some = Some(0, 0.1, 1)
    lights: Some = Some(0, 3, 40)
    night: Some = Some(0, 0.0005, 0.05)
    gloss: Some = Some(0, 0.2, 1.5)


USUAL = SampleRange()

# About three of the imperfections in each sample.
ROBUST = SampleRange(
    blur_px=(0.1, 6.0),
    noise=(0.2, 25.0),
    even=0.4,
    step_ratio=(2.0, 12.0),
    usual=0.4,
    slices=(3, 60),
    flicker=0.05,
    drift_px=1.5,
    unknown_axis=0.5,
    still=0.04,
    blank_frames=Some(0.06, 1, 3),
    colours=Some(0.08, 0.3, 2),
    cat_eye=Some(0.12, 0.3, 1.3),
    field_stop=Some(0.08, 0.25, 0.7),
    soft=Some(0.2, 1.2, 3),
    contrast=Some(0.12, 0.05, 0.5),
    camera_jump=Some(0.06, 1, 64),
    camera_motion=Some(0.05, 0.2, 4),
    object_jump=Some(0.06, 2, 64),
    object_motion=Some(0.06, 0.5, 8),
    plain=Some(0.3, 0.2, 1),
    faint=Some(0.15, 0.02, 0.3),
    wires=Some(0.12, 2, 10),
    ramps=Some(0.1, 0.1, 1),
    lights=Some(0.08, 3, 40),
    night=Some(0.06, 0.0005, 0.05),
    gloss=Some(0.08, 0.2, 1.5),
)
