"""Losses and scores: what is unknowable is not learnt, and not to be published."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='torch is not installed')
from sff_ros.network.fast_gru import Predictions  # noqa: E402
from sff_ros.training.dataset import SceneSource  # noqa: E402
from sff_ros.training.drawing.textures import Textures  # noqa: E402
from sff_ros.training.losses import UNKNOWN_SCALE, fast_loss, paper_loss  # noqa: E402
from sff_ros.training.validation import KINDS, Validation  # noqa: E402


def test_the_scale_settles_at_the_mean_error_and_leaves_positions_alone() -> None:
    position = torch.zeros(1, 1, 4, 4, requires_grad=True)
    log_scale = torch.full((1, 1, 4, 4), math.log(2.0), requires_grad=True)
    half = torch.full((1, 1, 2, 2), 2.0)
    predictions = Predictions((), half, position, log_scale)
    everywhere = torch.ones(1, 1, 4, 4)
    fast_loss(predictions, torch.full((1, 1, 4, 4), 2.0), everywhere).backward()
    assert log_scale.grad is not None
    assert log_scale.grad.abs().max() < 1e-6  # |error| = scale: the likeliest
    assert position.grad is not None
    torch.testing.assert_close(position.grad, torch.full_like(position, -1 / 16))


def test_where_nothing_can_be_known_only_the_scale_learns() -> None:
    position = torch.zeros(1, 1, 4, 4, requires_grad=True)
    log_scale = torch.full((1, 1, 4, 4), math.log(UNKNOWN_SCALE), requires_grad=True)
    half = torch.zeros(1, 1, 2, 2, requires_grad=True)
    step = torch.zeros(1, 1, 1, 1, requires_grad=True)
    predictions = Predictions((step,), half, position, log_scale)
    truth = torch.full((1, 1, 4, 4), 9.0)
    fast_loss(predictions, truth, torch.zeros(1, 1, 4, 4)).backward()
    for map_ in (position, half, step, log_scale):
        assert map_.grad is not None
        assert map_.grad.abs().max() < 1e-6
    # Any other scale is driven there.
    for scale, sign in ((0.5, -1), (20.0, 1)):
        other = torch.full((1, 1, 4, 4), math.log(scale), requires_grad=True)
        mixed = Predictions((step,), half, position, other)
        fast_loss(mixed, truth, torch.zeros(1, 1, 4, 4)).backward()
        assert other.grad is not None
        assert (other.grad.sign() == sign).all()
    assert 1 - math.exp(-1 / UNKNOWN_SCALE) == pytest.approx(1 / 7, abs=0.01)


def test_the_paper_weighs_late_iterations_more() -> None:
    ground_truth = torch.zeros(1, 1, 2, 2)
    loss = paper_loss(
        [ground_truth + 1, ground_truth + 2], ground_truth, torch.ones_like(ground_truth)
    )
    assert loss.item() == pytest.approx(0.9 * 1 + 4)


def test_wrong_and_published_are_shares_of_what_the_network_says() -> None:
    class Fixed:
        """Says 3 everywhere, sure in the upper half."""

        def estimate(self, _: Any, batch: Any) -> Any:
            scale = torch.full_like(batch['truth'], 9.0)
            scale[..., :2, :] = 0.1
            return torch.full_like(batch['truth'], 3.0), scale

    source = SceneSource(Textures(), Fixed(), 4, 0, 0.0)  # type: ignore[arg-type]
    judged = Validation(source, 0, torch.device('cpu'))
    truth = np.full((1, 4, 4), 3.0, np.float16)
    truth[:, :, 0] = 8  # a quarter is off by 5
    known = np.ones((1, 4, 4), np.float16)
    known[:, 0, 1:] = 0  # three that are published cannot be known
    judged._scenes = {kind: [{'truth': truth, 'known': known}] for kind in KINDS}
    score = judged.score(torch.nn.Identity())
    assert score['hard_wrong'] == pytest.approx(5 / 16)
    assert score['hard_published'] == pytest.approx(3 / 9)
    assert score['validation_mae'] == pytest.approx(4 * 5 / 13)
