"""The pixel formats of V4L2 cameras: which to take, and how bytes become a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image
from sff_ros.errors import CameraError

Bytes = npt.NDArray[np.uint8]

# Name of the parameter -> four characters of the kernel's, best first: fine, all colours at each
# pixel, cheap to read; JPEG last, since its artefacts look like texture.
FOURCC = {
    'YUYV': 'YUYV',
    'NV12': 'NV12',
    **{'RGGB10': 'RG10', 'GRBG10': 'BA10', 'GBRG10': 'GB10', 'BGGR10': 'BG10'},
    **{'RGGB': 'RGGB', 'GRBG': 'GRBG', 'GBRG': 'GBRG', 'BGGR': 'BA81'},
    'GREY': 'GREY',
    'MJPG': 'MJPG',
}
# OpenCV names a Bayer pattern by the second row's second and third pixel, V4L2 by the first two
# rows' first two.
_BAYER = {
    'RGGB': cv2.COLOR_BayerBG2RGB,
    'GRBG': cv2.COLOR_BayerGB2RGB,
    'GBRG': cv2.COLOR_BayerGR2RGB,
    'BGGR': cv2.COLOR_BayerRG2RGB,
}
_PACKED = {'YUYV': 2, 'NV12': 1, 'GREY': 1, 'MJPG': 0}  # bytes of a pixel in a row
_DEEP_SHIFT = 6  # 10 bits to the top of 16
_SLACK = 0.995  # 29.97 Hz will do for 30


@dataclass(frozen=True, slots=True)
class Offer:
    """A format that a camera has at the size asked for.

    Attributes:
        name: one of FOURCC.
        rates: frames a second, ascending; empty where the driver does not tell.
        is_free: whether every rate between the first and the last will do.
    """

    name: str
    rates: tuple[Fraction, ...] = ()
    is_free: bool = False

    def rate_for(self, frame_rate: float) -> Fraction | None:
        """Return the slowest rate that is not below the one asked for; None: it has none."""
        asked = Fraction(frame_rate).limit_denominator(1001)
        if not self.rates or (self.is_free and self.rates[0] <= asked <= self.rates[-1]):
            return asked
        return next((rate for rate in self.rates if rate >= frame_rate * _SLACK), None)

    @property
    def words(self) -> str:
        """The rates in words."""
        between = ' .. ' if self.is_free else ', '
        return f'{between.join(f"{float(r):.4g}" for r in self.rates)} Hz' if self.rates else '?'


def choose(wanted: str, frame_rate: float, offers: Sequence[Offer]) -> tuple[Offer, Fraction]:
    """Return the format to take and the rate to ask for, frames a second.

    Args:
        wanted: one of FOURCC, or 'auto' for the first of them that reaches the frame rate.
        frame_rate: at least as many frames a second.
        offers: what the camera has at the size asked for.

    Raises:
        CameraError: none fits; lists what there is.
    """
    order = list(FOURCC) if wanted == 'auto' else [wanted]
    fitting = sorted((o for o in offers if o.name in order), key=lambda o: order.index(o.name))
    for offer in fitting:
        rate = offer.rate_for(frame_rate)
        if rate is not None:
            return offer, rate
    there = grouped((offer.name, offer.words) for offer in offers)
    if not fitting:
        raise CameraError(f'v4l2.pixel_format {wanted!r} is not offered at this size; {there}')
    raise CameraError(f'v4l2.frame_rate {frame_rate:g} Hz is not reached at this size; {there}')


def grouped(pairs: Iterable[tuple[str, str]]) -> str:
    """Return (format, what is true of it) in words, formats of the same together."""
    names: dict[str, list[str]] = {}
    for name, words in pairs:
        names.setdefault(words, []).append(name)
    return '; '.join(f'{", ".join(of)}: {words}' for words, of in names.items())


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture lies in memory.

    Attributes:
        name: one of FOURCC.
        width, height: px.
        stride: bytes from row to row; means nothing for MJPG.
    """

    name: str
    width: int
    height: int
    stride: int

    @property
    def row(self) -> int:
        """Bytes of a row that are picture."""
        if self.name.endswith('10'):
            return 2 * self.width
        return _PACKED.get(self.name, 1) * self.width

    @property
    def size(self) -> int:
        """The least bytes that are a whole picture."""
        rows = self.height * 3 // 2 if self.name == 'NV12' else self.height
        return self.stride * (rows - 1) + self.row if self.row else 1


def decode(data: Bytes, layout: Layout) -> Image:
    """Return the picture of a buffer, in memory of its own.

    Args:
        data: (N,) the bytes that the driver says it used.
        layout: what they are.

    Returns:
        (H, W) for GREY; else (H, W, 3) RGB. uint8; of 10-bit sensors uint16, times 64, so that
        white is 65472.

    Raises:
        CameraError: it is cut off or damaged.
    """
    if len(data) < layout.size:
        raise CameraError(
            f'a {layout.name} picture of {len(data)} bytes came, {layout.size} are a whole one'
        )
    if layout.name == 'MJPG':
        return _decode_jpeg(data, layout)
    name = layout.name.removesuffix('10')
    if name == 'GREY':
        return _rows(data, layout, layout.height).copy()
    if name == 'YUYV':
        pixels = _rows(data, layout, layout.height).reshape(layout.height, layout.width, 2)
        return _convert(pixels, cv2.COLOR_YUV2RGB_YUY2)
    if name == 'NV12':
        return _convert(_rows(data, layout, layout.height * 3 // 2), cv2.COLOR_YUV2RGB_NV12)
    mosaic: Any = _rows(data, layout, layout.height)
    if layout.name != name:
        mosaic = _deep(mosaic, layout)
    return _convert(mosaic, _BAYER[name])


def _rows(data: Bytes, layout: Layout, count: int) -> Bytes:
    """Return the rows of a picture without what lies between them, (count, row) bytes."""
    if layout.stride == layout.row:
        return data[: count * layout.row].reshape(count, layout.row)
    # The last row may end before its stride does.
    view = np.lib.stride_tricks.as_strided(data, (count, layout.row), (layout.stride, 1))
    return np.ascontiguousarray(view)


def _deep(rows: Bytes, layout: Layout) -> npt.NDArray[np.uint16]:
    """Return 10-bit pixels at the top of 16."""
    pixels = np.ascontiguousarray(rows).view('<u2')
    brightest = int(pixels.max())
    if brightest > 1023:
        raise CameraError(
            f'{layout.name} pixels reach {brightest}, 10 bits end at 1023: this driver packs them '
            'in another way than V4L2 says; take another v4l2.pixel_format'
        )
    deep: npt.NDArray[np.uint16] = np.left_shift(pixels, _DEEP_SHIFT, dtype=np.uint16)
    return deep


def _decode_jpeg(data: Bytes, layout: Layout) -> Image:
    """Return the picture of a JPEG; OpenCV would fill what is cut off with grey."""
    ends = data[-4096:].tobytes().rstrip(b'\0')[-2:]
    if data[:2].tobytes() != b'\xff\xd8' or ends != b'\xff\xd9':
        raise CameraError(f'a JPEG of {len(data)} bytes is cut off')
    try:
        picture: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise CameraError(f'a JPEG of {len(data)} bytes is damaged')
    if picture.shape[:2] != (layout.height, layout.width):
        raise CameraError(
            f'a JPEG of {picture.shape[1]}x{picture.shape[0]} came, not {layout.width}x'
            f'{layout.height}'
        )
    return _convert(picture, cv2.COLOR_BGR2RGB)


def _convert(pixels: npt.NDArray[Any], code: int) -> Image:
    """Return pixels in another colour space."""
    picture: Any = cv2.cvtColor(pixels, code)
    return np.asarray(picture)
