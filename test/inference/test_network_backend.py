"""What surrounds every network: padding, cropping, the way back to slices, refusals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from rendered import estimate, even, plane, render

from sff_ros.core.focus.deviation import OVERSTATED, SPARSE, Calibration, confidence_of
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.errors import ModelError
from sff_ros.inference.backend import DepthBackend, ModelSpec
from sff_ros.inference.network_backend import CanonicalNetwork, check_outputs

Maps = npt.NDArray[np.float32]
SPEC = ModelSpec('fake', slices=15, size_multiple=16, sha256='', precision='fp32', pooling=2)


def scale_of(confidence: float) -> float:
    """Return the Laplace scale of a confidence."""
    return -1 / math.log1p(-confidence)


class FakeRunner:
    """Answers one position and scale everywhere, and keeps what it was given."""

    def __init__(self, position: float = 7.0, scale: float = scale_of(0.5)) -> None:
        self.answer = position, scale
        self.inputs: tuple[Maps, ...] = ()

    def run(self, responses: Maps, evidence: Maps, context: Maps) -> tuple[Maps, Maps]:
        self.inputs = responses, evidence, context
        position, scale = (np.full(context.shape[1:], v, np.float32) for v in self.answer)
        return position, scale


def volume(
    count: int = 15, size: tuple[int, int] = (32, 48), axis: npt.NDArray[np.float64] | None = None
) -> FocusVolume:
    """Return a sweep that is sharpest in its middle, everywhere."""
    h, w = (-(-side // 2) for side in size)
    distance = np.arange(count) - (count - 1) / 2
    height = np.exp(-((distance / 2) ** 2))[:, None, None, None]
    texture = np.random.default_rng(0).uniform(0.5, 1, (4, h, w))
    responses = (height * texture + 0.01).astype(np.float32)
    return FocusVolume(responses, even(0, count - 1, count) if axis is None else axis, size, 2)


def context(size: tuple[int, int] = (32, 48)) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ('size', 'padded'),
    [((32, 48), (32, 48)), ((37, 53), (48, 64)), ((16, 17), (16, 32)), ((33, 48), (48, 48))],
)
def test_the_network_gets_multiples_and_the_caller_what_it_gave(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    runner = FakeRunner()
    result = CanonicalNetwork(SPEC, runner).infer(volume(size=size), context(size))
    half = (padded[0] // 2, padded[1] // 2)
    shapes = [maps.shape for maps in runner.inputs]
    assert shapes == [(15, 4, *half), (7, *half), (3, *padded)]
    assert all(m.flags.c_contiguous and m.dtype == np.float32 for m in runner.inputs)
    image = runner.inputs[2]
    assert (image[:, size[0] :] == image[:, size[0] - 1 : size[0]]).all()
    assert (image[:, :, size[1] :] == image[:, :, size[1] - 1 : size[1]]).all()
    assert result.position.shape == result.confidence.shape == size


@pytest.mark.parametrize(
    ('axis', 'position', 'expected'),
    [
        (even(0, 14, 15), 7.0, 7.0),
        (even(14, 0, 15), 3.5, 3.5),
        (even(2, 0.5, 41), 7.0, 20.0),
        (np.array([0.0, 1.0, 3.0]), 14 / 3, 1.0),
        (np.array([3.0, 2.0, 0.0]), 14 * 2 / 3, 1.5),
        (even(0, 14, 15), -0.6, 0.0),
        (even(0, 14, 15), 14.6, 14.0),
        (even(0, 14, 15), 14.4, 13.999),
    ],
)
def test_canonical_positions_become_slices(
    axis: npt.NDArray[np.float64], position: float, expected: float
) -> None:
    network = CanonicalNetwork(SPEC, FakeRunner(position))
    result = network.infer(volume(len(axis), axis=axis), context())
    np.testing.assert_allclose(result.position, expected, atol=1e-5)


@pytest.mark.parametrize(('scale', 'confidence'), [(0.0067, 1.0), (1.0, 0.632), (20.0, 0.0488)])
def test_confidence_is_the_chance_to_be_right_to_within_one(
    scale: float, confidence: float
) -> None:
    found = confidence_of(np.full((2, 3), scale, np.float32))
    np.testing.assert_allclose(found, confidence, atol=1e-3)
    assert found.dtype == np.float32
    assert found.max() <= 1


def test_the_deviation_is_calibrated_and_in_slices_where_the_position_is() -> None:
    """Slices at 0, 0.7, 1.4 and 14: sparse ones widen the scale besides."""
    calibration, axis = Calibration(2.0, 0.3), np.array([4.0, 3.8, 3.6, 0.0])
    for position, a_slice in ((1.0, 0.7), (10.0, 12.6)):
        runner = FakeRunner(position, 0.2)
        network = CanonicalNetwork(SPEC, runner, calibration=calibration)
        found = network.infer(volume(4, axis=axis), context())
        scale = np.hypot(OVERSTATED * 0.2, SPARSE * max(a_slice**2 - 1, 0))
        deviation = np.hypot(2 * scale, 0.3)
        np.testing.assert_allclose(found.deviation, deviation / a_slice, rtol=1e-5)


def test_three_slices_do_not_locate_a_surface_to_a_fourteenth_of_the_sweep() -> None:
    network = CanonicalNetwork(SPEC, FakeRunner(7.0, 0.01))
    found = network.infer(volume(3, axis=even(0, 2, 3)), context())
    assert found.confidence.max() < 0.5
    found = network.infer(volume(8, axis=even(0, 7, 8)), context())
    assert found.confidence.max() > 0.9


def test_what_no_curve_supports_has_no_confidence() -> None:
    network = CanonicalNetwork(SPEC, FakeRunner(3.0, scale_of(0.7)))
    assert network.infer(volume(), context()).confidence.max() == 0  # all curves peak at 7


def test_images_without_texture_have_no_confidence() -> None:
    silent = FocusVolume(np.zeros((15, 4, 16, 24), np.float32), even(0, 14, 15), (31, 47), 2)
    result = CanonicalNetwork(SPEC, FakeRunner(scale=scale_of(0.9))).infer(
        silent, context((31, 47))
    )
    assert result.confidence.max() == 0
    assert result.position.mean() == 7
    textured = CanonicalNetwork(SPEC, FakeRunner(scale=scale_of(0.9))).infer(volume(), context())
    assert textured.confidence.mean() > 0.8


@pytest.mark.parametrize('answer', [(np.nan, 0.5), (7.0, np.inf)])
def test_an_answer_that_is_no_number_is_an_error(answer: tuple[float, float]) -> None:
    with pytest.raises(ModelError, match=r'fake: network: .*: 1536 of 1536 values are NaN or Inf'):
        CanonicalNetwork(SPEC, FakeRunner(*answer)).infer(volume(), context())


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_volume_that_is_no_number_is_refused(bad: float) -> None:
    broken = volume()
    broken.responses[3, 1, 2, 2] = bad
    runner = FakeRunner()
    with pytest.raises(ModelError, match='focus measure: 1 of'):
        CanonicalNetwork(SPEC, runner).infer(broken, context())
    assert runner.inputs == ()


def test_a_volume_of_another_kind_is_refused() -> None:
    network = CanonicalNetwork(SPEC, FakeRunner())
    with pytest.raises(ModelError, match='the sweep has 2 slices, expected 3 or more'):
        network.infer(volume(2), context())
    other = FocusVolume(np.ones((5, 1, 8, 12), np.float32), even(0, 4, 5), (32, 48), 4)
    with pytest.raises(ModelError, match='1 maps a slice pooled by 4, expected 4 pooled by 2'):
        network.infer(other, context())


def test_a_graph_of_an_earlier_version_is_refused() -> None:
    check_outputs(['position', 'scale'])
    words = 'the graph gives position, confidence, expected position, scale: export its weights'
    with pytest.raises(ModelError, match=words):
        check_outputs(['position', 'confidence'])


def test_it_measures_as_the_classical_backend_unless_it_knows_better() -> None:
    stack = render(plane(3, 11))
    backend: DepthBackend = CanonicalNetwork(SPEC, FakeRunner())
    assert estimate(stack).position.shape == stack[0].shape
    mean = float(stack[0].mean())
    assert backend.measure(stack[0]).shape == (4, 48, 64)
    np.testing.assert_allclose(
        backend.measure(stack[0]), backend.measure(2 * (stack[0] // 2)), atol=8 / mean
    )
    own = CanonicalNetwork(SPEC, FakeRunner(), lambda image: np.ones((4, 1, 1), np.float32))
    assert own.measure(stack[0]).shape == (4, 1, 1)
