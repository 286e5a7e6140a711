"""A path-traced scene made by hand: a textured surface, a plain one and a mirror."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sff_ros.core.image import FloatMap
from sff_ros.core.optics.rendering import Layer
from sff_ros.errors import ConfigError
from sff_ros.training.drawing.render import render_sweep
from sff_ros.training.traced.files import TracedScene
from sff_ros.training.traced.mitsuba_import import mitsuba

SIZE, SLICES, BLUR_PX = 96, 9, 0.8
PLACE = 7.0
TEXTURED, PLAIN, MIRROR = np.s_[:, :16], np.s_[:, 40:56], np.s_[:, 80:]


def mitsuba_or_skip() -> Any:
    """Return Mitsuba; skip the test where it is not installed."""
    try:
        return mitsuba()
    except ConfigError as err:
        pytest.skip(str(err))


def hand_made(leftover: float = 0.0) -> TracedScene:
    """Return a wall at PLACE whose columns are as said above; what it mirrors is at 1."""
    rng = np.random.default_rng(0)
    own = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    own[TEXTURED] = rng.uniform(0.2, 0.8, own[TEXTURED].shape)
    own[MIRROR] = 0
    reflected = np.zeros_like(own)
    reflected[MIRROR] = rng.uniform(0.2, 0.8, own[MIRROR].shape)
    lamps = np.zeros((SIZE, SIZE), np.bool_)
    places = np.linspace(0, 14, SLICES).tolist()
    sweep = _swept(own, PLACE, places) + _swept(reflected, 1.0, places)
    return TracedScene(
        sweep,
        own,
        reflected,
        np.full((SIZE, SIZE), PLACE, np.float32),
        lamps,
        np.full((SIZE, SIZE), leftover, np.float32),
        BLUR_PX,
    )


def _swept(light: FloatMap, place: float, places: list[float]) -> FloatMap:
    opaque = np.dstack([light, np.ones((SIZE, SIZE), np.float32)])
    layer = Layer(opaque, np.full((SIZE, SIZE), place, np.float32))
    return render_sweep([layer], places, BLUR_PX, SIZE)
