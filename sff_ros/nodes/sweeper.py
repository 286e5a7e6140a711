"""Sweeps a camera continually, in its own thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from sff_ros.cameras.focus_camera import ContinuousCamera, FocusCamera
from sff_ros.cameras.plan import plan_sweep
from sff_ros.config.nodes import CaptureConfig
from sff_ros.core.sweep.plan import SweepPlan
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError, CameraLostError, ConfigError, SffError
from sff_ros.nodes.diagnostics import text_of
from sff_ros.nodes.statistics import Statistics

_PATIENCE = 10  # consecutive lost frames before the camera is reopened
_PAUSE_S = 0.01
# A sweep that begins before its listeners are found is lost to them; without any it begins anyway.
_LISTENERS_S = 0.5
_RETRY_S = 0.5  # so that a reconnected device is in use again within a second


class Sweeper:
    """Owns the camera from `open` to `close` and sweeps from `start` to `stop`.

    Args:
        opener: opens the camera, again after a failure.
        config: returns the current config.
        on_slice: receives each slice as it arrives, in the sweeper's thread.
        on_sweep: receives the slices of each finished sweep, in the sweeper's thread.
        statistics: counts 'slices', 'sweeps', 'dropped_slices', 'reopened'.
        log: called once for each new problem, and when it is resolved.
        is_heard: returns whether somebody receives the slices.

    Attributes:
        camera: None while it is closed or lost.
        problem: what prevents sweeping now; empty if nothing.
    """

    def __init__(
        self,
        opener: Callable[[], FocusCamera],
        config: Callable[[], CaptureConfig],
        on_slice: Callable[[Slice], None],
        on_sweep: Callable[[tuple[Slice, ...]], None],
        statistics: Statistics,
        log: Callable[[str], None],
        is_heard: Callable[[], bool] = lambda: True,
    ) -> None:
        self.camera: FocusCamera | None = None
        self.problem = ''
        self._opener = opener
        self._config = config
        self._on_slice = on_slice
        self._on_sweep = on_sweep
        self._statistics = statistics
        self._log = log
        self._is_heard = is_heard
        self._sweep = 0
        self._lost_in_a_row = 0
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> FocusCamera:
        """Open the camera and check that the configured sweep fits it.

        Raises:
            SffError: it cannot be opened, or the sweep leaves its range.
        """
        camera = self._opener()
        try:
            plan_sweep(self._config().sweep, camera)
        except SffError:
            camera.close()
            raise
        self.camera = camera
        return camera

    def close(self) -> None:
        """Release the camera."""
        if self.camera is not None:
            self.camera.close()
        self.camera = None

    def start(self) -> None:
        """Start sweeping."""
        self._stop.clear()
        self._asked.clear()
        self._lost_in_a_row = 0
        self.problem = ''
        self._thread = threading.Thread(target=self._run, name='sweeper', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current frame; idempotent."""
        self._stop.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def ask(self) -> bool:
        """Request one sweep; return false if none is possible now."""
        if self._thread is None or self.problem:
            return False
        self._asked.set()
        return True

    def _run(self) -> None:
        end = time.monotonic() + _LISTENERS_S
        while not self._is_heard() and time.monotonic() < end and not self._stop.is_set():
            self._stop.wait(_PAUSE_S)
        while not self._stop.is_set():
            try:
                if self._is_due():
                    self._sweep_once()
            except Exception as err:  # whatever a driver raises, the thread retries
                self._settle(text_of(err))
                self._stop.wait(_RETRY_S)

    def _is_due(self) -> bool:
        """Return whether to sweep now; wait briefly for a trigger if one is needed."""
        if self._config().mode == 'triggered':
            if self.problem:
                # Recover without a trigger, since triggers are refused meanwhile.
                self._prepare()
                self._settle('')
            if not self._asked.wait(0.1):
                return False
        self._asked.clear()
        return not self._stop.is_set()

    def _settle(self, problem: str) -> None:
        """Set the problem; log it if it changed."""
        if problem != self.problem:
            self._log(problem or f'recovered from: {self.problem}')
        self.problem = problem

    def _prepare(self) -> tuple[FocusCamera, SweepPlan]:
        """Reopen the camera if it was lost, and plan the sweep."""
        camera = self.camera
        if camera is None:
            camera = self.open()
            self._statistics.count('reopened')
        return camera, plan_sweep(self._config().sweep, camera)

    def _sweep_once(self) -> None:
        """Take one sweep; pass it on unless it was interrupted."""
        camera, plan = self._prepare()
        slices = self._take(camera, plan)
        if len(slices) == len(plan.positions):
            self._statistics.count('sweeps')
        if slices:
            self._settle('')
        if slices and not self._stop.is_set():
            self._on_sweep(slices)
        self._sweep += 1

    def _take(self, camera: FocusCamera, plan: SweepPlan) -> tuple[Slice, ...]:
        """Return the received slices of one sweep; fewer if it was stopped.

        Raises:
            CameraError: none arrived.
        """
        slices: list[Slice] = []
        loss: SffError | None = None
        for frame in self._frames(camera, plan.order(self._sweep)):
            if isinstance(frame, SffError):
                loss = frame
                self._count_loss(frame)
                continue
            self._lost_in_a_row = 0
            slices.append(frame)
            self._on_slice(frame)
            self._statistics.count('slices')
            if self._stop.is_set():
                break
        if loss is not None and not slices:
            raise CameraError(f'no image arrives: {loss}') from loss
        return tuple(slices)

    def _frames(self, camera: FocusCamera, order: tuple[float, ...]) -> Iterator[Slice | SffError]:
        """Yield the slices of one sweep, and an error for each lost one."""
        if self._config().sweep.mode == 'continuous':
            yield from self._frames_in_motion(camera, order)
            return
        for index, focus in enumerate(order):
            if self._stop.is_set():
                return
            try:
                yield camera.capture(focus, index, len(order), self._sweep)
            except SffError as err:
                yield err
                # An immediate refusal, such as of a code by a driver, must not loop at full speed.
                self._stop.wait(_PAUSE_S)

    def _frames_in_motion(
        self, camera: FocusCamera, order: tuple[float, ...]
    ) -> Iterator[Slice | SffError]:
        """Yield the frames of a moving lens, and an error for each index that is skipped."""
        if not isinstance(camera, ContinuousCamera):
            raise ConfigError(
                'sweep.mode is continuous, which this camera cannot do: set it to step'
            )
        expected = 0
        with contextlib.closing(camera.sweep_continuously(order, self._sweep)) as frames:
            try:
                for frame in frames:
                    for index in range(expected, frame.index):
                        yield CameraError(f'frame {index} of the sweep did not arrive')
                    expected = frame.index + 1
                    yield frame
                for index in range(expected, len(order)):
                    yield CameraError(f'frame {index} of the sweep did not arrive')
            except CameraError as err:
                yield err

    def _count_loss(self, err: SffError) -> None:
        """Count a lost frame; close the camera after many in a row.

        Raises:
            CameraError: the camera was closed and will be reopened.
        """
        self._statistics.count('dropped_slices')
        self._lost_in_a_row += 1
        if isinstance(err, CameraLostError) or self._lost_in_a_row >= _PATIENCE:
            self._lost_in_a_row = 0
            self.close()
            raise CameraError(f'no image arrives: {err}') from err
