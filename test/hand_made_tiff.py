"""TIFFs with chosen tags and several pages, which OpenCV of Humble cannot write."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

SHORT, LONG = 3, 4


def tiff(
    images: Sequence[npt.NDArray[np.uint8]],
    tags: Sequence[Mapping[int, int]] = (),
    order: str = '<',
    big: bool = False,
) -> bytes:
    """Return an uncompressed TIFF of (H, W) images; `tags` are further tags of each."""
    word = 'Q' if big else 'I'
    head = {'<': b'II', '>': b'MM'}[order]
    data = bytearray(head + struct.pack(f'{order}H', 43 if big else 42))
    data += struct.pack(f'{order}HH', 8, 0) if big else b''
    link = len(data)
    data += struct.pack(order + word, 0)
    for i, image in enumerate(images):
        at = len(data)
        data += image.tobytes()
        height, width = image.shape
        values = {
            256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: at, 277: 1, 278: height,
            279: image.size, **(tags[i] if tags else {}),
        }  # fmt: skip
        data += b'\0' * (-len(data) % 8)
        struct.pack_into(order + word, data, link, len(data))
        data += struct.pack(order + ('Q' if big else 'H'), len(values))
        for tag, value in sorted(values.items()):
            kind = LONG if tag in (254, 273, 279) else SHORT
            data += struct.pack(f'{order}HH{word}', tag, kind, 1)
            cell = struct.pack(order + ('I' if kind == LONG else 'H'), value)
            data += cell.ljust(8 if big else 4, b'\0')
        link = len(data)
        data += struct.pack(order + word, 0)
    return bytes(data)
