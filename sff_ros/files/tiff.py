"""The pages of a TIFF, found without decoding them (TIFF 6.0, and BigTIFF)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from sff_ros.errors import StackError

_NEW_SUBFILE_TYPE, _ORIENTATION = 254, 274
_OME_AXIS = re.compile(rb'\bSize([CTZ])="([0-9]{1,9})"')
_IMAGEJ_AXIS = re.compile(rb'\b(channels|slices|frames)=([0-9]{1,9})\b')
_NOT_AN_IMAGE = 0b101  # bits of NewSubfileType: a reduced version of another page, or a mask


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are in one of the two kinds of TIFF.

    Attributes:
        order: of bytes, as in `struct`.
        word: format of an offset.
        first_at: where the offset of the first page is.
        count: format of the number of entries of a page.
        value_at: where in an entry its value is.
    """

    order: str
    word: str
    first_at: int
    count: str
    value_at: int

    @property
    def entry_bytes(self) -> int:
        return self.value_at + struct.calcsize(self.word)

    def read(self, word: str, data: bytes, at: int) -> int:
        return int(struct.unpack_from(self.order + word, data, at)[0])


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        at: where its directory is.
        is_image: not a thumbnail, nor a mask.
        orientation_at: where the value of its Orientation is, 0: it has none.
    """

    at: int
    is_image: bool
    orientation_at: int


def images_of(data: bytes) -> list[Page]:
    """Return the pages of a TIFF, but for thumbnails and masks; none: it is no TIFF.

    Raises:
        StackError: a page after the first is missing.
    """
    layout = _layout(data)
    pages: dict[int, Page] = {}
    at = 0 if layout is None else layout.read(layout.word, data, layout.first_at)
    while layout is not None and at and at not in pages:
        try:
            pages[at], at = _page(layout, data, at)
        except (struct.error, IndexError, OverflowError):
            if not pages:
                return []
            raise StackError(f'is cut off: image {len(pages) + 1} is missing') from None
    return [page for page in pages.values() if page.is_image] or list(pages.values())


def only(data: bytes, page: Page) -> bytes:
    """Return a TIFF with this page as its first, to be shown as stored.

    The Orientation tag is reset: OpenCV would rotate the image, which for PNG and JPEG it does
    not.
    """
    layout = _layout(data)
    assert layout is not None
    changed = bytearray(data)
    struct.pack_into(layout.order + layout.word, changed, layout.first_at, page.at)
    if page.orientation_at:
        struct.pack_into(f'{layout.order}H', changed, page.orientation_at, 1)
    return bytes(changed)


def axes_of(data: bytes) -> dict[str, int]:
    """Return the axes of more than one image that OME or ImageJ wrote into a TIFF.

    An OME-TIFF names C, T and Z; an ImageJ TIFF channels, slices and frames. Of an OME-TIFF with
    several image series, the first counts.
    """
    found: dict[str, int] = {}
    pattern = _IMAGEJ_AXIS if b'ImageJ=' in data else _OME_AXIS
    for name, size in pattern.findall(data):
        found.setdefault(name.decode(), int(size))
    return {name: size for name, size in found.items() if size > 1}


def _layout(data: bytes) -> _Layout | None:
    order = {b'II': '<', b'MM': '>'}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    version = struct.unpack_from(f'{order}H', data, 2)[0]
    if version == 42:
        return _Layout(order, 'I', first_at=4, count='H', value_at=8)
    if version == 43:
        return _Layout(order, 'Q', first_at=8, count='Q', value_at=12)
    return None


def _page(layout: _Layout, data: bytes, at: int) -> tuple[Page, int]:
    """Return the page at an offset, and the offset of the next; 0: there is none."""
    entries = layout.read(layout.count, data, at)
    first = at + struct.calcsize(layout.count)
    end = first + entries * layout.entry_bytes
    following = layout.read(layout.word, data, end)
    kind, orientation_at = 0, 0
    for entry in range(first, end, layout.entry_bytes):
        tag = layout.read('H', data, entry)
        if tag == _NEW_SUBFILE_TYPE:
            kind = layout.read('I', data, entry + layout.value_at)
        elif tag == _ORIENTATION:
            orientation_at = entry + layout.value_at
    return Page(at, not kind & _NOT_AN_IMAGE, orientation_at), following
