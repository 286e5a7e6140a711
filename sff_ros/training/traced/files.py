"""Files of path-traced scenes: linear light, so that exposure and noise are drawn at each use."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from sff_ros.core.image import FloatMap, Mask
from sff_ros.errors import ConfigError
from sff_ros.files.whole_file import read_file, write_file

FORMAT = 1
MAX_BYTES = 1_000_000_000  # of a file
DROPPED_BITS = 2  # of the 10 of a mantissa: steps of 0.4 %, a grey level at white


@dataclass(frozen=True, slots=True, eq=False)
class TracedScene:
    """A path-traced sweep with even steps in dioptres, far to near, and its ground truth.

    Attributes:
        sweep: (S, H, W, 3) linear light, white about 1.
        own: (H, W, 3) linear light in focus that surfaces scatter, and of lamps.
        reflected: (H, W, 3) linear light in focus that they mirror or let through.
        place: (H, W) position of the first surface; NaN where there is none.
        lamps: (H, W) surfaces that emit light.
        leftover: (H, W) standard deviation of the noise of the rendering, linear light.
        blur_px: growth of the blur radius, px per position.
    """

    sweep: FloatMap
    own: FloatMap
    reflected: FloatMap
    place: FloatMap
    lamps: Mask
    leftover: FloatMap
    blur_px: float


def write_traced(file: Path, scene: TracedScene) -> None:
    """Write a .npz of 1 to 2 MB.

    Raises:
        OSError: it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        format=FORMAT,
        sweep=_packed(scene.sweep),
        own=_packed(scene.own[None]),
        reflected=_packed(scene.reflected[None]),
        place=scene.place.astype(np.float32),
        lamps=np.packbits(scene.lamps),
        leftover=scene.leftover.astype(np.float16),
        blur_px=scene.blur_px,
    )
    write_file(file, buffer.getvalue())


def read_traced(file: Path) -> TracedScene:
    """Read a file of write_traced.

    Raises:
        ConfigError: it is not one, or of another format.
    """
    try:
        buffer = io.BytesIO(read_file(file, MAX_BYTES))
        with np.load(buffer) as arrays:
            if int(arrays['format']) != FORMAT:
                raise ConfigError(f'{file} has format {arrays["format"]}, not {FORMAT}')
            place = arrays['place']
            lamps = np.unpackbits(arrays['lamps'], count=place.size).reshape(place.shape)
            return TracedScene(
                sweep=_unpacked(arrays['sweep']),
                own=_unpacked(arrays['own'])[0],
                reflected=_unpacked(arrays['reflected'])[0],
                place=place,
                lamps=lamps > 0,
                leftover=arrays['leftover'].astype(np.float32),
                blur_px=float(arrays['blur_px']),
            )
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as err:
        raise ConfigError(f'{file} is not a path-traced scene: {err}') from err


def _packed(light: FloatMap) -> npt.NDArray[np.uint8]:
    """Return float16 of (S, ...), as bytes that zlib makes small.

    The bits of a float16 >= 0 are an integer that grows with its logarithm. They are rounded, and
    each slice is written as the difference from the one before, high and low bytes apart.
    """
    bits = np.clip(light, 0, 60_000).astype(np.float16).view(np.uint16)
    steps = (bits + (1 << DROPPED_BITS - 1)) >> DROPPED_BITS
    steps[1:] = steps[1:] - steps[:-1]  # modulo 2^16
    return np.stack([steps >> 8, steps & 255]).astype(np.uint8)


def _unpacked(packed: npt.NDArray[np.uint8]) -> FloatMap:
    steps = packed[0].astype(np.uint16) << 8 | packed[1]
    bits = np.cumsum(steps, axis=0, dtype=np.uint16) << DROPPED_BITS
    return np.asarray(bits.astype(np.uint16).view(np.float16), np.float32)
