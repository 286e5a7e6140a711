from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_ddl_gru import CASE, PlainDdlGru, dense_volume, random_stack, standin_weights, torch

from sff_ros.errors import ModelError
from sff_ros.network.paper import ddl_gru
from sff_ros.network.paper.ddl_gru import DdlGru, predict
from sff_ros.network.paper.input import choose_slices, measure_ddl, network_input

TOLERANCE = 1e-3  # of predictions of about 10; what is seen is 2e-5


@pytest.fixture(scope='module')
def network() -> DdlGru:
    made = DdlGru()
    made.load_state_dict(standin_weights(made.state_dict()))
    return made


@pytest.fixture(scope='module')
def plain(network: DdlGru) -> PlainDdlGru:
    return PlainDdlGru(standin_weights(network.state_dict()))


@pytest.fixture(scope='module')
def case() -> dict[str, Any]:
    with np.load(CASE) as file:
        return dict(file)


def inputs(network: DdlGru, stack: Any) -> tuple[Any, Any]:
    slices = [torch.from_numpy(slice_).permute(2, 0, 1)[None] for slice_ in stack]
    return network_input(slices, network.config.slices, network.config.dilations)


def test_layout_is_that_of_the_published_checkpoints(network: DdlGru) -> None:
    state = network.state_dict()
    assert len(state) == 120
    assert sum(tensor.numel() for tensor in state.values()) == 10_039_088


@pytest.mark.parametrize('iterations', [1, 2, 3, 4])
def test_the_case_of_the_authors_network(
    network: DdlGru, case: dict[str, Any], iterations: int
) -> None:
    expected = case['predictions'][iterations - 1]
    prediction = predict(network, list(case['stack']), iterations)
    assert prediction.dtype == np.float32
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(prediction, expected, rtol=0, atol=TOLERANCE)


def test_every_iteration_is_predicted_for_training(network: DdlGru, case: dict[str, Any]) -> None:
    with torch.inference_mode():
        predictions = network.predictions(*inputs(network, case['stack']), 4)
    np.testing.assert_allclose(
        np.concatenate(predictions), case['predictions'], rtol=0, atol=TOLERANCE
    )


def test_the_plain_network_gives_the_case_too(plain: PlainDdlGru, case: dict[str, Any]) -> None:
    predictions = plain.predictions(case['stack'], 4)
    np.testing.assert_allclose(predictions, case['predictions'], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ('slices', 'height', 'width', 'iterations'),
    [
        (5, 64, 64, 6),
        (8, 48, 80, 1),
        (12, 64, 32, 6),
        (15, 20, 16, 2),
        (15, 44, 52, 3),  # odd maps at 1/8 and 1/16
        (22, 36, 68, 2),
        (30, 32, 32, 1),
        (41, 32, 48, 2),
        (60, 32, 32, 1),
    ],
)
def test_any_sweep_and_size_of_the_paper(
    network: DdlGru, plain: PlainDdlGru, slices: int, height: int, width: int, iterations: int
) -> None:
    stack = random_stack(slices, height, width)
    expected = plain.predictions(stack, iterations)[-1]
    prediction = predict(network, list(stack), iterations)
    np.testing.assert_allclose(prediction, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(('height', 'width'), [(33, 48), (32, 45), (30, 31), (17, 18)])
def test_other_sizes_are_filled_up_with_the_last_pixel(
    network: DdlGru, plain: PlainDdlGru, height: int, width: int
) -> None:
    stack = random_stack(6, height, width)
    filled = np.pad(stack, ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0)), mode='edge')
    expected = plain.predictions(filled, 2)[-1, :height, :width]
    prediction = predict(network, list(stack), 2)
    assert prediction.shape == (height, width)
    np.testing.assert_allclose(prediction, expected, rtol=0, atol=TOLERANCE)


def test_grey_pictures_count_as_three_equal_channels(network: DdlGru) -> None:
    grey = random_stack(5, 32, 32)[..., 0]
    colour = np.repeat(grey[..., None], 3, axis=3)
    np.testing.assert_array_equal(
        predict(network, list(grey), 1), predict(network, list(colour), 1)
    )


def test_a_batch_is_predicted_as_one_by_one(network: DdlGru) -> None:
    stacks = [random_stack(15, 32, 48, seed) for seed in (1, 2)]
    with torch.inference_mode():
        volumes, contexts = zip(*(inputs(network, stack) for stack in stacks), strict=True)
        both = network(torch.cat(volumes), torch.cat(contexts), 2)
    for prediction, stack in zip(both, stacks, strict=True):
        np.testing.assert_allclose(prediction, predict(network, list(stack), 2), atol=TOLERANCE)


@pytest.mark.parametrize(
    ('count', 'expected'),
    [
        (5, [0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4]),
        (8, [0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 6, 6, 7]),  # halves to even
        (15, list(range(15))),
        (30, [0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29]),  # 14.5 to 14
        (60, [0, 4, 8, 13, 17, 21, 25, 30, 34, 38, 42, 46, 51, 55, 59]),
    ],
)
def test_slices_that_stand_for_a_sweep(count: int, expected: list[int]) -> None:
    assert choose_slices(count, 15) == expected


def test_shifted_sums_are_the_dense_convolutions(case: dict[str, Any]) -> None:
    slices = torch.from_numpy(case['stack']).permute(0, 3, 1, 2).float() / 127.5 - 1
    grey = (slices * torch.tensor([0.2989, 0.5870, 0.1140])[:, None, None]).sum(1)
    measured = measure_ddl(grey, (1, 2, 3, 4))
    assert measured.shape == (5, 4, 16, 24)
    torch.testing.assert_close(measured.flatten(0, 1)[None], dense_volume(slices))


def test_gradients_reach_every_weight() -> None:
    network = DdlGru()
    volume, context = inputs(network, random_stack(15, 32, 32))
    loss = torch.stack([p.square().mean() for p in network.predictions(volume, context, 2)]).sum()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_the_mask_head_runs_once_and_the_encoder_once(network: DdlGru) -> None:
    calls = {'mask': 0, 'cnet': 0, 'convc1': 0, 'depth_head': 0}
    block = network.update_block
    parts = (block.mask, network.cnet, block.encoder.convc1, block.depth_head)
    hooks = []
    for name, part in zip(calls, parts, strict=True):

        def count(*_: object, name: str = name) -> None:
            calls[name] += 1

        hooks.append(part.register_forward_hook(count))
    predict(network, list(random_stack(5, 32, 32)), 5)
    for hook in hooks:
        hook.remove()
    assert calls == {'mask': 1, 'cnet': 1, 'convc1': 1, 'depth_head': 5}


@pytest.mark.parametrize(
    ('size', 'iterations', 'message'),
    [
        ((32, 32), 0, 'iterations must be 1 or more, not 0'),
        ((32, 32), -3, 'iterations must be 1 or more, not -3'),
        ((16, 16), 1, '16x16 is too small: one side must exceed 16 px'),
    ],
)
def test_what_the_network_cannot_take(
    network: DdlGru, size: tuple[int, int], iterations: int, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        predict(network, list(random_stack(5, *size)), iterations)


def test_tensors_that_do_not_fit_are_named(network: DdlGru) -> None:
    with pytest.raises(ModelError, match=r'multiples of 4 px, not 34x32'):
        network(torch.zeros(1, 60, 8, 8), torch.zeros(1, 3, 32, 34), 1)
    with pytest.raises(ModelError, match=r'the volume is \(56, 8, 8\), expected \(60, 8, 8\)'):
        network(torch.zeros(1, 56, 8, 8), torch.zeros(1, 3, 32, 32), 1)


def test_constant_pictures_give_finite_values(network: DdlGru) -> None:
    for level in (0, 128, 255):
        stack = [np.full((32, 32, 3), level, np.uint8)] * 5
        assert np.isfinite(predict(network, stack, 2)).all()


def test_what_is_not_finite_is_refused() -> None:
    network = DdlGru()
    torch.nn.init.constant_(network.update_block.depth_head.conv2.weight, float('inf'))
    with pytest.raises(ModelError, match='values that are not finite'):
        predict(network, list(random_stack(5, 32, 32)), 1)


def test_out_of_memory_is_an_error_with_the_size(
    network: DdlGru, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_memory(*_: object) -> None:
        raise RuntimeError("can't allocate memory: you tried to allocate 9 bytes\nand a trace")

    monkeypatch.setattr(ddl_gru, 'network_input', fill_the_memory)
    with pytest.raises(ModelError) as caught:
        predict(network, list(random_stack(5, 32, 40)), 1)
    expected = "the network cannot run at 40x32 px: can't allocate memory: you tried to allocate"
    assert str(caught.value) == f'{expected} 9 bytes'
