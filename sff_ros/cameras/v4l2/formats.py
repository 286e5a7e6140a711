"""The pixel formats of V4L2 cameras: choosing one, and decoding its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.image import Image
from sff_ros.errors import CameraError, quoted

Bytes = npt.NDArray[np.uint8]

# Value of the parameter -> the kernel's four-character code, best first: uncompressed colour,
# then raw Bayer, then grey; JPEG last, since its artefacts look like texture.
FOURCC = {
    'YUYV': 'YUYV',
    'NV12': 'NV12',
    **{'RGGB10': 'RG10', 'GRBG10': 'BA10', 'GBRG10': 'GB10', 'BGGR10': 'BG10'},
    **{'RGGB': 'RGGB', 'GRBG': 'GRBG', 'GBRG': 'GBRG', 'BGGR': 'BA81'},
    'GREY': 'GREY',
    'MJPG': 'MJPG',
}
# OpenCV names a Bayer pattern by the second and third pixel of the second row, V4L2 by the first
# two pixels of the first two rows.
_BAYER = {
    'RGGB': cv2.COLOR_BayerBG2RGB,
    'GRBG': cv2.COLOR_BayerGB2RGB,
    'GBRG': cv2.COLOR_BayerGR2RGB,
    'BGGR': cv2.COLOR_BayerRG2RGB,
}
_PIXEL_BYTES = {'YUYV': 2, 'NV12': 1, 'GREY': 1, 'MJPG': 0}  # in a row
_DEEP_SHIFT = 6  # 10 bits to the top of 16
_RATE_TOLERANCE = 0.995  # accepts 29.97 Hz for 30


@dataclass(frozen=True, slots=True)
class Offer:
    """A format that a camera has at the requested size.

    Attributes:
        name: one of FOURCC.
        rates: Hz, ascending; empty if the driver reports none.
        is_continuous: whether every rate between the first and the last is possible.
    """

    name: str
    rates: tuple[Fraction, ...] = ()
    is_continuous: bool = False

    def rate_for(self, frame_rate: float) -> Fraction | None:
        """Return the slowest rate, Hz, not below the requested one; None if there is none."""
        requested = Fraction(frame_rate).limit_denominator(1001)
        if not self.rates or (self.is_continuous and self.rates[0] <= requested <= self.rates[-1]):
            return requested
        return next((rate for rate in self.rates if rate >= frame_rate * _RATE_TOLERANCE), None)

    @property
    def rates_text(self) -> str:
        """The rates, for error messages."""
        between = ' .. ' if self.is_continuous else ', '
        return f'{between.join(f"{float(r):.4g}" for r in self.rates)} Hz' if self.rates else '?'


def choose(wanted: str, frame_rate: float, offers: Sequence[Offer]) -> tuple[Offer, Fraction]:
    """Return the format to use and the rate to request, Hz.

    Args:
        wanted: one of FOURCC, or 'auto' for the first of them that reaches the frame rate.
        frame_rate: lowest acceptable rate, Hz.
        offers: what the camera has at the requested size.

    Raises:
        CameraError: none fits; lists the alternatives.
    """
    order = list(FOURCC) if wanted == 'auto' else [wanted]
    fitting = sorted((o for o in offers if o.name in order), key=lambda o: order.index(o.name))
    for offer in fitting:
        rate = offer.rate_for(frame_rate)
        if rate is not None:
            return offer, rate
    available = grouped((offer.name, offer.rates_text) for offer in offers)
    if not fitting:
        raise CameraError(
            f'v4l2.pixel_format {quoted(wanted)} is not offered at this size; {available}'
        )
    raise CameraError(
        f'v4l2.frame_rate {frame_rate:g} Hz is not reached at this size; {available}'
    )


def grouped(pairs: Iterable[tuple[str, str]]) -> str:
    """Return (format, text) pairs as one text; formats that share a text are joined."""
    names: dict[str, list[str]] = {}
    for name, text in pairs:
        names.setdefault(text, []).append(name)
    return '; '.join(f'{", ".join(of)}: {text}' for text, of in names.items())


@dataclass(frozen=True, slots=True)
class Layout:
    """The memory layout of an image.

    Attributes:
        name: one of FOURCC.
        width, height: px.
        stride: bytes from row to row; unused for MJPG.
    """

    name: str
    width: int
    height: int
    stride: int

    @property
    def row(self) -> int:
        """Bytes of a row without padding; 0 for MJPG."""
        if self.name.endswith('10'):
            return 2 * self.width
        return _PIXEL_BYTES.get(self.name, 1) * self.width

    @property
    def size(self) -> int:
        """Smallest number of bytes of a complete image."""
        rows = self.height * 3 // 2 if self.name == 'NV12' else self.height
        return self.stride * (rows - 1) + self.row if self.row else 1


def decode(data: Bytes, layout: Layout) -> Image:
    """Return the image in a buffer, as a copy.

    Args:
        data: (N,) the bytes that the driver reports as used.
        layout: of the image.

    Returns:
        (H, W) for GREY; else (H, W, 3) RGB. uint8; of 10-bit sensors uint16, times 64, so that
        white is 65472.

    Raises:
        CameraError: it is cut off or damaged.
    """
    if len(data) < layout.size:
        raise CameraError(f'a {layout.name} image has {len(data)} bytes, {layout.size} are needed')
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
    """Return the rows of an image without padding, (count, row) bytes."""
    if layout.stride == layout.row:
        return data[: count * layout.row].reshape(count, layout.row)
    # The last row may lack its padding.
    view = np.lib.stride_tricks.as_strided(data, (count, layout.row), (layout.stride, 1))
    return np.ascontiguousarray(view)


def _deep(rows: Bytes, layout: Layout) -> npt.NDArray[np.uint16]:
    """Return 10-bit pixels shifted to the top of 16 bits, (H, W)."""
    pixels = np.ascontiguousarray(rows).view('<u2')
    brightest = int(pixels.max())
    if brightest > 1023:
        raise CameraError(
            f'{layout.name} pixels reach {brightest}, 10 bits end at 1023: this driver does '
            'not pack them as V4L2 defines; choose another v4l2.pixel_format'
        )
    deep: npt.NDArray[np.uint16] = np.left_shift(pixels, _DEEP_SHIFT, dtype=np.uint16)
    return deep


def _decode_jpeg(data: Bytes, layout: Layout) -> Image:
    """Return the image in a JPEG; check its end, as OpenCV fills missing parts with grey."""
    ends = data[-4096:].tobytes().rstrip(b'\0')[-2:]
    if data[:2].tobytes() != b'\xff\xd8' or ends != b'\xff\xd9':
        raise CameraError(f'a JPEG of {len(data)} bytes is cut off')
    try:
        image: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise CameraError(f'a JPEG of {len(data)} bytes is damaged')
    if image.shape[:2] != (layout.height, layout.width):
        raise CameraError(
            f'a JPEG is {image.shape[1]}x{image.shape[0]}, not {layout.width}x{layout.height}'
        )
    return _convert(image, cv2.COLOR_BGR2RGB)


def _convert(pixels: npt.NDArray[Any], code: int) -> Image:
    """Return an image converted by an OpenCV colour code."""
    image: Any = cv2.cvtColor(pixels, code)
    return np.asarray(image)
