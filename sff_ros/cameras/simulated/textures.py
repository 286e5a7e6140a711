"""Procedural surfaces of the simulated scene: seamless tiles and prints.

Colours are display values in [0, 1] (the square root of linear light), float32 RGB.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap

PLANK_PX = 256
WRITING = (0.13, 0.14, 0.16)
PAPER = (0.97, 0.95, 0.90)
TEAL = (0.10, 0.45, 0.43)
AMBER = (0.96, 0.80, 0.33)
BRICK = (0.76, 0.22, 0.15)

Grey = npt.NDArray[np.float32]
Print = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]


def fractal_noise(rng: np.random.Generator, size: int, falloff: float) -> Grey:
    """Return seamless noise of mean 0 and deviation 1 whose amplitude falls with frequency.

    Args:
        rng: source of randomness.
        size: side of the tile, px.
        falloff: exponent of 1/f; 1 looks natural, 0 is white.

    Returns:
        (size, size) float32.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), np.float32))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf  # no mean
    noise = np.fft.irfft2(spectrum * (frequency**-falloff).astype(np.float32), s=(size, size))
    tile: Grey = (noise / noise.std()).astype(np.float32)
    return tile


def mix(low: Colour, high: Colour, share: Grey) -> FloatMap:
    """Return low where share is 0, high where it is 1, linear in between, clipped outside."""
    share = np.clip(share, 0, 1)
    channels = [a + share * np.float32(b - a) for a, b in zip(low, high, strict=True)]
    return np.asarray(cv2.merge(channels), np.float32)


def wood(noise: Grey, grain: Grey) -> FloatMap:
    """Return oak planks along the tile's rows' axis, each with its own tone and grain."""
    size = len(noise)
    long = cv2.resize(noise[: size // 16], (size, size), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(grain[: size // 4], (size, size), interpolation=cv2.INTER_LINEAR)
    rings = np.sin(np.arange(size, dtype=np.float32) / 6.0 + 3.0 * cv2.blur(long, (65, 65)))
    share = 0.62 + 0.07 * rings + 0.10 * long + 0.11 * fine + 0.03 * noise
    for plank in range(0, size, PLANK_PX):
        window = np.s_[:, plank : plank + PLANK_PX]
        joint = plank * 3 % size
        share[window] = np.roll(share[window], joint, axis=0) + 0.1 * ((plank // PLANK_PX) % 3 - 1)
        share[joint : joint + 3, plank : plank + PLANK_PX] = -0.4
        share[:, plank : plank + 3] = -0.4
    return mix((0.45, 0.32, 0.21), (0.93, 0.77, 0.57), share)


def concrete(noise: Grey, grain: Grey) -> FloatMap:
    """Return a cool grey with stains and pores."""
    share = 0.55 + 0.13 * noise + 0.1 * grain - np.float32(0.45) * (grain < -2.1)
    return mix((0.36, 0.42, 0.46), (0.80, 0.84, 0.85), share)


def cardboard(noise: Grey, grain: Grey) -> FloatMap:
    """Return brown board with fibres."""
    fibres = cv2.blur(grain, (9, 1)) * 2.2
    flutes = np.sin(np.arange(len(noise), dtype=np.float32) * np.float32(np.pi / 8))
    share = 0.5 + 0.12 * noise + 0.16 * fibres + 0.05 * flutes
    return mix((0.47, 0.34, 0.22), (0.83, 0.66, 0.47), share.astype(np.float32))


def terrazzo(noise: Grey, grain: Grey) -> FloatMap:
    """Return cream stone with chips of three colours."""
    chips = cv2.GaussianBlur(noise, (0, 0), 2.0)
    tile = mix((0.80, 0.76, 0.69), (0.97, 0.95, 0.90), 0.5 + 0.25 * grain)
    colours: tuple[Colour, ...] = ((0.75, 0.28, 0.20), (0.13, 0.36, 0.42), (0.87, 0.62, 0.20))
    for shift, colour in enumerate(colours):
        moved = np.roll(chips, (211 * shift, 377 * shift), axis=(0, 1))
        ridge = np.roll(moved, (61, 97), axis=(0, 1))
        mask = (moved > 0.75) & (ridge > -0.2)
        tile[mask] = np.array(colour, np.float32) * (1 + 0.06 * grain[mask][:, None])
    return tile


def paint(colour: Colour, grain: Grey, contrast: float) -> FloatMap:
    """Return one colour with slight relief; a contrast of 0.01 is nearly textureless."""
    relief = 1 + np.float32(contrast) * grain
    channels = [np.clip(relief * np.float32(level), 0, 1) for level in colour]
    return np.asarray(cv2.merge(channels), np.float32)


def hazard(grain: Grey) -> FloatMap:
    """Return black and yellow stripes along the tile's rows' axis."""
    line = np.arange(len(grain), dtype=np.float32) * np.float32(np.pi / 32)
    stripe: Grey = np.sin(line[:, None] + line) * np.float32(6) + np.float32(0.5)
    tile = mix((0.12, 0.12, 0.13), (0.97, 0.79, 0.12), stripe)
    worn: FloatMap = np.minimum(tile * (1 + np.float32(0.07) * grain[..., None]), 1)
    return worn


def _sheet(width: int, height: int, colour: Colour) -> Print:
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = _ink(colour)
    return sheet


def _ink(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue


def _box(sheet: Print, first: tuple[int, int], last: tuple[int, int], colour: Colour) -> None:
    cv2.rectangle(sheet, first, last, _ink(colour), -1)


def _dot(sheet: Print, centre: tuple[int, int], radius: int, colour: Colour) -> None:
    cv2.circle(sheet, centre, radius, _ink(colour), -1, cv2.LINE_AA)


def _write(sheet: Print, text: str, at: tuple[int, int], width: int, colour: Colour) -> None:
    """Write text of a given width, px, from the left end of its baseline."""
    font = cv2.FONT_HERSHEY_DUPLEX
    size = width / cv2.getTextSize(text, font, 1.0, 1)[0][0]
    cv2.putText(sheet, text, at, font, size, _ink(colour), max(1, round(1.8 * size)), cv2.LINE_AA)


def poster() -> FloatMap:
    """Return a printed sheet: a title, lines of text, a colour chart and a Siemens star."""
    sheet = _sheet(640, 448, (0.95, 0.94, 0.90))
    _box(sheet, (0, 0), (639, 84), (0.10, 0.27, 0.44))
    _write(sheet, 'DEPTH FROM FOCUS', (26, 60), 588, PAPER)
    lines = ('sharp here, soft there:', 'a lens that moves', 'measures metres', '1/f = 1/d + 1/v')
    for row, line in enumerate(lines):
        _write(sheet, line, (26, 136 + 44 * row), 15 * len(line), WRITING)
    chart = np.random.default_rng(7).uniform(0.15, 0.95, (3, 6, 3))
    for row, column in np.ndindex(3, 6):
        x, y = 26 + 56 * column, 296 + 46 * row
        red, green, blue = chart[row, column].tolist()
        _box(sheet, (x, y), (x + 50, y + 40), (red, green, blue))
    y_px, x_px = np.mgrid[-128:128, -128:128]
    away = np.hypot(x_px, y_px)
    star = np.clip(np.sin(18 * np.arctan2(y_px, x_px)) * away / 18 + 0.5, 0, 1)
    star[away > 126] = 1
    patch = sheet[166:422, 370:626]
    patch[:] = patch * (0.12 + 0.88 * star[..., None])
    return _printed(sheet)


def parcel_label() -> FloatMap:
    """Return a shipping label with address and barcode."""
    sheet = _sheet(400, 260, WRITING)
    _box(sheet, (5, 5), (394, 254), (0.94, 0.94, 0.92))
    _write(sheet, 'TO: ROBOT CELL 4', (22, 50), 350, WRITING)
    _write(sheet, 'HANDLE WITH FOCUS', (22, 92), 300, WRITING)
    _write(sheet, '1.25 - 3.33 dpt', (22, 132), 240, (0.70, 0.12, 0.10))
    edges = 22 + np.cumsum(np.random.default_rng(3).integers(2, 8, 72))
    for left, right in edges.reshape(-1, 2).tolist():
        _box(sheet, (left, 150), (right, 236), WRITING)
    return _printed(sheet)


def carton_front() -> FloatMap:
    """Return the front of a tea carton."""
    sheet = _sheet(360, 460, TEAL)
    for ring, colour in enumerate((AMBER, BRICK, AMBER, BRICK, AMBER, BRICK, AMBER)):
        _dot(sheet, (180, 160), 126 - 18 * ring, colour)
    _write(sheet, 'BOKEH', (50, 350), 260, PAPER)
    _write(sheet, 'green tea, 40 bags', (50, 396), 260, PAPER)
    for dot in range(15):
        _dot(sheet, (26 + 22 * dot, 430), 7, AMBER if dot % 2 else PAPER)
    return _printed(sheet)


def can_label() -> FloatMap:
    """Return the label around a can."""
    sheet = _sheet(760, 330, BRICK)
    for y in (0, 296):
        _box(sheet, (0, y), (759, y + 34), PAPER)
        for x in range(19, 760, 38):
            _dot(sheet, (x, y + 17), 9, BRICK)
    for x in (-110, 270, 650):
        _write(sheet, 'TOMATO', (x, 145), 230, PAPER)
        _write(sheet, 'peeled, f/2.8, 400 g', (x, 195), 230, PAPER)
        _write(sheet, 'best before: infinity', (x, 240), 230, AMBER)
    return _printed(sheet)


def _printed(sheet: Print) -> FloatMap:
    return sheet.astype(np.float32) / np.float32(255)
