"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from sff_ros.network.fast_gru import Predictions

STEP_WEIGHT, STEP_DECAY, HALF_WEIGHT, SCALE_WEIGHT = 0.4, 0.8, 0.5, 0.2


def fast_loss(predictions: Predictions, truth: Tensor) -> Tensor:
    """Return the weighted mean absolute error of every stage, and of the scale.

    The iterations weigh 0.8^(N - 1 - i) as in RAFT (Teed and Deng, ECCV 2020). The scale learns
    the negative log likelihood of a Laplace distribution, log b + |error| / b (Kendall and Gal,
    NeurIPS 2017), and the positions do not see it: a hard pixel stays worth the effort.

    Args:
        predictions: of the network.
        truth: (B, 1, H, W) canonical positions.
    """
    error = (predictions.position - truth).abs()
    likelihood = (predictions.log_scale + error.detach() * (-predictions.log_scale).exp()).mean()
    total = error.mean() + SCALE_WEIGHT * likelihood
    total = total + HALF_WEIGHT * _coarse_error(predictions.half, truth)
    for back, step in enumerate(reversed(predictions.steps)):
        total = total + STEP_WEIGHT * STEP_DECAY**back * _coarse_error(step, truth)
    return total


def paper_loss(predictions: list[Tensor], truth: Tensor) -> Tensor:
    """Return the paper's loss: sum of 0.9^(N - 1 - i) times the mean squared error.

    Args:
        predictions: N of (B, 1, H, W), the last the best.
        truth: (B, 1, H, W).
    """
    weights = [0.9**back for back in reversed(range(len(predictions)))]
    errors = [mse_loss(p, truth) for p in predictions]
    return torch.stack([w * e for w, e in zip(weights, errors, strict=True)]).sum()


def _coarse_error(coarse: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute error of a map that covers blocks of the truth."""
    factor = truth.shape[-1] // coarse.shape[-1]
    return (
        (coarse.repeat_interleave(factor, -1).repeat_interleave(factor, -2) - truth).abs().mean()
    )
