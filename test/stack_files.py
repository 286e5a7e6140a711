"""Small stacks on disk, and programs that read them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from programs import HANG_S

import sff_ros

DOME = Path(__file__).parent / 'data' / 'dome'


def texture(seed: int, shape: tuple[int, ...] = (32, 40, 3), high: int = 255) -> npt.NDArray[Any]:
    """Return a random image of values up to `high`; 16-bit where these need it."""
    dtype = np.uint8 if high < 256 else np.uint16
    return np.random.default_rng(seed).integers(0, high + 1, shape).astype(dtype)


def encode(image: npt.NDArray[Any], suffix: str = '.png', how: Sequence[int] = ()) -> bytes:
    """Return the bytes of an image file; RGB in."""
    stored = image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image
    _, data = cv2.imencode(suffix, np.ascontiguousarray(stored), how)
    return bytes(data)


def make_folder(folder: Path, count: int = 4, yaml: str = '') -> Path:
    """Write slice_0.png .. of 40x32 RGB and, where given, a stack.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f'slice_{i}.png').write_bytes(encode(texture(i)))
    if yaml:
        (folder / 'stack.yaml').write_text(yaml)
    return folder


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with this package on its path."""
    paths = [str(Path(sff_ros.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))},
    )
