"""Run backends on the scenes of the robustness suite and compare, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from sff_ros.cli.evaluation.drawn_scene import (
    LAST,
    TOLERANCE,
    DrawnScene,
    Frame,
    depth_edges,
)
from sff_ros.cli.evaluation.robustness_scenes import SCENES
from sff_ros.core.alignment.aligner import Alignment
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.image import FloatMap, Mask
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import FocalStack, Slice
from sff_ros.errors import SffError
from sff_ros.inference.backend import DepthBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

WRONG_ABOVE = 1.0  # positions of 15, which is what a confidence is about (docs/method.md)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the suite is: size of the images, px, and draws of each scene."""

    width: int
    height: int
    draws: int


SIZES = {'small': Size(160, 120, 1), 'full': Size(320, 240, 4)}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A map compared with its scene, pixel by pixel; flat, so that draws can be joined.

    Attributes:
        confidence: (N,) 0..1; NaN counts as none.
        error: (N,) |estimate - ground truth|, positions of 15: slices, if the sweep has 15; NaN
            where the ground truth is no position in the sweep.
        wrong: (N,) off by more than WRONG_ABOVE, or a position where none is right.
        judged, knowable: (N,), see DrawnScene.
        edge_px: (N,) distance to the nearest depth edge, px; inf if there is none.
    """

    confidence: FloatMap
    error: FloatMap
    wrong: Mask
    judged: Mask
    knowable: Mask
    edge_px: FloatMap


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What backends made of one draw of a scene.

    Attributes:
        name: of the scene.
        draw: number of the draw.
        scene: as drawn.
        estimates, comparisons: by backend.
    """

    name: str
    draw: int
    scene: DrawnScene
    estimates: Mapping[str, FocusEstimate]
    comparisons: Mapping[str, Comparison]


def run_suite(
    size: Size, backends: Mapping[str, DepthBackend], align: Alignment = 'auto'
) -> Iterator[Outcome]:
    """Run backends, by name, on all scenes.

    Raises:
        SffError: a backend cannot take a scene; the message names both.
    """
    for name, make in SCENES.items():
        for draw in range(size.draws):
            scene = make(Frame(size.width, size.height, draw))
            estimates = {}
            for backend_name, backend in backends.items():
                try:
                    estimates[backend_name] = estimate_of(scene, backend, align)
                except SffError as err:
                    raise type(err)(f'{name}, {backend_name}: {err}') from err
            comparisons = {key: compare(scene, estimate) for key, estimate in estimates.items()}
            yield Outcome(name, draw, scene, estimates, comparisons)


def estimate_of(
    scene: DrawnScene, backend: DepthBackend, align: Alignment = 'auto'
) -> FocusEstimate:
    """Process a scene as a folder of images without stack.yaml.

    Raises:
        ModelError: the backend cannot take the stack.
        StackError: too few of its slices have an image.
    """
    count = len(scene.images)
    slices = (
        Slice(image, LensState(), stamp_ns=index, index=index, count=count)
        for index, image in enumerate(scene.images)
    )
    stack = FocalStack(tuple(slices))
    return ShapeFromFocus(backend).estimate(stack, SweepSetup(align=align)).estimate


def compare(scene: DrawnScene, estimate: FocusEstimate) -> Comparison:
    """Compare an estimate with its scene.

    Where the surface is beyond the sweep, only the end of the sweep is right: depth_pipeline
    makes +-Inf of it, and a depth in metres of anything else.
    """
    position, found, last = scene.position, estimate.position, len(scene.images) - 1
    inside = np.isfinite(position)
    error = np.full(position.shape, np.nan, np.float32)
    error[inside] = np.abs(found[inside] - position[inside]) * (LAST / last)
    before = np.isneginf(position) & (found <= TOLERANCE)
    after = np.isposinf(position) & (found >= last - TOLERANCE)
    right = (error <= WRONG_ABOVE) | before | after
    return Comparison(
        confidence=estimate.confidence.ravel(),
        error=error.ravel(),
        wrong=~right.ravel(),
        judged=scene.judged.ravel(),
        knowable=scene.knowable.ravel(),
        edge_px=_edge_distance(position).ravel(),
    )


def joined(comparisons: Sequence[Comparison]) -> Comparison:
    """Join the pixels of several comparisons."""
    names = [f.name for f in fields(Comparison)]
    return Comparison(
        **{name: np.concatenate([getattr(c, name) for c in comparisons]) for name in names}
    )


def _edge_distance(position: FloatMap) -> FloatMap:
    """Return the distance of each pixel centre to the nearest depth edge, px.

    An edge is where neighbours differ by more than a slice; it runs half a pixel beside them.
    """
    edge = depth_edges(position)
    if not edge.any():
        return np.full(position.shape, np.inf, np.float32)
    return np.asarray(
        cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5) + 0.5, np.float32
    )
