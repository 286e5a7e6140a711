"""A sweep over two walls of known depth, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from stack_files import encode

# Two walls: the left half of the image is sharp in slice 2, the right half in slice 5.
SIZE, COUNT, LEFT, RIGHT = (160, 128), 8, 2, 5
FOCUS_DPT = [0.5 * i + 1 for i in range(COUNT)]
LEFT_M, RIGHT_M = 1 / FOCUS_DPT[LEFT], 1 / FOCUS_DPT[RIGHT]
FOCUS = f'focus_dpt: {FOCUS_DPT}\n'
K = 'camera_matrix: [[200, 0, 79.5], [0, 200, 63.5], [0, 0, 1]]\n'
D = 'distortion: [-0.3, 0.05, 0, 0]\n'


def write_walls(folder: Path, yaml: str = '', dtype: Any = np.uint8, grey: bool = False) -> Path:
    """Write the two walls, blurred in proportion to the distance in slices."""
    folder.mkdir()
    width, height = SIZE
    rng = np.random.default_rng(7)
    sharp = cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)), (0, 0), 0.7)
    sharp = np.clip((sharp - 127) * 2 + 127, 0, 255) * (255 if dtype == np.uint16 else 1)
    for i in range(COUNT):
        halves = [
            cv2.GaussianBlur(sharp, (0, 0), 0.9 * abs(i - best)) if i != best else sharp
            for best in (LEFT, RIGHT)
        ]
        image = np.hstack([halves[0][:, : width // 2], halves[1][:, width // 2 :]])
        image = np.rint(image[..., 0] if grey else image).astype(dtype)
        (folder / f'slice_{i}.png').write_bytes(encode(image))
    if yaml:
        (folder / 'stack.yaml').write_text(yaml)
    return folder
