"""A camera that fails, and the thread that drives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import numpy as np
import pytest
from live_graph import wait
from programs import HANG_S

from sff_ros.cameras.reach import Dioptres
from sff_ros.config.nodes import CaptureConfig, SweepConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import CalibrationStatus
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError, CameraLostError, StackError
from sff_ros.nodes import sweeper
from sff_ros.nodes.statistics import Statistics
from sff_ros.nodes.sweeper import Sweeper


class Device:
    """The hardware behind the cameras that are opened: `fail` says what each capture raises."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.camera: type[FlakyCamera] = FlakyCamera
        self.fail: Callable[[], Exception | None] = lambda: None
        self.missing = False

    def open(self) -> FlakyCamera:
        if self.missing:
            raise CameraError('no such device')
        self.opened += 1
        return self.camera(self)


class FlakyCamera:
    reach = Dioptres(1.0, 3.0)
    calibration_status: CalibrationStatus = 'calibrated'
    optics = None
    ground_truth_m = None
    intrinsics = Intrinsics(16, 16)

    def __init__(self, device: Device) -> None:
        self._device = device

    def capture(self, focus: float, index: int = 0, count: int = 1, sweep: int = 0) -> Slice:
        time.sleep(0.001)
        error = self._device.fail()
        if error is not None:
            raise error
        image = np.zeros((16, 16), np.uint8)
        return Slice(image, LensState(focus), time.time_ns(), index, count, sweep)

    def close(self) -> None:
        self._device.closed += 1


class Bench:
    """A sweeper with everything it hands out."""

    def __init__(self, mode: str) -> None:
        self.device = Device()
        self.config = CaptureConfig(mode=mode, sweep=SweepConfig(num_slices=5, direction='up'))
        self.slices: list[Slice] = []
        self.sweeps: list[tuple[Slice, ...]] = []
        self.log: list[str] = []
        self.has_listeners = True
        self.asked = 0
        self.statistics = Statistics()
        self.sweeper = Sweeper(
            opener=self.device.open,
            config=lambda: self.config,
            on_slice=self.slices.append,
            on_sweep=self.sweeps.append,
            statistics=self.statistics,
            log=self.log.append,
            is_heard=self.is_heard,
        )

    def is_heard(self) -> bool:
        """Count the questions."""
        self.asked += 1
        return self.has_listeners

    def start(self) -> None:
        self.sweeper.open()
        self.sweeper.start()

    def counted(self, name: str) -> int:
        return int(self.statistics.values(1.0).get(name, 0))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setattr(sweeper, '_RETRY_S', 0.05)
    benches: list[Bench] = []

    def bench(mode: str = 'continuous') -> Bench:
        benches.append(Bench(mode))
        return benches[-1]

    yield bench
    for each in benches:
        each.sweeper.stop()
        each.sweeper.close()
        assert each.device.opened == each.device.closed


Make = Callable[..., Bench]


class MovingCamera(FlakyCamera):
    """Loses the third and the last frame of a continuous sweep."""

    def sweep_continuously(
        self, positions: tuple[float, ...], sweep: int = 0
    ) -> Generator[Slice, None, None]:
        for index, focus in enumerate(positions):
            if index not in (2, 4):
                yield self.capture(focus, index, len(positions), sweep)


def test_the_first_sweep_waits_for_listeners(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, '_LISTENERS_S', HANG_S)
    bench = make()
    bench.has_listeners = False
    bench.start()
    wait(lambda: bench.asked >= 5, 'questions')
    assert not bench.slices
    bench.has_listeners = True
    wait(lambda: bench.sweeps, 'a sweep')


def test_without_listeners_it_sweeps_all_the_same(make: Make) -> None:
    bench = make()
    bench.has_listeners = False
    bench.start()
    wait(lambda: bench.sweeps, 'a sweep')


def test_a_sweeper_that_waits_for_listeners_stops_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, '_LISTENERS_S', HANG_S)
    bench = make()
    bench.has_listeners = False
    bench.start()
    wait(lambda: bench.asked, 'a question')
    bench.sweeper.stop()
    assert not bench.slices


def test_a_continuous_sweep_counts_the_frames_between_as_lost(make: Make) -> None:
    bench = make()
    bench.device.camera = MovingCamera
    sweep = replace(bench.config.sweep, mode='continuous')
    bench.config = replace(bench.config, sweep=sweep)
    bench.start()
    wait(lambda: len(bench.sweeps) >= 3, 'three sweeps')
    for number, slices in enumerate(bench.sweeps[:3]):
        assert [(s.index, s.count, s.sweep) for s in slices] == [(i, 5, number) for i in (0, 1, 3)]
    assert bench.counted('dropped_slices') >= 6


def test_a_camera_that_cannot_sweep_continuously_says_so(make: Make) -> None:
    bench = make()
    bench.config = replace(bench.config, sweep=replace(bench.config.sweep, mode='continuous'))
    bench.start()
    wait(lambda: bench.sweeper.problem, 'a problem')
    assert 'sweep.mode is continuous, which this camera cannot do' in bench.sweeper.problem


def test_a_camera_that_is_gone_is_opened_anew_at_once(make: Make) -> None:
    bench = make()
    bench.start()
    wait(lambda: bench.sweeps, 'a sweep')
    bench.device.fail = lambda: CameraLostError('unplugged')
    bench.device.missing = True
    wait(lambda: bench.sweeper.camera is None, 'the camera to be given up')
    assert bench.counted('dropped_slices') == 1
    bench.device.fail = lambda: None
    bench.device.missing = False
    count = len(bench.sweeps)
    wait(lambda: len(bench.sweeps) > count, 'a sweep')
    assert bench.device.opened == 2


def test_slices_are_numbered(make: Make) -> None:
    bench = make()
    bench.start()
    wait(lambda: len(bench.sweeps) >= 3, 'three sweeps')
    for number, slices in enumerate(bench.sweeps[:3]):
        assert [(s.index, s.count, s.sweep) for s in slices] == [(i, 5, number) for i in range(5)]
        np.testing.assert_allclose([s.focus_dpt for s in slices], [1, 1.5, 2, 2.5, 3])


@pytest.mark.parametrize('mode', ['continuous', 'triggered'])
@pytest.mark.parametrize(
    'error', [CameraError('no frame'), StackError('a damaged file'), ZeroDivisionError()]
)
def test_a_camera_that_comes_back_is_taken_back(make: Make, mode: str, error: Exception) -> None:
    bench = make(mode)
    bench.start()
    bench.sweeper.ask()
    wait(lambda: bench.sweeps, 'a sweep')
    bench.device.fail = lambda: error
    bench.sweeper.ask()
    wait(lambda: bench.sweeper.problem or len(bench.sweeps) > 30, 'a complaint')
    for _ in range(20):
        bench.sweeper.ask()
        time.sleep(0.01)
    bench.device.fail = lambda: None
    wait(lambda: not bench.sweeper.problem, 'the end of the complaint')
    bench.sweeps.clear()
    assert bench.sweeper.ask()
    wait(lambda: any(len(s) == 5 for s in bench.sweeps), 'a whole sweep')
    assert bench.log[-1].startswith('recovered from: ')


def test_many_lost_frames_in_a_row_open_the_camera_anew(make: Make) -> None:
    bench = make()
    bench.start()
    bench.device.fail = lambda: CameraError('no frame')
    wait(lambda: bench.device.opened >= 3, 'the camera opened anew, twice')
    assert bench.log == ['no image arrives: no frame']  # once, however often it is tried
    assert bench.counted('reopened') >= 2
    assert bench.counted('dropped_slices') >= 20


def test_a_camera_that_is_gone_is_looked_for(make: Make) -> None:
    bench = make()
    bench.start()
    bench.device.missing, bench.device.fail = True, lambda: CameraError('no frame')
    wait(lambda: bench.sweeper.problem == 'no such device', 'the device to be missed')
    assert not bench.sweeper.ask()
    bench.device.missing, bench.device.fail = False, lambda: None
    wait(lambda: not bench.sweeper.problem, 'recovery')
    assert bench.log[-1] == 'recovered from: no such device'


def test_few_lost_frames_do_not_matter(make: Make) -> None:
    bench = make()
    countdown = iter([False, True] * 100_000)
    bench.device.fail = lambda: CameraError('no frame') if next(countdown) else None
    bench.start()
    wait(lambda: len(bench.sweeps) >= 4, 'sweeps')
    assert bench.device.opened == 1
    assert {len(s) for s in bench.sweeps} <= {2, 3}
    assert not bench.log


def test_a_plan_that_does_not_fit_is_told_and_taken_back(make: Make) -> None:
    bench = make()
    bench.start()
    bench.config = replace(bench.config, sweep=SweepConfig(near_m=0.1))
    wait(lambda: '10.000 dpt' in bench.sweeper.problem, 'a complaint')
    bench.config = replace(bench.config, sweep=SweepConfig(num_slices=7))
    bench.sweeps.clear()
    wait(lambda: any(len(s) == 7 for s in bench.sweeps), 'a sweep of seven')
    assert not bench.sweeper.problem


def test_a_sweep_that_was_stopped_is_not_handed_on(make: Make) -> None:
    bench = make()
    bench.start()
    wait(lambda: len(bench.slices) % 5 == 2, 'the middle of a sweep')
    bench.sweeper.stop()
    bench.sweeper.stop()
    assert all(len(s) == 5 for s in bench.sweeps)


def test_starting_again_forgets_old_trouble(make: Make) -> None:
    bench = make('triggered')
    bench.start()
    bench.device.fail = lambda: RuntimeError('broken')
    bench.sweeper.ask()
    wait(lambda: bench.sweeper.problem, 'a complaint')
    bench.sweeper.stop()
    bench.device.fail = lambda: None
    bench.sweeper.start()
    assert bench.sweeper.ask()
    wait(lambda: bench.sweeps, 'a sweep')


def test_one_trigger_one_sweep(make: Make) -> None:
    bench = make('triggered')
    assert not bench.sweeper.ask()
    bench.start()
    time.sleep(0.15)
    assert not bench.sweeps
    assert bench.sweeper.ask()
    wait(lambda: bench.sweeps, 'a sweep')
    time.sleep(0.15)
    assert len(bench.sweeps) == 1
