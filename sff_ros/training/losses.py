"""Training losses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from sff_ros.network.fast_gru import Predictions

STEP_WEIGHT, STEP_DECAY, HALF_WEIGHT, SCALE_WEIGHT = 0.4, 0.8, 0.5, 0.2


def fast_loss(predictions: Predictions, ground_truth: Tensor) -> Tensor:
    """Return the weighted mean absolute error of every stage, and of the scale.

    The iterations weigh 0.8^(N - 1 - i) as in RAFT (Teed and Deng, ECCV 2020). The scale learns
    the negative log likelihood of a Laplace distribution, log b + |error| / b (Kendall and Gal,
    NeurIPS 2017), without a gradient to the positions, so hard pixels keep their weight.

    Args:
        predictions: of the network.
        ground_truth: (B, 1, H, W) canonical positions.
    """
    error = (predictions.position - ground_truth).abs()
    likelihood = (predictions.log_scale + error.detach() * (-predictions.log_scale).exp()).mean()
    total = error.mean() + SCALE_WEIGHT * likelihood
    total = total + HALF_WEIGHT * _coarse_error(predictions.half, ground_truth)
    for back, step in enumerate(reversed(predictions.steps)):
        total = total + STEP_WEIGHT * STEP_DECAY**back * _coarse_error(step, ground_truth)
    return total


def paper_loss(predictions: list[Tensor], ground_truth: Tensor) -> Tensor:
    """Return the paper's loss: sum of 0.9^(N - 1 - i) times the mean squared error.

    Args:
        predictions: N of (B, 1, H, W), the last the best.
        ground_truth: (B, 1, H, W).
    """
    weights = [0.9**back for back in reversed(range(len(predictions)))]
    errors = [mse_loss(p, ground_truth) for p in predictions]
    return torch.stack([w * e for w, e in zip(weights, errors, strict=True)]).sum()


def _coarse_error(coarse: Tensor, ground_truth: Tensor) -> Tensor:
    """Return the mean absolute error of a map at lower resolution than the ground truth."""
    factor = ground_truth.shape[-1] // coarse.shape[-1]
    full = coarse.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return (full - ground_truth).abs().mean()
