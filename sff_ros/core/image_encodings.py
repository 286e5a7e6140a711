"""Decode raw and compressed driver images into arrays; lists every supported encoding."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.errors import StackError

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
_TO_RGB = {
    'bgr8': cv2.COLOR_BGR2RGB,
    'bgr16': cv2.COLOR_BGR2RGB,
    'rgba8': cv2.COLOR_RGBA2RGB,
    'bgra8': cv2.COLOR_BGRA2RGB,
}


class EncodedImage(Protocol):
    """The fields of sensor_msgs/Image.

    Attributes:
        encoding: one of PLAIN or FOREIGN.
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
    pixels = raw(image)
    encoding = image.encoding
    code = FOREIGN[encoding][2] if encoding in FOREIGN else _TO_RGB.get(encoding)
    return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code))


def raw(image: EncodedImage) -> npt.NDArray[Any]:
    """Return the unconverted pixels: (H, W) or (H, W, C), a view of the bytes.

    Raises:
        StackError: invalid encoding, step, size or byte order; names which.
    """
    layout = PLAIN.get(image.encoding) or FOREIGN.get(image.encoding)
    if layout is None:
        raise StackError(
            f'encoding {image.encoding!r} is not supported; one of {", ".join((*PLAIN, *FOREIGN))}'
        )
    dtype, channels = np.dtype(layout[0]), layout[1]
    height, width, step = image.height, image.width, image.step
    row = width * channels * dtype.itemsize
    if height == 0 or width == 0 or step < row or step % dtype.itemsize:
        raise StackError(
            f'step {step} does not fit a {width}x{height} {image.encoding} image (at least {row})'
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
        raise StackError(f'{encoded.size} bytes of format {kind!r} are not a JPEG or PNG')
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB
    return np.asarray(cv2.cvtColor(pixels, code))
