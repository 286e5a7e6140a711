"""NaN or Inf out of any backend, from any of its stages, is a ModelError that names both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_engine
import numpy as np
import numpy.typing as npt
import pytest
from fake_tensorrt import MEASURE, Machine
from rendered import plane, render

import sff_ros.inference.network_backend
import sff_ros.inference.peak
from sff_ros.core.focus.deviation import Calibration
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume, measure_contrast
from sff_ros.core.focus.peak import estimate_peak
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import ModelError
from sff_ros.inference.backend import DepthBackend, ModelSpec
from sff_ros.inference.network_backend import OUTPUTS, CanonicalNetwork
from sff_ros.inference.peak import PeakBackend
from sff_ros.inference.shipped import shipped_model
from sff_ros.inference.warm_up import BackgroundBackend
from sff_ros.pipeline import ShapeFromFocus

Maps = npt.NDArray[np.float32]
SIZE = (48, 64)
STACK = [image[:48, :64] for image in render(plane(3, 11))]
BAD = (np.nan, np.inf, -np.inf)


def sweep(backend: DepthBackend) -> None:
    """Send a sweep the way that nodes and commands do."""
    method = ShapeFromFocus(backend)
    for index, image in enumerate(STACK):
        lens = LensState(float(index))
        method.add(Slice(image, lens, stamp_ns=index, index=index, count=len(STACK)))


def spoil(values: Maps, bad: float) -> Maps:
    """Return a copy with one bad value, not the first."""
    spoilt = values.copy()
    spoilt[(-1,) * spoilt.ndim] = bad
    return spoilt


@pytest.mark.parametrize('bad', BAD)
@pytest.mark.parametrize('module', [sff_ros.inference.peak, sff_ros.inference.network_backend])
def test_the_focus_measure_of_the_host(
    monkeypatch: pytest.MonkeyPatch, module: Any, bad: float
) -> None:
    def measure(image: Any, pooling: int) -> Maps:
        return spoil(measure_contrast(image, pooling), bad)

    monkeypatch.setattr(module, 'measure_contrast', measure)
    spec = ModelSpec('graph', 15, 16, '', 'fp32', 2)
    network = CanonicalNetwork(spec, Answer(7.0, 0.5))
    backend, name = (PeakBackend(), 'peak') if 'peak' in module.__name__ else (network, 'graph')
    with pytest.raises(ModelError) as caught:
        sweep(backend)
    assert str(caught.value) == (
        f'{name}: focus responses of a slice: 1 of 3072 values are NaN or Inf'
    )


@pytest.mark.parametrize('bad', BAD)
@pytest.mark.parametrize('stage', ['slice position', 'confidence', 'standard deviation'])
def test_the_classical_estimate(monkeypatch: pytest.MonkeyPatch, stage: str, bad: float) -> None:
    def estimate(volume: FocusVolume, context: Any, calibration: Calibration) -> FocusEstimate:
        right = estimate_peak(volume, context, calibration)
        name = {'slice position': 'position', 'standard deviation': 'deviation'}.get(stage, stage)
        return replace(right, **{name: spoil(getattr(right, name), bad)})

    monkeypatch.setattr(sff_ros.inference.peak, 'estimate_peak', estimate)
    with pytest.raises(ModelError, match=f'^peak: {stage}: 1 of 3072 values are NaN or Inf$'):
        sweep(PeakBackend())


class Answer:
    """A network, or a session of ONNX Runtime, that answers the same everywhere but at the end."""

    def __init__(self, position: float, scale: float) -> None:
        self.last = position, scale

    def run(self, *inputs: Any) -> tuple[Maps, Maps]:
        shape = inputs[-1].shape[1:] if len(inputs) == 3 else inputs[1]['context'].shape[2:]
        maps = np.full((2, *shape), 0.5, np.float32)
        maps[:, -1, -1] = self.last
        position, scale = maps if len(inputs) == 3 else maps[:, None, None]
        return position, scale


@pytest.mark.parametrize('bad', BAD)
def test_the_network_in_onnx_runtime(bad: float) -> None:
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    from sff_ros.inference.onnx import OnnxRunner, open_onnx

    backend = open_onnx(shipped_model('fast_gru.onnx'))
    for last, stage in (((bad, 0.5), 'position'), ((7.0, bad), 'scale')):
        spoilt = CanonicalNetwork(backend.spec, OnnxRunner(Answer(*last)))
        with pytest.raises(ModelError) as caught:
            sweep(spoilt)
        assert str(caught.value) == (
            f'{backend.spec.name}: network: {stage}: 1 of 3072 values are NaN or Inf'
        )


def test_the_network_in_pytorch() -> None:
    torch = pytest.importorskip('torch', reason='torch is not installed')
    pytest.importorskip('safetensors', reason='safetensors is not installed')
    from sff_ros.inference.torch import open_torch

    backend = open_torch(shipped_model('fast_gru.safetensors'))
    network = backend._runner._network  # type: ignore[attr-defined]
    with torch.no_grad():
        network.draw.weight[:] = float('nan')
    with pytest.raises(ModelError, match=r'^torch.*: network: position: 3072 of 3072 value'):
        sweep(backend)


@pytest.mark.parametrize('bad', BAD)
@pytest.mark.parametrize('stage', ['focus responses of a slice', 'position', 'scale'])
def test_engines_of_tensorrt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str, bad: float
) -> None:
    output = stage if stage in OUTPUTS else 'responses'
    name = 'ddl' if output == 'responses' else 'fast_gru'
    real = fake_engine.OPERATIONS[name]

    def operation(inputs: Any) -> dict[str, Maps]:
        found = real(inputs)
        return {**found, output: spoil(found[output], bad)}

    monkeypatch.setitem(fake_engine.OPERATIONS, name, operation)
    backend = Machine(monkeypatch, tmp_path).open(MEASURE)
    backend.build(SIZE, lambda what, share: None)
    where = 'tensorrt' if output == 'responses' else 'tensorrt: network'
    with pytest.raises(ModelError, match=f'^{where}: {stage}: 1 of 3072 values are NaN or Inf$'):
        sweep(backend)


def test_an_engine_that_answers_nan_leaves_the_standby_serving(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_finite(inputs: Any) -> dict[str, Maps]:
        return {name: spoil(maps, np.nan) for name, maps in fake_engine.fast_gru(inputs).items()}

    monkeypatch.setitem(fake_engine.OPERATIONS, 'fast_gru', not_finite)
    fast = Machine(monkeypatch, tmp_path).open()
    fast.build(SIZE, lambda what, share: None)
    backend = BackgroundBackend(fast, PeakBackend(), lambda _: None)
    sweep(backend)
    assert backend.spec.name == 'peak'
    assert str(backend.state) == (
        'failed: tensorrt: network: position: 1 of 3072 values are NaN or Inf'
    )
