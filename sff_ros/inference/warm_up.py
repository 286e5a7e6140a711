"""Serve with a slower backend while the fast one is being built for the current image size."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, Responses
from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.backend import DepthBackend, ModelSpec

Size = tuple[int, int]  # height and width of an image, px
Progress = Callable[[str, float], None]  # the current step, and the share done, 0..1
Log = Callable[[str], object]


class BuiltBackend(ABC):
    """A backend that must be built for each image size before it can serve that size."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec: ...

    @abstractmethod
    def is_built(self, size: Size) -> bool:
        """Return whether images of a size can be processed at once."""

    @abstractmethod
    def build(self, size: Size, progress: Progress) -> None:
        """Prepare for a size; called from its own thread.

        Raises:
            ModelError: the backend cannot be built.
        """

    @abstractmethod
    def measure(self, image: Image) -> Responses: ...

    @abstractmethod
    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate: ...


@dataclass(frozen=True, slots=True)
class BuildState:
    """Progress of a build.

    Attributes:
        stage: 'idle', 'building', 'ready' or 'failed'.
        what: the current step, or why the build failed.
        done: share of the build, 0..1.
        seconds: since the start of the build; its duration once it has ended.
    """

    stage: str = 'idle'
    what: str = ''
    done: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.stage == 'building':
            return f'building: {self.what} {self.done:.0%} ({self.seconds:.0f} s)'
        if self.stage == 'failed':
            return f'failed: {self.what}'
        return f'ready ({self.seconds:.1f} s)' if self.stage == 'ready' else self.stage


class EngineBuilder:
    """Runs one build in its own thread; any thread may read its state."""

    def __init__(self, build: Callable[[Progress], None]) -> None:
        self._build = build
        self._begin = time.monotonic()
        self._state = BuildState('building', 'starting')
        self._thread = threading.Thread(target=self._run, name='engine_builder', daemon=True)
        self._thread.start()

    @property
    def state(self) -> BuildState:
        state = self._state
        if state.stage != 'building':
            return state
        return replace(state, seconds=time.monotonic() - self._begin)

    def wait(self, timeout_s: float | None = None) -> BuildState:
        """Wait for the end of the build, or no longer than a timeout; return the state."""
        self._thread.join(timeout_s)
        return self.state

    def _run(self) -> None:
        try:
            self._build(self._progress)
            self._end('ready', '')
        except Exception as err:  # whatever a library raises must be reported
            reason = str(err) if isinstance(err, ModelError) else f'{type(err).__name__}: {err}'
            self._end('failed', reason)

    def _progress(self, what: str, done: float) -> None:
        self._state = BuildState('building', what, min(max(done, 0.0), 1.0))

    def _end(self, stage: str, what: str) -> None:
        done = 1.0 if stage == 'ready' else self._state.done
        self._state = BuildState(stage, what, done, time.monotonic() - self._begin)


class BackgroundBackend:
    """Uses the fast backend once it is built for the image size, and the standby until then.

    Both measure slices in the same way, so the switch may happen in the middle of a sweep. After
    a failure the standby serves, and the state says why. For one thread; any thread may read
    `state`.

    Args:
        fast: serves once it is built.
        standby: serves until then.
        log: receives the start and the end of each build.

    Raises:
        ModelError: the two backends pool focus responses differently.
    """

    def __init__(self, fast: BuiltBackend, standby: DepthBackend, log: Log) -> None:
        if fast.spec.pooling != standby.spec.pooling:
            raise ModelError(f'{standby.spec.name} cannot stand in for {fast.spec.name}: pooling')
        self._fast = fast
        self._standby = standby
        self._log = log
        self._size: Size | None = None
        self._builder: EngineBuilder | None = None
        self._reported = True
        self._fault = ''

    @property
    def spec(self) -> ModelSpec:
        """Spec of the backend in use; before the first image, of the fast one."""
        idle = self._size is None and not self._fault
        return self._fast.spec if idle or self._is_fast() else self._standby.spec

    @property
    def state(self) -> BuildState:
        """Progress of the build for the current image size."""
        if self._fault:
            return BuildState('failed', self._fault)
        return BuildState() if self._builder is None else self._builder.state

    def measure(self, image: Image) -> Responses:
        """Measure one slice; the first of a new size starts the build for it."""
        height, width = image.shape[:2]
        self._prepare((height, width))
        if self._is_fast():
            try:
                return self._fast.measure(image)
            except ModelError as err:
                self._give_up(err)
        return self._standby.measure(image)

    def infer(self, volume: FocusVolume, context: Image) -> FocusEstimate:
        """Estimate with the backend in use."""
        self._prepare(volume.size)
        if self._is_fast():
            try:
                return self._fast.infer(volume, context)
            except ModelError as err:
                self._give_up(err)
        return self._standby.infer(volume, context)

    def _is_fast(self) -> bool:
        return not self._fault and self._size is not None and self._fast.is_built(self._size)

    def _prepare(self, size: Size) -> None:
        """Start a build if the size is new; report the end of the last one."""
        builder = self._builder
        if builder is not None and builder.state.stage == 'building':
            return  # one at a time; another size is noticed again at its next slice
        if builder is not None and not self._reported:
            self._reported = True
            self._log(f'{self._fast.spec.name} engine for {_text(self._size)}: {builder.state}')
        if size == self._size or self._fault:
            return
        self._size, self._reported = size, False
        self._log(
            f'{self._fast.spec.name} engine for {_text(size)}: being loaded or built (seconds to '
            f'minutes, once); {self._standby.spec.name} serves meanwhile'
        )
        self._builder = EngineBuilder(lambda progress: self._fast.build(size, progress))

    def _give_up(self, err: ModelError) -> None:
        """Use the standby from now on."""
        self._fault = str(err)
        self._log(f'{self._fast.spec.name} failed, {self._standby.spec.name} serves: {err}')


def in_background(
    backend: DepthBackend, open_standby: Callable[[], DepthBackend], log: Log
) -> DepthBackend:
    """Return a backend that never blocks on an engine build; most never do.

    Args:
        backend: what is to serve.
        open_standby: loads what serves meanwhile; called only if `backend` has to be built.
        log: receives the start and the end of each build.
    """
    if not isinstance(backend, BuiltBackend):
        return backend
    return BackgroundBackend(backend, open_standby(), log)


def _text(size: Size | None) -> str:
    return f'{size[1]}x{size[0]}' if size else 'no size'
