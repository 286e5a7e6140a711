"""What every backend promises, whatever is inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from rendered import HEIGHT, SLICES, WIDTH, even, plane, render, run

from sff_ros.core.image import Image
from sff_ros.errors import ModelError
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import BACKENDS, open_backend
from sff_ros.inference.shipped import shipped_model

NEEDS = {'onnx': ('onnxruntime',), 'torch': ('torch', 'safetensors')}
SLOPE = plane(3, 11)
CENTRE = (slice(8, -8), slice(8, -8))


# TensorRT needs a GPU: `sff doctor` holds it against this.
@pytest.fixture(scope='module', params=[name for name in BACKENDS if name != 'tensorrt'])
def backend(request: pytest.FixtureRequest) -> DepthBackend:
    name = request.param
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package, reason=f'{package} is not installed')
    if BACKENDS[name].suffix:
        try:
            shipped_model(f'fast_gru{BACKENDS[name].suffix}')
        except ModelError as err:
            pytest.skip(str(err))
    return open_backend(name)


def grey16(stack: Sequence[npt.NDArray[np.uint8]]) -> list[Image]:
    return [image.astype(np.uint16) * 200 for image in stack]


def colour(stack: Sequence[npt.NDArray[np.uint8]]) -> list[Image]:
    return [np.repeat(image[..., None], 3, axis=2) for image in stack]


def stacks() -> dict[str, tuple[Sequence[Image], npt.NDArray[np.float64] | None]]:
    slope = render(SLOPE)
    noise = np.random.default_rng(5).integers(0, 256, (15, 64, 80), dtype=np.uint8)
    uneven = np.cumsum(np.r_[0, np.linspace(1, 3, 11)])
    return {
        'grey': (slope, None),
        'colour': (colour(slope), None),
        '16 bits': (grey16(slope), None),
        'odd size': ([image[:37, :53] for image in slope], None),
        'smallest size': ([image[:16, :16] for image in slope], None),
        'three slices': (slope[5:8], None),
        'falling axis': (slope, even(3, 0.5, 15)),
        'uneven axis': (slope[:12], uneven),
        'long': (list(noise) * 4, None),
        'noise': (list(noise), None),
        'black': ([np.zeros((40, 60), np.uint8)] * 15, None),
        'white': ([np.full((40, 60, 3), 255, np.uint8)] * 15, None),
        'constant in time': ([noise[0]] * 15, None),
    }


@pytest.mark.parametrize('kind', list(stacks()))
def test_every_pixel_has_a_position_and_a_confidence(backend: DepthBackend, kind: str) -> None:
    stack, axis = stacks()[kind]
    result = run(backend, stack, axis)
    for values, high in ((result.position, len(stack) - 1), (result.confidence, 1)):
        assert values.shape == stack[0].shape[:2]
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert 0 <= values.min() <= values.max() <= high


@pytest.mark.parametrize('convert', [list, grey16, colour])
def test_a_slope_is_found(backend: DepthBackend, convert: type[list[Image]]) -> None:
    result = run(backend, convert(render(SLOPE)))
    assert np.abs(result.position - SLOPE)[CENTRE].mean() < 0.3


def test_positions_count_along_time_whatever_the_axis(backend: DepthBackend) -> None:
    falling = run(backend, render(SLOPE), even(3, 0.5, SLICES))
    np.testing.assert_allclose(falling.position, run(backend, render(SLOPE)).position, atol=1e-3)


def test_a_reversed_sweep_mirrors_the_positions(backend: DepthBackend) -> None:
    stack = render(SLOPE)
    forward, backward = run(backend, stack), run(backend, stack[::-1])
    apart = np.abs(SLICES - 1 - backward.position - forward.position)
    assert apart[CENTRE].mean() < 0.15


@pytest.mark.parametrize('gain', [0.5, 1.6])
def test_exposure_does_not_matter(backend: DepthBackend, gain: float) -> None:
    plain, other = (run(backend, render(SLOPE, noise=0.5, gain=g)) for g in (1.0, gain))
    assert np.abs(plain.position - other.position)[CENTRE].mean() < 0.05
    assert np.abs(plain.confidence - other.confidence)[CENTRE].mean() < 0.05


def test_nothing_is_left_of_the_sweep_before(backend: DepthBackend) -> None:
    first = run(backend, render(SLOPE))
    run(backend, [image[:48, :64] for image in render(plane(11, 3))])
    again = run(backend, render(SLOPE))
    np.testing.assert_array_equal(again.position, first.position)
    assert again.position.shape == (HEIGHT, WIDTH)


def test_noise_is_trusted_less_than_texture(backend: DepthBackend) -> None:
    noise = np.random.default_rng(2).integers(100, 108, (SLICES, HEIGHT, WIDTH), dtype=np.uint8)
    sure, guess = run(backend, render(SLOPE)), run(backend, list(noise))
    assert guess.confidence.mean() < 0.5 * sure.confidence.mean()


@pytest.mark.parametrize('grey', [0, 90, 255])
def test_constant_pictures_are_not_trusted(backend: DepthBackend, grey: int) -> None:
    result = run(backend, [np.full((48, 64), grey, np.uint8)] * 5)
    assert result.confidence.max() == 0
