"""Random scenes for Mitsuba: parts in a bin, leaves, things on a table, faint walls."""

from __future__ import annotations

from typing import Any

import numpy as np

from sff_ros.core.image import Floats
from sff_ros.training.drawing.ranges import log_uniform
from sff_ros.training.drawing.scenes import BEYOND, LAST
from sff_ros.training.drawing.textures import Rng, Textures
from sff_ros.training.traced.materials import Materials
from sff_ros.training.traced.mitsuba_import import mitsuba
from sff_ros.training.traced.solids import Shape, cylinder, frame, leaf, plane, solid, tilted
from sff_ros.training.traced.view import View

FAINT = (0.02, 0.3)  # what is left of the contrast of faint walls
LAMPS = 0.15  # share of the scenes with a lamp in view
PILE_CELLS = 48  # of the map of how high parts are piled, per side


def draw_traced_scene(rng: Rng, textures: Textures, view: View) -> Any:
    """Return a scene of Mitsuba; every ray meets something."""
    kinds = (_bin, _bin, _leaves, _leaves, _table, _table, _walls)
    shapes = kinds[rng.integers(len(kinds))](rng, textures, view)
    shapes += _lights(rng, textures, view)
    if rng.random() < LAMPS:
        shapes += [_lamp(rng, view) for _ in range(rng.integers(1, 5))]
    names = {f'item_{k}': shape for k, shape in enumerate(shapes)}
    return mitsuba().load_dict({'type': 'scene', **names})


def _bin(rng: Rng, textures: Textures, view: View) -> list[Shape]:
    """Draw a bin with many small parts, seen from above: all alike, or of several kinds."""
    materials = Materials(rng, textures)
    size, floor = view.size, rng.uniform(0, 2.5)
    shapes = [plane(view, _level(floor), materials.matt(2 * size))]
    shapes += _bin_walls(rng, view, floor, materials)
    shares = {'metal': rng.random(), 'glossy': rng.random(), 'matt': rng.random()}
    some = [materials.any(40, shares) for _ in range(rng.integers(1, 6))]
    pile = np.full((PILE_CELLS, PILE_CELLS), view.distance(floor))
    large = rng.uniform(6, 20)
    for _ in range(rng.integers(25, 110)):
        x, y = rng.uniform(0, size, 2)
        radius = view.length(large * rng.uniform(0.6, 1.4), floor)
        around = _cells(x, y, 0.7 * large, size)
        z = max(float(pile[around].min()) - 0.8 * radius, view.distance(LAST) + radius)
        pile[around] = np.minimum(pile[around], z - 0.5 * radius)
        centre = view.point(x, y, 0) * (z / view.distance(0))
        shapes += solid(rng, centre, radius, some[rng.integers(len(some))])
    return shapes


def _cells(x: float, y: float, radius: float, size: int) -> tuple[slice, slice]:
    """Return the window of the pile below a part."""

    def window(middle: float) -> slice:
        low, high = ((middle + way) / size * PILE_CELLS for way in (-radius, radius))
        return slice(int(np.clip(low, 0, PILE_CELLS - 1)), int(np.clip(high + 1, 1, PILE_CELLS)))

    return window(y), window(x)


def _bin_walls(rng: Rng, view: View, floor: float, materials: Materials) -> list[Shape]:
    """Return the four walls, upright, around the part of the floor that is seen."""
    bottom = view.distance(floor)
    top = view.distance(rng.uniform(floor, LAST))
    half = view.size / 2 / view.focal_px * top * rng.uniform(0.8, 1.1)
    middle, depth = (bottom + top) / 2, (bottom - top) / 2
    material, walls = materials.matt(view.size), []
    for angle in np.arange(4) * np.pi / 2:
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        axes = np.stack([np.cross([0.0, 0, 1], out), [0.0, 0, 1], out], axis=1)
        centre = half * out + np.array([0, 0, middle])
        walls.append({
            'type': 'rectangle', 'bsdf': material,
            'to_world': frame(axes, np.array([half, depth, 1]), centre),
        })  # fmt: skip
    return walls


def _leaves(rng: Rng, textures: Textures, view: View) -> list[Shape]:
    """Draw leaves and stems in front of a background."""
    mi, materials, size = mitsuba(), Materials(rng, textures), view.size
    shapes = [plane(view, _sloping(rng, 0, 4), materials.matt(2 * size))]
    kinds = [materials.glossy, materials.matt, materials.matt]
    some = [mi.load_dict(kinds[k % 3](60)) for k in range(rng.integers(2, 7))]
    large, shape = rng.uniform(12, 60), rng.uniform(0.7, 2, 2)
    for _ in range(rng.integers(12, 90)):
        place = _beyond(rng, float(rng.beta(*shape)))
        centre = view.point(*_pixel(rng, -10, size + 10), place)
        length = view.length(large * rng.uniform(0.5, 1.5), place)
        material = some[rng.integers(len(some))]
        shapes.append(leaf(rng, centre, length, tilted(rng, 1.2), material))
    stem = materials.matt(16)
    for _ in range(rng.integers(0, 9)):
        place = _beyond(rng, rng.random())
        centre = view.point(*_pixel(rng, 0, size), place)
        axes = np.roll(tilted(rng, 0.4), 1, axis=1)  # z of a cylinder across the view
        radius = view.length(log_uniform(rng, (0.5, 4)), place)
        half = view.length(size * rng.uniform(0.2, 0.8), place)
        shapes += cylinder(centre, axes, half, radius, stem)
    return shapes


def _table(rng: Rng, textures: Textures, view: View) -> list[Shape]:
    """Draw a table that recedes, with glass, metal and plastic things on it."""
    materials, size = Materials(rng, textures), view.size
    far, near = rng.uniform(-1, 4), rng.uniform(8, 15)
    table = materials.any(2 * size, {'matt': 3, 'glossy': 1})
    shapes = [plane(view, (far, far + rng.normal(0, 0.5), near), table)]
    shapes.append(plane(view, _level(far - rng.uniform(0.2, 2)), materials.matt(2 * size)))
    shares = {'glass': rng.random(), 'metal': 1.0, 'glossy': 1.0, 'matt': 1.0}
    for _ in range(rng.integers(5, 26)):
        x, y = rng.uniform(0, size, 2)
        px = log_uniform(rng, (8, 40))
        ground = far + (near - far) * y / size
        place = min(ground, LAST)
        radius = view.length(px, place)
        centre = view.point(x, y, place) * (1 - 0.5 * radius / view.distance(place))
        shapes += solid(rng, centre, radius, materials.any(3 * px, shares))
    return shapes


def _walls(rng: Rng, textures: Textures, view: View) -> list[Shape]:
    """Draw two or three walls that are nearly plain, and some things in front of them."""
    size = view.size
    faint = Materials(rng, textures, log_uniform(rng, FAINT))
    shapes = [plane(view, _level(-rng.uniform(0, BEYOND)), faint.matt(2 * size))]
    for _ in range(rng.integers(1, 3)):
        shapes.append(plane(view, _sloping(rng, -2, 12), faint.matt(2 * size)))
    clear = Materials(rng, textures)
    for _ in range(rng.integers(2, 15)):
        place, px = rng.uniform(1, LAST), log_uniform(rng, (6, 50))
        centre = view.point(*_pixel(rng, 0, size), place)
        some = clear if rng.random() < 0.6 else faint
        material = some.any(3 * px, {'matt': 3, 'glossy': 1, 'metal': 0.5})
        shapes += solid(rng, centre, view.length(px, place), material)
    return shapes


def _lights(rng: Rng, textures: Textures, view: View) -> list[Shape]:
    """Return surroundings, windows, and a small bright light in some scenes."""
    mi = mitsuba()
    around = textures.draw(rng, 64, 128) * np.float32(log_uniform(rng, (0.1, 0.8)))
    sky = mi.Bitmap(np.ascontiguousarray(around + np.float32(0.02)))
    lights: list[Shape] = [{'type': 'envmap', 'bitmap': sky}]
    target = np.array([0, 0, view.distance(LAST / 2)])
    for _ in range(rng.integers(1, 4)):
        at = _beside(rng)
        half = rng.uniform(0.08, 0.4, 2)
        strength = rng.uniform(0.2, 1.2) * np.pi * np.sum((at - target) ** 2) / (4 * half.prod())
        lights.append(
            {
                'type': 'rectangle',
                'to_world': mi.ScalarTransform4f().look_at(
                    at.tolist(), target.tolist(), [0.1, 1, 0.2]
                )
                @ mi.ScalarTransform4f().scale([half[0], half[1], 1]),
                'emitter': _emitter(rng, strength),
            }
        )
    if rng.random() < 0.5:
        at, radius = _beside(rng), log_uniform(rng, (0.03, 0.15))
        strength = rng.uniform(0.3, 1.5) * np.sum((at - target) ** 2) / radius**2
        lights.append({
            'type': 'sphere', 'center': at.tolist(), 'radius': radius,
            'emitter': _emitter(rng, strength),
        })  # fmt: skip
    return lights


def _lamp(rng: Rng, view: View) -> Shape:
    """Return a lamp in view."""
    place = rng.uniform(0, LAST)
    return {
        'type': 'sphere',
        'center': view.point(*_pixel(rng, 0, view.size), place).tolist(),
        'radius': view.length(log_uniform(rng, (1, 4)), place),
        'emitter': _emitter(rng, log_uniform(rng, (2, 30))),
    }


def _emitter(rng: Rng, strength: float) -> dict[str, Any]:
    tint = 1 + 0.2 * rng.uniform(-1, 1, 3)
    return {'type': 'area', 'radiance': {'type': 'rgb', 'value': (strength * tint).tolist()}}


def _beside(rng: Rng) -> Floats:
    """Return a point near the camera, out of its view."""
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.0)
    return np.array([away * np.cos(angle), away * np.sin(angle), rng.uniform(-0.6, 0.1)])


def _pixel(rng: Rng, low: float, high: float) -> tuple[float, float]:
    x, y = rng.uniform(low, high, 2).tolist()
    return x, y


def _beyond(rng: Rng, share: float) -> float:
    """Return a position; a few lie outside the sweep."""
    place = share * LAST
    return place + rng.choice((-1, 1)) * BEYOND if rng.random() < 0.03 else place


def _level(place: float) -> tuple[float, float, float]:
    return place, place, place


def _sloping(rng: Rng, low: float, high: float) -> tuple[float, float, float]:
    a, b, c = rng.uniform(low, high, 3).tolist()
    return a, b, c
