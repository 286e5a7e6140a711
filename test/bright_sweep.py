"""Sweeps whose slices are brightest where they are sharp, and what a pipeline makes of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from brightest_backend import BrightestBackend

from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.pipeline import DEFAULT, FocusMap, ShapeFromFocus, SweepSetup

H, W = 32, 48
FOCUS = (0.5, 1.0, 2.0, 4.0, 7.0)
COUNT = len(FOCUS)


def scene(focus_dpt: float) -> npt.NDArray[np.uint8]:
    """Return a slice that is brightest where it is sharp: 1, 4 and 0.5 dpt from left to right."""
    ground_truth = np.repeat([1.0, 4.0, 0.5], W // 3)
    row = 250 - 20 * np.abs(ground_truth - focus_dpt)
    return np.tile(row.astype(np.uint8)[:, None], (H, 1, 3))


def sweep(number: int, order: tuple[float, ...] = FOCUS, gain: float = 1.0) -> list[Slice]:
    return [
        Slice(
            (scene(focus) * gain).astype(np.uint8),
            LensState(focus),
            1_000_000 * (number * COUNT + index + 1),
            index,
            len(order),
            number,
        )
        for index, focus in enumerate(order)
    ]


def feed(
    pipeline: ShapeFromFocus, slices: list[Slice], setup: SweepSetup = DEFAULT
) -> list[FocusMap]:
    results = [pipeline.add(slice_, setup) for slice_ in slices]
    return [result for result in results if result is not None]


def without(slices: list[Slice], *indices: int) -> list[Slice]:
    return [s for s in slices if s.index not in indices]


def assert_as_fresh(result: FocusMap, used: BrightestBackend, order: int = -1) -> None:
    """Check that a sweep was judged by its own slices and nothing else."""
    alone = BrightestBackend()
    expected = ShapeFromFocus(alone).estimate(result.stack)
    np.testing.assert_array_equal(result.estimate.position, expected.estimate.position)
    np.testing.assert_array_equal(used.volumes[order].responses, alone.volumes[0].responses)
    np.testing.assert_array_equal(used.volumes[order].axis, alone.volumes[0].axis)
    np.testing.assert_array_equal(used.contexts[order], alone.contexts[0])
