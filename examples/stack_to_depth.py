"""Depth from a folder of images, by the Python API; no ROS. `sff depth` does the same and more.

    python examples/stack_to_depth.py test/data/dome --out out

FOLDER holds the images of one sweep of the lens in natural order and, where something is known of
them, a stack.yaml (docs/stacks.md). --out receives

  confidence.png   how sure each pixel is: 255 is 1
  depth.png        depth in millimetres, 16 bits, 0 unknown: where focus distances are known
  position.png     else: the sharpest slice, dark for the first, bright for the last
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

import sff_ros


def main() -> None:
    """Read the folder, estimate and write the images."""
    parser = argparse.ArgumentParser(description='Depth from a folder of images.')
    parser.add_argument('folder', metavar='FOLDER', type=Path)
    parser.add_argument('--out', metavar='DIR', type=Path, default=Path('out'))
    parser.add_argument('--backend', default='auto', help='tensorrt, onnx, torch, peak or auto')
    args = parser.parse_args()
    try:
        write_depth(args.folder, args.out, args.backend)
    except sff_ros.SffError as err:  # all that the package raises on purpose, in one line
        sys.exit(f'{parser.prog}: {err}')


def write_depth(folder: Path, out: Path, backend: str) -> None:
    """Write the images of one stack.

    Raises:
        SffError: the folder holds no stack, or the backend cannot be loaded.
    """
    stack = sff_ros.read_stack(folder)
    depth = sff_ros.stack_to_depth(stack, sff_ros.open_backend(backend))

    images = {'confidence.png': np.rint(255 * depth.confidence).astype(np.uint8)}
    if depth.depth_m is None:
        share = depth.position / (len(stack.paths) - 1)
        images['position.png'] = np.rint(255 * share).astype(np.uint8)
    else:
        known = np.isfinite(depth.depth_m) & (depth.depth_m < 65.535)
        images['depth.png'] = np.rint(1000 * np.where(known, depth.depth_m, 0)).astype(np.uint16)

    out.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        cv2.imwrite(str(out / name), image)
    print(f'{out}: {", ".join(images)}')


if __name__ == '__main__':
    main()
