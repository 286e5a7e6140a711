"""Our network: shapes, start, invariances, look-up."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='torch is not installed')
from torch import Tensor  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from sff_ros.core.focus.deviation import confidence_of  # noqa: E402
from sff_ros.network.fast_gru import (  # noqa: E402
    LOG_SCALE,
    FastGru,
    FastGruConfig,
    _look_up,
    _neighbours,
)


def inputs(height: int = 64, width: int = 96) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    h, w = height // 2, width // 2
    responses = torch.rand(1, 15, 4, h, w, generator=generator)
    evidence = torch.rand(1, 7, h, w, generator=generator)
    evidence[:, :2] *= 14
    return responses, evidence, torch.rand(1, 3, height, width, generator=generator) + 0.5


def perturbed() -> FastGru:
    """Return a network whose branches that start at zero do something."""
    torch.manual_seed(0)
    network = FastGru()
    network.eval()
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape)
    return network


@pytest.mark.parametrize(('height', 'width'), [(16, 16), (64, 96), (112, 48)])
def test_shapes(height: int, width: int) -> None:
    with torch.inference_mode():
        result = perturbed()(*inputs(height, width))
    assert len(result.steps) == 2
    assert result.steps[0].shape == (1, 1, height // 4, width // 4)
    assert result.half.shape == (1, 1, height // 2, width // 2)
    assert result.position.shape == result.log_scale.shape == (1, 1, height, width)


def test_it_starts_as_the_classical_map() -> None:
    responses, evidence, context = inputs()
    evidence[:, :2] = 3.25
    with torch.inference_mode():
        result = FastGru()(responses, evidence, context)
    torch.testing.assert_close(result.half, torch.full_like(result.half, 3.25))
    torch.testing.assert_close(result.position, torch.full_like(result.position, 3.25))


def test_contrast_cancels() -> None:
    responses, evidence, context = inputs()
    network = perturbed()
    with torch.inference_mode():
        one, other = (
            network(c * (responses + 0.5), evidence, context).position for c in (1.0, 1.001)
        )
    assert (one - other).abs().mean() < 1e-3


def test_two_pictures_do_not_see_each_other() -> None:
    first, second = inputs(), inputs()
    second = tuple(t.flip(-1) for t in second)
    network = perturbed()
    with torch.inference_mode():
        alone = network(*first).position
        together = network(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
    torch.testing.assert_close(together.position[:1], alone, atol=1e-4, rtol=1e-4)


def test_iterations_are_a_setting() -> None:
    network = FastGru(FastGruConfig(iterations=5))
    assert len(network(*inputs(16, 16)).steps) == 5
    assert FastGru().state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(
    ('position', 'offset', 'value'),
    [
        (3.0, 0, 9.0),
        (3.5, 0, 12.5),
        (3.0, 1, 16.0),
        (3.25, -2, 1.75),
        (14.0, 0, 196.0),
        (14.0, 1, 0.0),
        (14.25, 0, 147.0),
        (0.0, -2, 0.0),
        (-9.5, 2, 0.0),
        (40.0, -2, 0.0),
    ],
)
def test_looking_up_interpolates(position: float, offset: int, value: float) -> None:
    curves = (torch.arange(15.0) ** 2).view(1, 15, 1, 1)
    seen = _look_up(curves, torch.full((1, 1, 1, 1), position), 2)
    assert seen.shape == (1, 5, 1, 1)
    assert seen[0, 2 + offset].item() == pytest.approx(value)


def test_neighbours_are_the_3_x_3_around() -> None:
    near = _neighbours(torch.arange(9.0).view(1, 1, 3, 3))
    assert near[0, :, 1, 1].tolist() == list(range(9))
    assert near[0, :, 0, 0].tolist() == [0, 0, 1, 0, 0, 1, 3, 3, 4]


def test_confidence_is_the_chance_to_be_right_to_within_one() -> None:
    scale = np.exp(np.array([LOG_SCALE[0], 0.0, LOG_SCALE[1]], np.float32))
    assert confidence_of(scale).tolist() == pytest.approx([1.0, 0.632, 0.0486], abs=1e-3)


def test_it_is_small_enough_for_a_robot() -> None:
    network = FastGru().eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*inputs(48, 64))
    # Convolutions only, and every size is a multiple: 100 of these make 480 x 640.
    assert 16 < counter.get_total_flops() / 2 * 100 / 1e9 < 18
    assert sum(p.numel() for p in network.parameters()) * 4 < 12e6
