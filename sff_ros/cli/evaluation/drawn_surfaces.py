"""Draw the surfaces of a scene: textures, outlines and objects, far to near."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from sff_ros.cli.evaluation.drawn_scene import GAMMA, LAST, View
from sff_ros.core.image import AnyFloats, FloatMap, Floats, RgbImage
from sff_ros.core.optics.rendering import Layer

Rng = np.random.Generator
Point = tuple[float, float]  # x and y, px of the image

BEYOND = -12.0  # place of a background that no sweep here reaches
SOFT = 8  # supersampling of outlines per axis
CONTRAST = (0.03, 0.16)  # of the surfaces, after the tone curve: standard deviation


def noise_map(rng: Rng, shape: tuple[int, int], exponent: float) -> FloatMap:
    """Return noise of spectrum 1 / f^exponent, mean 0, standard deviation 1."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency**exponent, s=shape)
    return np.asarray(noise / noise.std(), np.float32)


def texture(
    rng: Rng,
    shape: tuple[int, int],
    contrast: float | None = None,
    brightness: float = 0.45,
) -> FloatMap:
    """Return the linear light of a coloured texture with detail of every size.

    Args:
        rng: source of all randomness.
        shape: (H, W).
        contrast: standard deviation after the tone curve, of full scale; None: any of CONTRAST.
        brightness: mean after the tone curve.
    """
    if contrast is None:
        contrast = float(np.exp(rng.uniform(*np.log(CONTRAST))))
    grey = noise_map(rng, shape, rng.uniform(0.8, 1.1))
    tint = rng.uniform(-0.12, 0.12, 3)
    channels = [
        brightness * (1 + shift)
        + contrast * (0.9 * grey + 0.45 * noise_map(rng, shape, rng.uniform(0.8, 1.1)))
        for shift in tint
    ]
    return to_light(np.stack(channels, axis=-1))


def to_light(tone: FloatMap) -> FloatMap:
    """Return the linear light of values after the tone curve, 0..1."""
    return np.asarray(np.clip(tone, 0.02, 1) ** GAMMA, np.float32)


def plain(shape: tuple[int, int], tone: float) -> FloatMap:
    """Return (H, W, 3) linear light of a surface without texture; tone is after the curve."""
    return np.full((*shape, 3), tone**GAMMA, np.float32)


def outline(
    view: View, draw: Callable[[RgbImage, Callable[..., tuple[int, int]]], None]
) -> FloatMap:
    """Return (H, W) coverage, 0..1, of a shape on the canvas.

    Args:
        view: of the image.
        draw: draws in 255 on an enlarged canvas, with a function from px of the image to px
            there.
    """
    rows, columns = view.canvas
    large = np.zeros((SOFT * rows, SOFT * columns), np.uint8)
    draw(large, lambda x, y: (round(SOFT * (x + view.margin)), round(SOFT * (y + view.margin))))
    soft = cv2.resize(large, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(soft, np.float32) / np.float32(255)


def disc(view: View, x: float, y: float, radius: float) -> FloatMap:
    """Return the coverage of a disc; px of the image."""
    return outline(view, lambda c, at: _circle(c, at(x, y), radius))


def polygon(view: View, corners: Sequence[Point]) -> FloatMap:
    """Return the coverage of a polygon; px of the image."""
    return outline(view, lambda c, at: _fill(c, [at(x, y) for x, y in corners]))


def line(view: View, ends: Sequence[Point], width_px: float) -> FloatMap:
    """Return the coverage of a straight wire; px of the image."""
    (x0, y0), (x1, y1) = ends
    scale = width_px / 2 / float(np.hypot(x1 - x0, y1 - y0))
    across, along = (y1 - y0) * scale, (x1 - x0) * scale
    return polygon(
        view,
        [
            (x0 + across, y0 - along), (x1 + across, y1 - along),
            (x1 - across, y1 + along), (x0 - across, y0 + along),
        ],
    )  # fmt: skip


def _circle(canvas: RgbImage, centre: tuple[int, int], radius: float) -> None:
    cv2.circle(canvas, centre, round(SOFT * radius), 255, -1)


def _fill(canvas: RgbImage, corners: Sequence[tuple[int, int]]) -> None:
    cv2.fillPoly(canvas, [np.array(corners, np.int32)], 255)


def surface(light: FloatMap, place: AnyFloats | float, cover: FloatMap | None = None) -> Layer:
    """Return a layer of the canvas, cropped to its coverage (None: everywhere)."""
    shape = light.shape[:2]
    alpha = np.ones(shape, np.float32) if cover is None else cover
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    window = np.s_[y : y + height, x : x + width]
    places = np.broadcast_to(np.asarray(place, np.float32), shape)[window]
    rgba = np.dstack([light[window] * alpha[window][..., None], alpha[window]])
    return Layer(rgba.astype(np.float32), np.array(places), x, y)


def objects(rng: Rng, view: View) -> list[Layer]:
    """Return a tilted ground and six objects of several shapes, far to near."""
    x, y = view.grid()
    u, v = x / view.width, y / view.height
    ground = 0.8 + 3 * u + 1.5 * v + 0.3 * np.sin(9 * u + rng.uniform(0, 6))
    layers = [surface(texture(rng, view.canvas), ground)]
    cells = rng.permutation(6).tolist()
    for cell, place in zip(cells, np.linspace(5.5, 12.5, 6).tolist(), strict=True):
        middle = (np.array([cell % 3, cell // 3]) + rng.uniform(0.35, 0.65, 2)) / (3, 2)
        tilt = rng.uniform(-2, 2, 2)
        where = place + tilt[0] * (u - middle[0]) + tilt[1] * (v - middle[1])
        where = np.clip(where, 0.5, LAST - 0.5)
        cover = _shape(rng, view, middle * (view.width, view.height), cell % 2 == 0)
        layers.append(surface(texture(rng, view.canvas), where, cover))
    return layers


def two_objects(rng: Rng, view: View, place: float) -> list[Layer]:
    """Return two objects around a place, far to near."""
    layers = []
    for index, across in enumerate((0.3, 0.72)):
        middle = np.array([across, 0.5]) * (view.width, view.height)
        cover = _shape(rng, view, middle, index == 0, 0.2)
        layers.append(surface(texture(rng, view.canvas), place + index, cover))
    return layers


def _shape(rng: Rng, view: View, middle: Floats, is_round: bool, size: float = 0.24) -> FloatMap:
    """Return the coverage of a disc or a polygon; size is of the height of the image."""
    radius = view.height * rng.uniform(0.7, 1) * size
    if is_round:
        return disc(view, float(middle[0]), float(middle[1]), radius)
    corners = int(rng.integers(3, 7))
    angles = 2 * math.pi * (np.arange(corners) + rng.uniform(0, 0.5, corners)) / corners
    points = middle + 1.2 * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return polygon(view, [(float(px), float(py)) for px, py in points])
