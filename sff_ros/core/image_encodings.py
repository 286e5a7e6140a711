"""Decode raw and compressed driver images into arrays; lists every supported encoding."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.errors import StackError, quoted

# Encoding -> type and channels, read without conversion.
PLAIN = {
    'mono8': (np.uint8, 1),
    '8UC1': (np.uint8, 1),
    'rgb8': (np.uint8, 3),
    'bgr8': (np.uint8, 3),
    'rgba8': (np.uint8, 4),
    'bgra8': (np.uint8, 4),
    'mono16': (np.uint16, 1),
    '16UC1': (np.uint16, 1),
    'rgb16': (np.uint16, 3),
    'bgr16': (np.uint16, 3),
    'rgba16': (np.uint16, 4),
    'bgra16': (np.uint16, 4),
    '32FC1': (np.float32, 1),
}
# Encoding -> type, channels and OpenCV's conversion to RGB. OpenCV names a Bayer pattern by the
# second row's second and third pixel, ROS by the first row's first two.
FOREIGN = {
    'bayer_rggb8': (np.uint8, 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': (np.uint8, 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': (np.uint8, 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': (np.uint8, 1, cv2.COLOR_BayerGB2RGB),
    'bayer_rggb16': (np.uint16, 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr16': (np.uint16, 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg16': (np.uint16, 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg16': (np.uint16, 1, cv2.COLOR_BayerGB2RGB),
    'yuv422': (np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': (np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': (np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': (np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
}
PAIRED = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv')
# Encoding -> rows of `step` bytes that its chroma adds to those of the image, as a fraction, and
# OpenCV's conversion to RGB; None: there is none. The plane of luma comes first, then one of
# chroma in which U and V alternate (nv12, nv24), or V and U (nv21).
PLANAR = {
    'nv12': (1, 2, cv2.COLOR_YUV2RGB_NV12),
    'nv21': (1, 2, cv2.COLOR_YUV2RGB_NV21),
    'nv24': (2, 1, None),
}
PAGE = 65536  # bytes; the largest of common kernels. Buffers of drivers end at one.
# Y, U, V, 1 -> R, G, B by ITU-R BT.601, limited range, as OpenCV converts the others.
_BT_601 = np.array(
    [
        [1.1644, 0.0, 1.5960, -222.92],
        [1.1644, -0.3918, -0.8130, 135.58],
        [1.1644, 2.0172, 0.0, -276.84],
    ]
)
_TO_RGB = {
    'bgr8': cv2.COLOR_BGR2RGB,
    'bgr16': cv2.COLOR_BGR2RGB,
    'rgba8': cv2.COLOR_RGBA2RGB,
    'bgra8': cv2.COLOR_BGRA2RGB,
    'rgba16': cv2.COLOR_RGBA2RGB,
    'bgra16': cv2.COLOR_BGRA2RGB,
}


class EncodedImage(Protocol):
    """The fields of sensor_msgs/Image.

    Attributes:
        encoding: one of PLAIN, FOREIGN or PLANAR.
        width, height: px.
        step: bytes per row, padding included.
        is_bigendian: byte order of pixels of more than one byte.
        data: the bytes, row by row.
    """

    encoding: str
    width: int
    height: int
    step: int
    is_bigendian: int
    data: Any


def decode(image: EncodedImage) -> npt.NDArray[Any]:
    """Return an image as (H, W) or (H, W, 3) RGB.

    Plain encodings are not copied unless channels are reordered; the array is then a view of the
    bytes.

    Raises:
        StackError: invalid encoding, step, size or byte order; names which.
    """
    encoding = image.encoding
    if encoding in PLANAR:
        return _decode_planar(image)
    pixels = raw(image)
    code = FOREIGN[encoding][2] if encoding in FOREIGN else _TO_RGB.get(encoding)
    return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code))


def raw(image: EncodedImage) -> npt.NDArray[Any]:
    """Return the unconverted pixels: (H, W) or (H, W, C), a view of the bytes.

    Args:
        image: of an encoding in PLAIN or FOREIGN.

    Raises:
        StackError: invalid encoding, step, size or byte order; names which.
    """
    layout = PLAIN.get(image.encoding) or FOREIGN.get(image.encoding)
    if layout is None:
        raise StackError(
            f'encoding {quoted(image.encoding)} is not supported; one of '
            f'{", ".join((*PLAIN, *FOREIGN, *PLANAR))}'
        )
    dtype, channels = np.dtype(layout[0]), layout[1]
    height, width, step = image.height, image.width, image.step
    row = width * channels * dtype.itemsize
    pairs = image.encoding in PAIRED and width % 2  # of pixels, which share their chroma
    if height == 0 or width == 0 or step < row or step % dtype.itemsize or pairs:
        even = ' of even width' if image.encoding in PAIRED else ''
        raise StackError(
            f'step {step} does not fit a {width}x{height} {image.encoding} image{even} (at least '
            f'{row})'
        )
    if len(image.data) != step * height:
        raise StackError(
            f'{len(image.data)} bytes are not step {step} x height {height} = {step * height}'
        )
    if dtype.itemsize > 1 and bool(image.is_bigendian) != (sys.byteorder == 'big'):
        dtype = dtype.newbyteorder('>' if image.is_bigendian else '<')
    flat = np.frombuffer(image.data, dtype).reshape(height, step // dtype.itemsize)
    used = flat[:, : width * channels]
    pixels = used if channels == 1 else used.reshape(height, width, channels)
    return pixels if dtype.isnative else pixels.astype(dtype.newbyteorder('='))


def _decode_planar(image: EncodedImage) -> npt.NDArray[np.uint8]:
    """Return an image with planes of luma and chroma as (H, W, 3) RGB.

    Raises:
        StackError: invalid step or size; names which.
    """
    more, per, code = PLANAR[image.encoding]
    height, width, step = image.height, image.width, image.step
    if height == 0 or width == 0 or height % per or width % per or step < width:
        even = ' of even sides' if per == 2 else ''
        raise StackError(
            f'step {step} does not fit a {width}x{height} {image.encoding} image{even} (at least '
            f'{width})'
        )
    rows = height + height * more // per
    if not 0 <= len(image.data) - step * rows < PAGE:
        raise StackError(
            f'{len(image.data)} bytes are not step {step} x {rows} rows of luma and chroma = '
            f'{step * rows}'
        )
    planes = np.frombuffer(image.data, np.uint8, step * rows).reshape(rows, step)
    if code is not None:
        return np.asarray(cv2.cvtColor(planes[:, :width], code), np.uint8)
    luma = planes[:height, :width]
    chroma = planes[height:].reshape(height, 2 * step)[:, : 2 * width].reshape(height, width, 2)
    return np.asarray(cv2.transform(np.dstack((luma, chroma)), _BT_601), np.uint8)


def decompress(data: Any, kind: str) -> npt.NDArray[Any]:
    """Return a JPEG or PNG as (H, W) or (H, W, 3) RGB.

    Args:
        data: the bytes.
        kind: format stated by the sender, for the error message.

    Raises:
        StackError: the bytes are not a JPEG or PNG.
    """
    encoded = np.frombuffer(data, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if pixels is None:
        raise StackError(f'{encoded.size} bytes of format {quoted(kind)} are not a JPEG or PNG')
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB
    return np.asarray(cv2.cvtColor(pixels, code))
