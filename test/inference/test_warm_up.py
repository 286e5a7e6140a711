"""A slower backend serves while a faster one is being built; here the fast one is made up."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from slow_backend import Slow

from sff_ros.core.focus.measure import FocusVolume
from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.backend import ModelSpec
from sff_ros.inference.peak import PeakBackend
from sff_ros.inference.warm_up import (
    BackgroundBackend,
    EngineBuilder,
    Progress,
    in_background,
)

SMALL, LARGE = np.zeros((32, 48, 3), np.uint8), np.zeros((64, 96, 3), np.uint8)


def volume(image: Image) -> FocusVolume:
    h, w = image.shape[0] // 2, image.shape[1] // 2
    responses = np.random.default_rng(0).random((8, 4, h, w), dtype=np.float32)
    return FocusVolume(responses, np.arange(8.0), (image.shape[0], image.shape[1]), 2)


def is_fast(backend: BackgroundBackend, image: Image = SMALL) -> bool:
    """Return who answers: the made-up backend says 7 everywhere."""
    return bool((backend.infer(volume(image), image).position == 7).all())


def finish(backend: BackgroundBackend, fast: Slow) -> None:
    fast.let.set()
    assert backend._builder is not None
    assert backend._builder.wait(10).stage != 'building'


def test_the_standby_serves_until_the_engine_is_built() -> None:
    fast, log = Slow(), list[str]()
    backend = BackgroundBackend(fast, PeakBackend(), log.append)
    assert (str(backend.state), backend.spec.name) == ('idle', 'slow')
    assert backend.measure(SMALL).max() == 0
    assert fast.begun.wait(5)
    assert (backend.state.stage, backend.state.done, backend.state.what) == (
        'building',
        0.5,
        'half way',
    )
    assert str(backend.state).startswith('building: half way 50% (')
    assert not is_fast(backend)
    assert backend.spec.name == 'peak'
    assert len(log) == 1
    assert 'slow engine for 48x32: being loaded or built' in log[0]
    assert 'peak serves meanwhile' in log[0]
    finish(backend, fast)
    assert is_fast(backend)
    assert backend.measure(SMALL).min() == 7
    assert (backend.spec.name, backend.state.stage, backend.state.done) == ('slow', 'ready', 1.0)
    assert len(log) == 2
    assert log[1].startswith('slow engine for 48x32: ready (')
    assert fast.built == [(32, 48)]


def test_the_swap_may_come_in_the_middle_of_a_sweep() -> None:
    fast = Slow()
    backend = BackgroundBackend(fast, PeakBackend(), lambda _: None)
    backend.measure(SMALL)
    finish(backend, fast)
    # Measured by the standby, answered by the other one: pooling and maps are the same.
    assert is_fast(backend)


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (ModelError('out of GPU memory'), 'out of GPU memory'),
        (RuntimeError('from a library'), 'RuntimeError: from a library'),
    ],
)
def test_a_failed_build_is_named_and_the_standby_goes_on(error: Exception, reason: str) -> None:
    fast, log = Slow(), list[str]()
    fast.build_error = error
    backend = BackgroundBackend(fast, PeakBackend(), log.append)
    backend.measure(SMALL)
    finish(backend, fast)
    assert not is_fast(backend)
    assert str(backend.state) == f'failed: {reason}'
    assert log[1] == f'slow engine for 48x32: failed: {reason}'
    assert not is_fast(backend)
    assert len(log) == 2  # neither built nor reported again


def test_an_engine_that_fails_later_leaves_the_standby_serving() -> None:
    fast, log = Slow(), list[str]()
    backend = BackgroundBackend(fast, PeakBackend(), log.append)
    backend.measure(SMALL)
    finish(backend, fast)
    assert is_fast(backend)
    fast.infer_error = ModelError('an illegal memory access')
    assert not is_fast(backend)
    fast.infer_error = None
    assert not is_fast(backend)
    assert str(backend.state) == 'failed: an illegal memory access'
    assert log[-1] == 'slow failed, peak serves: an illegal memory access'


def test_a_new_image_size_is_built_anew() -> None:
    fast = Slow()
    backend = BackgroundBackend(fast, PeakBackend(), lambda _: None)
    backend.measure(SMALL)
    finish(backend, fast)
    fast.let.clear()
    backend.measure(LARGE)
    assert not is_fast(backend, LARGE)
    finish(backend, fast)
    assert is_fast(backend, LARGE)
    assert fast.built == [(32, 48), (64, 96)]


def test_a_size_that_comes_during_a_build_waits_for_its_turn() -> None:
    fast = Slow()
    backend = BackgroundBackend(fast, PeakBackend(), lambda _: None)
    backend.measure(SMALL)
    backend.measure(LARGE)
    finish(backend, fast)
    backend.measure(LARGE)
    finish(backend, fast)
    assert is_fast(backend, LARGE)
    assert fast.built == [(32, 48), (64, 96)]


def test_a_builder_keeps_the_share_between_0_and_1() -> None:
    reported = threading.Event()
    go = threading.Event()

    def build(progress: Progress) -> None:
        progress('too much', 1.7)
        reported.set()
        go.wait(5)

    builder = EngineBuilder(build)
    assert reported.wait(5)
    assert builder.state.done == 1.0
    assert builder.state.seconds >= 0
    go.set()
    assert builder.wait(5).stage == 'ready'


def test_a_backend_that_needs_no_build_stays_as_it_is() -> None:
    def never() -> PeakBackend:
        raise AssertionError('a standby was loaded without need')

    peak = PeakBackend()
    assert in_background(peak, never, lambda _: None) is peak


def test_a_backend_that_must_be_built_gets_the_standby_it_is_given() -> None:
    slow = Slow()
    backend = in_background(slow, PeakBackend, lambda _: None)
    assert isinstance(backend, BackgroundBackend)
    backend.measure(SMALL)
    assert backend.spec.name == 'peak'
    finish(backend, slow)
    assert backend.spec.name == 'slow'


def test_a_standby_that_measures_otherwise_is_refused() -> None:
    class Coarse(Slow):
        @property
        def spec(self) -> ModelSpec:
            return ModelSpec('coarse', 15, 16, '', 'fp16', 4)

    with pytest.raises(ModelError, match='peak cannot stand in for coarse: pooling'):
        BackgroundBackend(Coarse(), PeakBackend(), lambda _: None)
