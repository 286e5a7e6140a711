"""How accurate the classical estimate is, beside the usual simple one, in slices.

    python benchmarks/peak_accuracy.py STACK...

Each STACK is a folder of pictures in the order of their names, with truth/index.npy: (H, W)
0-based slice position, NaN where unknown.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.core.all_in_focus import RunningAllInFocus
from sff_ros.core.focus_volume import FocusVolume, measure_ddl
from sff_ros.core.metrics import error_at_coverage, score
from sff_ros.core.stack import Image
from sff_ros.inference.peak import PeakBackend

SUFFIXES = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp')
COVERAGES = (1.0, 0.7, 0.4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('stacks', nargs='+', type=Path)
    results = {str(path): measure(path) for path in parser.parse_args().stacks}
    print(json.dumps(results, indent=2))


def measure(folder: Path) -> dict[str, object]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    images = [read(file) for file in files]
    truth = np.load(folder / 'truth' / 'index.npy').astype(np.float32)
    backend = PeakBackend()
    context = RunningAllInFocus()
    measured = []
    for image in images:
        measured.append(backend.measure(image))
        context.add(image, measured[-1])
    axis = np.arange(len(images), dtype=float)
    start = time.perf_counter()
    height, width = truth.shape
    volume = FocusVolume(np.stack(measured), axis, (height, width), backend.spec.pooling)
    estimate = backend.infer(volume, context.image)
    seconds = time.perf_counter() - start
    ours, simple = score(estimate.position, truth, 1.0), score(simple_peak(images), truth, 1.0)
    coverage = error_at_coverage(estimate.position, truth, estimate.confidence, COVERAGES)
    return {
        'slices': len(images),
        'mae': round(ours.mae, 4),
        'simple_mae': round(simple.mae, 4),
        'rmse': round(ours.rmse, 4),
        'simple_rmse': round(simple.rmse, 4),
        'bad_1': round(ours.bad, 4),
        'simple_bad_1': round(simple.bad, 4),
        'mae_at_coverage': {str(c): round(e, 4) for c, e in coverage.items()},
        'infer_ms': round(1e3 * seconds, 1),
    }


def read(file: Path) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if image is None:
        raise SystemExit(f'{file} is no picture')
    pixels: Image = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]
    return pixels


def simple_peak(images: list[Image]) -> npt.NDArray[np.float32]:
    """Sum DDL over 9x9 pixels, take the top of a parabola, filter by a 5x5 median."""
    volume = np.stack([cv2.blur(measure_ddl(image, 1).sum(axis=0), (9, 9)) for image in images])
    top = volume.argmax(axis=0)
    inner = np.clip(top, 1, len(images) - 2)
    before, at, after = (
        np.take_along_axis(volume, (inner + d)[None], axis=0)[0] for d in (-1, 0, 1)
    )
    bend = np.maximum(2 * at - before - after, 1e-9)
    shift = np.clip((after - before) / (2 * bend), -1, 1)
    position = np.where(top == inner, inner + shift, top).astype(np.float32)
    return np.asarray(cv2.medianBlur(position, 5), dtype=np.float32)


if __name__ == '__main__':
    main()
