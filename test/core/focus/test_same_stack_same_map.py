"""The same volume gives the same map, also while other threads of the process multiply matrices.

OpenBLAS with AVX-512 kernels, called from two threads at once, returned wrong blocks in one of
twenty products: 4 of 54 runs of `sff depth` failed, and others were silently wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from sff_ros.core.focus.canonical import to_canonical
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.focus.peak import estimate_peak, gather_evidence
from sff_ros.core.focus.subslice import refine_long_sweep
from sff_ros.core.image import FloatMap
from sff_ros.errors import ModelError

RUNS = 200
HEIGHT, WIDTH = 72, 96  # of the volume: slices of twice that
RNG = np.random.default_rng(5)


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Two threads that multiply matrices as a user's process may."""
    stop = threading.Event()

    def multiply() -> None:
        a = RNG.random((256, 256), np.float32)
        while not stop.is_set():
            a @ a

    threads = [threading.Thread(target=multiply) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def volume(count: int) -> FocusVolume:
    """A volume of noisy peaks, one per pixel."""
    peak = RNG.uniform(0, count - 1, (HEIGHT, WIDTH))
    slices = np.arange(count)[:, None, None, None]
    noise = RNG.uniform(0.1, 0.2, (count, 4, HEIGHT, WIDTH))
    responses = np.exp(-(((slices - peak) / 1.5) ** 2)) + noise
    axis = np.linspace(1.0, 4.0, count)
    return FocusVolume(responses.astype(np.float32), axis, (2 * HEIGHT, 2 * WIDTH), 2)


@pytest.mark.usefixtures('busy_threads')
@pytest.mark.slow
def test_the_same_volume_gives_the_same_map_two_hundred_times() -> None:
    sweep, context = volume(18), RNG.integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 3), np.uint8)

    def run() -> tuple[bytes, ...]:
        evidence = gather_evidence(sweep)
        canonical = to_canonical(sweep, evidence, context)
        fine = refine_long_sweep(np.full(sweep.size, 7.0, np.float32), sweep, evidence)
        maps = (canonical.responses, canonical.evidence, fine)
        return tuple(array.tobytes() for array in maps)

    first = run()
    wrong = [k for k in range(1, RUNS) if run() != first]
    assert not wrong


@pytest.mark.usefixtures('busy_threads')
def test_the_classical_estimate_is_the_same_each_time() -> None:
    sweep, context = volume(15), RNG.integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    first = estimate_peak(sweep, context)
    for _ in range(20):
        again = estimate_peak(sweep, context)
        assert again.position.tobytes() == first.position.tobytes()
        assert again.confidence.tobytes() == first.confidence.tobytes()


def test_a_value_that_is_not_finite_names_its_stage() -> None:
    sweep = volume(15)
    sweep.responses[3, 1, 20, 30] = np.nan
    with pytest.raises(ModelError, match=r'focus measure: 1 of \d+ values are NaN or Inf'):
        gather_evidence(sweep)


def test_a_fit_that_is_not_finite_names_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object, __: object, height: FloatMap, ___: object) -> tuple[FloatMap, ...]:
        maps = [np.zeros(np.shape(height), np.float32) for _ in range(3)]
        maps[0][7] = np.inf
        return tuple(maps)

    monkeypatch.setattr('sff_ros.core.focus.curve_fit.CurveFitter._judge', broken)
    with pytest.raises(ModelError, match=r'curve fit: \d of 6912 values'):
        gather_evidence(volume(15))
