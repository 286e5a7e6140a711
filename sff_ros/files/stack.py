"""A recorded sweep: a folder of images in the order of their numbers, and a stack.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from sff_ros.core.alignment.aligner import moved
from sff_ros.core.image import Image, Warp
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import MIN_SLICES, DeferredSlice, FocalStack, Slice
from sff_ros.errors import CalibrationError, StackError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.image import SUFFIXES, page_count, read_image, write_png
from sff_ros.files.order import in_order, twins
from sff_ros.files.stack_yaml import STACK_YAML, read_settings, settings_of
from sff_ros.files.whole_file import write_file

KEPT_BYTES = 200_000_000  # images of a larger stack are decoded again on demand


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStack:
    """A recorded sweep; every image was decoded and checked once when it was opened.

    Attributes:
        paths: of the images, in the order of the numbers in their names.
        pages: which image of its file each is; None: the only one.
        lens: state of the lens for each.
        intrinsics: of the images as recorded; of a lens that breathes, at the reference focus;
            not calibrated if stack.yaml gives none.
        white: the largest value of any pixel of any image.
        images: the images, or None where they take more than KEPT_BYTES.
    """

    paths: tuple[Path, ...]
    pages: tuple[int | None, ...]
    lens: tuple[LensState, ...]
    intrinsics: Intrinsics
    white: int
    images: tuple[Image, ...] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, for messages: of the file, and which image of it."""
        return tuple(map(_name, self.paths, self.pages))

    @property
    def focus_dpt(self) -> npt.NDArray[np.float64]:
        """Focus distance of each image, (S,) dioptres; all NaN where unknown."""
        return np.array([lens.focus_dpt for lens in self.lens])

    @property
    def has_focus(self) -> bool:
        """Whether focus distances are known."""
        return not np.isnan(self.lens[0].focus_dpt)

    def image(self, index: int) -> Image:
        """Return one image, (H, W) or (H, W, 3) RGB, uint8 or uint16.

        Raises:
            StackError: the file was damaged or removed after the stack was opened.
        """
        if self.images is None:
            return read_image(self.paths[index], self.pages[index])
        return self.images[index]

    def as_8_bit(self, image: Image) -> npt.NDArray[np.uint8]:
        """Return an image of this stack in 8 bits.

        All images of 16 bits are scaled by the gain that maps `white` to 255, since cameras use
        10, 12 or 16 of these bits and files do not record which.
        """
        if image.dtype == np.uint8:
            return np.asarray(image, np.uint8)
        return np.asarray(cv2.convertScaleAbs(image, alpha=255 / max(self.white, 1)), np.uint8)

    def slice(self, index: int) -> Slice:
        """Return one image as a slice; its stamp is its index, ns, as no time was recorded."""
        return Slice(
            image=self.image(index),
            lens=self.lens[index],
            stamp_ns=index,
            index=index,
            count=len(self.paths),
        )

    def slices(self) -> Iterator[Slice]:
        """Yield the images as slices, one after another."""
        return (self.slice(i) for i in range(len(self.paths)))

    def deferred(self, aligned: Slice, warp: Warp) -> DeferredSlice:
        """Return a slice of this stack, resampled by a warp, that does not hold its image."""
        index = aligned.index  # not the slice itself, which holds its image
        return DeferredSlice(aligned, lambda: moved(self.slice(index), warp).image)

    def focal_stack(self) -> FocalStack:
        """Return the whole sweep, decoded."""
        return FocalStack(tuple(self.slices()))


def read_stack(folder: str | Path, *, all_pages: bool = False) -> RecordedStack:
    """Open a recorded sweep and check all of it.

    Images (png, jpg, tif, bmp, webp, pgm, ppm) are taken in the order of the numbers in their
    names (`files.order`), slice_2 before slice_10; other files, hidden files and subfolders are
    ignored.

    Args:
        folder: of the images and, if there is one, a stack.yaml.
        all_pages: the images are the pages of one TIFF, in their order: the only image file in
            the folder, or `folder` itself, with stack.yaml beside it.

    Raises:
        StackError: there is no such folder, it has fewer than MIN_SLICES images, two of them have
            one name but for the suffix, one is damaged or holds several images, or they differ in
            size, depth or colour.
        ConfigError, CalibrationError: stack.yaml is wrong.
    """
    folder = Path(folder)
    sources = list_pages(folder) if all_pages else [(path, None) for path in list_images(folder)]
    first = read_image(*sources[0])
    height, width = first.shape[:2]
    settings = sources[0][0].parent / STACK_YAML
    known = read_settings(settings, len(sources), (width, height))
    keep = first.nbytes * len(sources) <= KEPT_BYTES
    images, white = [first], int(first.max())
    for source in sources[1:]:
        image = read_image(*source)
        if _kind(image) != _kind(first):
            raise StackError(
                f'{folder}: {_name(*source)} is {_kind(image)}, {_name(*sources[0])} is '
                f'{_kind(first)}'
            )
        white = max(white, int(image.max()))
        if keep:
            images.append(image)
    return RecordedStack(
        paths=tuple(path for path, _ in sources),
        pages=tuple(page for _, page in sources),
        lens=known.lens,
        intrinsics=known.intrinsics,
        white=white,
        images=tuple(images) if keep else None,
    )


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder in the order of the numbers in their names.

    Raises:
        StackError: it is not a folder, has fewer than MIN_SLICES images, or has two of one name.
    """
    names = _image_names(folder)
    if len(names) < MIN_SLICES:
        raise StackError(
            f'{folder}: has {_images(len(names))}, a stack needs {MIN_SLICES} or more'
        )
    groups = twins(names)
    if groups:
        more = f', and {len(groups) - 1} more likewise' if len(groups) > 1 else ''
        raise StackError(
            f'{folder}: {" and ".join(groups[0])} are one slice twice{more}: keep one of each name'
        )
    return [folder / name for name in in_order(names)]


def list_pages(path: Path) -> list[tuple[Path, int | None]]:
    """Return file and page of each image of one TIFF, in the order of the file.

    Args:
        path: of the file, or of a folder with no other image.

    Raises:
        StackError: the folder has no or several images, or the file is not a TIFF that holds
            MIN_SLICES images or more along one axis.
    """
    if not path.is_file():
        names = _image_names(path)
        if len(names) != 1:
            raise StackError(f'{path}: has {_images(len(names))}, name the one TIFF to be read')
        path = path / names[0]
    count = page_count(path)
    if count < MIN_SLICES:
        raise StackError(f'{path}: holds {_images(count)}, a stack needs {MIN_SLICES} or more')
    return [(path, page) for page in range(count)]


def _image_names(folder: Path) -> list[str]:
    try:
        entries = list(folder.iterdir())
    except OSError as err:
        raise StackError(f'{folder}: is not a folder of images: {err.strerror}') from err
    return [
        path.name
        for path in entries
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.') and path.is_file()
    ]


def _images(count: int) -> str:
    return f'{count} image{"" if count == 1 else "s"}'


def write_stack(folder: Path, slices: Sequence[Slice], intrinsics: Intrinsics) -> None:
    """Write a sweep as PNG images and a stack.yaml; `read_stack` returns the same.

    Args:
        folder: must not exist, not even by the end; created once everything in it is written.
        slices: in the order of time.
        intrinsics: of the slices.

    Raises:
        StackError: the folder exists or cannot be written, or the slices are not a valid stack.
        CalibrationError: the intrinsics are for another size, or breathing is not a scale about
            one point.
    """
    stack = FocalStack(tuple(slices))
    if (intrinsics.height, intrinsics.width) != stack.shape:
        raise CalibrationError(
            f'intrinsics are for {intrinsics.width}x{intrinsics.height}, the slices are '
            f'{stack.shape[1]}x{stack.shape[0]}'
        )
    settings = settings_of(stack, intrinsics)
    try:
        if folder.exists():
            raise FileExistsError
        with staged_folder(folder, new=True) as stage:
            for i, slice_ in enumerate(stack.slices):
                write_png(stage / f'slice_{i:03d}.png', slice_.image)
            text = yaml.safe_dump(settings, sort_keys=False)
            write_file(stage / STACK_YAML, text)
    except FileExistsError as err:
        raise StackError(f'{folder}: exists already') from err
    except OSError as err:
        raise StackError(f'{folder}: cannot be written: {err.strerror}') from err


def _name(path: Path, page: int | None) -> str:
    """Name an image in messages."""
    return path.name if page is None else f'image {page + 1} of {path.name}'


def _kind(image: Image) -> str:
    """Describe size, depth and colour of an image, which all images of a stack share."""
    colour = 'grey' if image.ndim == 2 else 'RGB'
    return f'{image.shape[1]}x{image.shape[0]} {8 * image.itemsize}-bit {colour}'
