"""Training losses."""

from __future__ import annotations

import torch
from torch import Tensor

from sff_ros.network.fast_gru import Predictions

STEP_WEIGHT, STEP_DECAY, HALF_WEIGHT, SCALE_WEIGHT = 0.4, 0.8, 0.5, 0.2
# The scale to say where nothing can be known, positions: a guess among 15 is right to within one
# in about one case of seven, which is the confidence 1 - exp(-1 / 6.5) of this scale.
UNKNOWN_SCALE = 6.5


def fast_loss(predictions: Predictions, ground_truth: Tensor, known: Tensor) -> Tensor:
    """Return the weighted mean absolute error of every stage, and of the scale.

    The iterations weigh 0.8^(N - 1 - i) as in RAFT (Teed and Deng, ECCV 2020). The scale learns
    the negative log likelihood of a Laplace distribution, log b + |error| / b (Kendall and Gal,
    NeurIPS 2017), without a gradient to the positions, so hard pixels keep their weight. Where
    the position cannot be known it is free, and the likeliest scale is UNKNOWN_SCALE.

    Args:
        predictions: of the network.
        ground_truth: (B, 1, H, W) canonical positions.
        known: (B, 1, H, W) 1 where the sweep tells them, else 0.
    """
    error = (predictions.position - ground_truth).abs()
    missed = torch.where(known > 0, error.detach(), UNKNOWN_SCALE)
    likelihood = (predictions.log_scale + missed * (-predictions.log_scale).exp()).mean()
    # Over all pixels: a known pixel weighs the same in every sweep.
    total = (error * known).mean() + SCALE_WEIGHT * likelihood
    total = total + HALF_WEIGHT * _coarse_error(predictions.half, ground_truth, known)
    for back, step in enumerate(reversed(predictions.steps)):
        weight = STEP_WEIGHT * STEP_DECAY**back
        total = total + weight * _coarse_error(step, ground_truth, known)
    return total


def paper_loss(predictions: list[Tensor], ground_truth: Tensor, known: Tensor) -> Tensor:
    """Return the paper's loss: sum of 0.9^(N - 1 - i) times the mean squared error.

    Args:
        predictions: N of (B, 1, H, W), the last the best.
        ground_truth: (B, 1, H, W).
        known: (B, 1, H, W) 1 where the sweep tells it, else 0: not in the sum.
    """
    weights = [0.9**back for back in reversed(range(len(predictions)))]
    errors = [((p - ground_truth).square() * known).mean() for p in predictions]
    return torch.stack([w * e for w, e in zip(weights, errors, strict=True)]).sum()


def known_error(position: Tensor, ground_truth: Tensor, known: Tensor) -> Tensor:
    """Return the mean absolute error where the sweep tells the position; 0 if nowhere."""
    error = ((position - ground_truth).abs() * known).sum()
    return error / known.sum().clamp(min=1)


def _coarse_error(coarse: Tensor, ground_truth: Tensor, known: Tensor) -> Tensor:
    """Return the mean absolute error of a map at lower resolution than the ground truth."""
    factor = ground_truth.shape[-1] // coarse.shape[-1]
    full = coarse.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return ((full - ground_truth).abs() * known).mean()
