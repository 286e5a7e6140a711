"""Try one backend: whether it loads, its error, its difference from ONNX, and its time."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sff_ros.cli.evaluation.reference_stack import KnownStack
from sff_ros.core.image import FloatMap
from sff_ros.errors import SffError
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import choose_backend
from sff_ros.inference.warm_up import BuiltBackend
from sff_ros.pipeline import ShapeFromFocus

MOST_WRONG = 0.5  # slices, mean: far above the error of any working backend on the built-in stack
MOST_UNLIKE = {'fp32': 0.01, 'fp16': 0.05}  # slices, mean difference from ONNX on the CPU
RUNS = 5

# A backend is expected to work if one module of each of its groups is installed.
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    'peak': (),
    'onnx': (('onnxruntime',),),
    'torch': (('torch',), ('safetensors',)),
    'tensorrt': (('tensorrt', 'tensorrt_rtx'),),
}
# Device files of NVIDIA's drivers: PC, Jetson (two kinds), Windows Subsystem for Linux.
GPU_FILES = ('/dev/nvidia0', '/dev/nvhost-gpu', '/dev/nvgpu', '/dev/dxg')

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Result of one backend.

    Attributes:
        name: of the backend.
        what: its own description, or the reason if it does not work.
        loaded: whether it gave a result.
        expected: whether it should, as its dependencies are installed.
        position: (H, W) its result; None without.
        wrong: mean distance from the ground truth, slices.
        unlike: mean distance from the reference, slices; None if there is no reference.
        latency_s: median time from the last slice to the map, s.
        precision: 'fp32', 'fp16'.
    """

    name: str
    what: str
    loaded: bool
    expected: bool
    position: FloatMap | None = None
    wrong: float = 0.0
    unlike: float | None = None
    latency_s: float = 0.0
    precision: str = 'fp32'

    @property
    def faults(self) -> list[str]:
        """Messages about failures of a backend that is expected to work."""
        if not self.loaded:
            return [f'{self.name} does not work: {self.what}'] if self.expected else []
        found = []
        if not self.wrong <= MOST_WRONG:
            found.append(f'{self.name} is {self.wrong:.2f} slices off, expected {MOST_WRONG}')
        most = MOST_UNLIKE[self.precision]
        if self.unlike is not None and not self.unlike <= most:
            found.append(f'{self.name} is {self.unlike:.3f} slices from onnx, expected {most}')
        return found


def try_backend(
    name: str, known: KnownStack, reference: FloatMap | None, progress: Progress
) -> Trial:
    """Load a backend and run it on the built-in stack; a failure is returned, not raised.

    Args:
        reference: (H, W) positions of ONNX on the CPU; None: no comparison.
        progress: receives the progress of an engine build.
    """
    expected = is_expected(name)
    try:
        backend = choose_backend(name).backend
        built = _build(backend, known, progress)
        position, latency_s = _run(backend, known)
    except (SffError, MemoryError) as err:
        reason = (str(err) or type(err).__name__).removeprefix('no backend could be loaded ')
        reason = reason.removeprefix(f'({name}: ').removesuffix(')')
        return Trial(name, reason, False, expected)
    spec = backend.spec
    return Trial(
        name=name,
        what=f'{spec.name} {spec.precision}{built}',
        loaded=True,
        expected=expected,
        position=position,
        wrong=_apart(position, known.ground_truth),
        unlike=None if reference is None else _apart(position, reference),
        latency_s=latency_s,
        precision=spec.precision,
    )


def is_expected(name: str) -> bool:
    """Return whether everything that a backend needs seems to be installed."""
    for group in NEEDS[name]:
        if not any(importlib.util.find_spec(module) for module in group):
            return False
    return name != 'tensorrt' or any(Path(file).exists() for file in GPU_FILES)


def _build(backend: DepthBackend, known: KnownStack, progress: Progress) -> str:
    """Build a backend for the size of the stack; describe how long that took."""
    if not isinstance(backend, BuiltBackend):
        return ''
    begin = time.monotonic()
    backend.build(known.stack.shape, progress)
    return f', engines ready in {time.monotonic() - begin:.1f} s'


def _run(backend: DepthBackend, known: KnownStack) -> tuple[FloatMap, float]:
    """Return the result, and the median time from the last slice to it, s."""
    method = ShapeFromFocus(backend)
    seconds = []
    for _ in range(RUNS + 1):
        method.reset()
        for slice_ in known.stack.slices:
            begin = time.perf_counter()
            focus_map = method.add(slice_)
            elapsed = time.perf_counter() - begin
        seconds.append(elapsed)
    assert focus_map is not None  # the last slice ends the sweep
    return focus_map.estimate.position, statistics.median(seconds[1:])


def _apart(a: FloatMap, b: FloatMap) -> float:
    return float(abs(a - b).mean())
