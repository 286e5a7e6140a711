"""The network of this package: it corrects the classical map in a few steps of a multi-scale GRU.

It follows the paper (DDL focus volume, a GRU on three scales, convex upsampling; Ashfaq and
Mahmood, IJCV 2026), with changes for robots: the volume is normalised, so that exposure and
contrast do not matter; the classical estimate is the start, so that two steps suffice; each
step looks up the focus curves around its own estimate (as stereo networks look up their cost
volume: Lipson et al., RAFT-Stereo, 3DV 2021); a last step at half the resolution resolves thin
objects; outlines follow colour; and every pixel gets the scale of a Laplace distribution, which
gives a confidence. There are no normalisation layers, whose sums lose precision in fp16, and no
data-dependent shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    avg_pool2d,
    conv2d,
    interpolate,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    relu,
)

from sff_ros.core.focus.canonical import EVIDENCE_CHANNELS, POSITIONS
from sff_ros.network.layers import ConvGru, Residual, conv, zero

SIZE_MULTIPLE = 16  # of the images, px: 1/16 is the coarsest scale
CENTRE = (POSITIONS - 1) / 2
FAINT = 1e-3  # added to the mean of every curve; far below the response to any texture
REACH, FINE_REACH = 3, 2  # positions to either side of the estimate, looked up
TRUST = 3.0  # initial logit of the classical map
LARGEST_LOGIT = 15.0
# Logits of a neighbour fall by this times its difference in colour, in means of the image: most
# outlines of depth show in colour.
COLOUR = 32.0
LOG_SCALE = (-5.0, 3.0)  # of the Laplace distribution, positions


@dataclass(frozen=True, slots=True)
class FastGruConfig:
    """Size of the network.

    Attributes:
        hidden: channels of the GRU states at 1/4, 1/8 and 1/16 of the resolution.
        features: channels of the encoder.
        fine: channels of the last step, at 1/2 of the resolution.
        iterations: steps of the GRU.
        maps: focus measures of a slice, C.
    """

    hidden: tuple[int, int, int] = (48, 48, 48)
    features: int = 48
    fine: int = 48
    iterations: int = 2
    maps: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Outputs of all stages, as training needs them.

    Attributes:
        steps: (B, 1, H/4, W/4) canonical position after each iteration.
        half: (B, 1, H/2, W/2) after the last step.
        position: (B, 1, H, W).
        log_scale: (B, 1, H, W) logarithm of the Laplace scale of `position`, positions.
    """

    steps: tuple[Tensor, ...]
    half: Tensor
    position: Tensor
    log_scale: Tensor


class FastGru(nn.Module):
    """Canonical sweep in, canonical positions and their Laplace scale out.

    The names of its modules are those of the published weights.
    """

    def __init__(self, config: FastGruConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FastGruConfig()
        a, b, c = config.hidden
        wide, fine, maps = config.features, config.fine, config.maps + EVIDENCE_CHANNELS
        # From 1/2 of the resolution to 1/4.
        self.curves = nn.Conv2d(POSITIONS * config.maps, wide, 2, 2)
        self.maps = nn.Conv2d(maps, wide, 2, 2)
        self.volume = conv(wide, wide)
        self.picture = nn.Sequential(nn.Conv2d(3, 48, 8, 4, 2), nn.ReLU(), conv(48, 32))
        self.at_4 = Residual(wide + 32, wide)
        self.at_8 = Residual(wide, wide, 2)
        self.at_16 = Residual(wide, wide, 2)
        self.heads = nn.ModuleList(nn.Conv2d(wide, 4 * size, 1) for size in config.hidden)
        seen = 2 * REACH + 1
        self.look = nn.Sequential(conv(2 * seen + 1, 32), nn.ReLU(), conv(32, 31), nn.ReLU())
        self.coarser = nn.Conv2d(b, 32, 1)
        self.gru_4 = ConvGru(a, 31 + 1 + 32)
        self.gru_8 = ConvGru(b, a + c)
        self.gru_16 = ConvGru(c, b)
        self.step = nn.Sequential(conv(a, 32), nn.ReLU(), zero(conv(32, 1)))
        self.spread = nn.Conv2d(a, 4 * 28, 1)
        self.detail = nn.Sequential(nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU())
        inputs = 28 + 16 + maps + 2 + 2 * FINE_REACH + 1 + 2
        self.fine = nn.Sequential(conv(inputs, fine), nn.ReLU(), Residual(fine, fine))
        # 9 neighbours of the coarse map and the two classical maps; a correction.
        self.choose = zero(conv(fine, 9 + 2 + 1, 1))
        # 9 neighbours for each of 2 x 2 pixels; the scale of each.
        self.draw = conv(fine, 4 * 9 + 4, 1)

    def forward(self, responses: Tensor, evidence: Tensor, context: Tensor) -> Predictions:
        """Estimate positions, with the results of all steps.

        Args:
            responses, evidence, context: CanonicalSweep's, batched: (B, 15, C, H/2, W/2),
                (B, 7, H/2, W/2), (B, 3, H, W); H and W multiples of SIZE_MULTIPLE.
        """
        curves, energy = _normalise(responses)
        maps = torch.cat([energy, _centred(evidence)], 1)
        v = relu(self.curves(curves.flatten(1, 2)) + self.maps(maps))
        p = relu(self.picture(context - 1))
        states, biases = self._encode(torch.cat([relu(self.volume(v)), p], 1))
        d = avg_pool2d(evidence[:, :1], 2)
        # Short dilations respond to the finest detail, all of them to the faintest texture.
        short = curves[:, :, :2].mean(2)
        low = [avg_pool2d(c, 2) for c in (short, curves.mean(2))]
        steps = []
        for _ in range(self.config.iterations):
            d = d.detach()
            states = self._iterate(states, biases, low, d)
            d = d + self.step(states[0]).float()
            steps.append(d)
        seen = [self.detail(context - 1), maps]
        half, features = self._refine(d.detach(), states[0], short, evidence[:, :2], seen)
        position, log_scale = self._draw(half, features, context)
        return Predictions(tuple(steps), half, position, log_scale)

    def _encode(self, x: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Return the first states and the two biases of each GRU, at 1/4, 1/8, 1/16."""
        x4 = self.at_4(x)
        x8 = self.at_8(x4)
        scales = (x4, x8, self.at_16(x8))
        states, biases = [], []
        for head, scale, size in zip(self.heads, scales, self.config.hidden, strict=True):
            # Three convolutions, as the result of one would have to be split.
            parts = (part.split((size, 2 * size, size)) for part in (head.weight, head.bias))
            state, *both = (conv2d(scale, w, b) for w, b in zip(*parts, strict=True))
            states.append(torch.tanh(state))
            biases.append(both)
        return states, biases

    def _iterate(
        self, states: list[Tensor], biases: list[list[Tensor]], low: list[Tensor], d: Tensor
    ) -> list[Tensor]:
        """Update the states, coarse to fine, by the curves around the estimate."""
        s4, s8, s16 = states
        s16 = self.gru_16(s16, biases[2], avg_pool2d(s8, 2))
        up = interpolate(s16, scale_factor=2.0, mode='bilinear', align_corners=False)
        s8 = self.gru_8(s8, biases[1], avg_pool2d(s4, 2), up)
        seen = torch.cat([_look_up(curves, d, REACH) for curves in low], 1)
        centred = (d - CENTRE) / CENTRE
        features = self.look(torch.cat([seen, centred], 1))
        up = self.coarser(s8)
        up = interpolate(up, scale_factor=2.0, mode='bilinear', align_corners=False)
        s4 = self.gru_4(s4, biases[0], features, centred, up)
        return [s4, s8, s16]

    def _refine(
        self, d: Tensor, state: Tensor, curves: Tensor, classical: Tensor, seen: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return (B, 1, h, w) position at half the resolution, and its features."""
        near = interpolate(_neighbours(d), scale_factor=2.0, mode='nearest')  # (B, 9, h, w)
        centre = near[:, 4:5]
        x = torch.cat(
            [
                pixel_shuffle(self.spread(state), 2),
                *seen,
                (centre - CENTRE) / CENTRE,
                (centre - classical[:, :1]) / CENTRE,
                _look_up(curves, centre, FINE_REACH),
                _look_up(curves, classical[:, :1]),
                _look_up(curves, classical[:, 1:]),
            ],
            1,
        )
        features = self.fine(x)
        logits, correction = self.choose(features).float().split((11, 1), 1)
        trust = torch.zeros(1, 11, 1, 1, device=d.device)
        trust[:, 9] = TRUST
        half = _mixed(torch.cat([near, classical], 1), logits + trust) + correction
        return half, features

    def _draw(self, half: Tensor, features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, 1, H, W) position, a convex mix of the 3 x 3 around, and log scale."""
        mask, log_scale = self.draw(features).float().split((36, 4), 1)
        # (B, 4, 9, h, w): of each of 2 x 2 pixels.
        logits = mask.unflatten(1, (4, 9)) - COLOUR * _colour_steps(context)
        fine = _mixed(_neighbours(half)[:, None], logits)
        position = pixel_shuffle(fine[:, :, 0], 2)
        return position, pixel_shuffle(log_scale.clamp(*LOG_SCALE), 2)


def _normalise(responses: Tensor) -> tuple[Tensor, Tensor]:
    """Return curves of mean about 0, independent of contrast, and the logarithm of the contrast.

    Args:
        responses: (B, 15, C, h, w).

    Returns:
        (B, 15, C, h, w) and (B, C, h, w).
    """
    energy = responses.mean(1)
    curves = responses * (1 / (energy + FAINT))[:, None] - 1  # products: fewer slow divisions
    return curves, torch.log(energy + FAINT) / 2 + 1


def _centred(evidence: Tensor) -> Tensor:
    """Return the evidence with positions around 0, like its other maps."""
    return torch.cat([(evidence[:, :2] - CENTRE) / CENTRE, evidence[:, 2:]], 1)


def _look_up(curves: Tensor, d: Tensor, reach: int = 0) -> Tensor:
    """Interpolate curves linearly at an estimate and at integer offsets from it.

    Args:
        curves: (B, 15, h, w).
        d: (B, 1, h, w) canonical positions; beyond the sweep the curves fall to 0.
        reach: largest offset, positions.

    Returns:
        (B, 2 reach + 1, h, w).
    """
    below = torch.floor(d)
    beside = torch.arange(-reach, reach + 2, device=d.device, dtype=d.dtype).view(1, -1, 1, 1)
    index = (below + beside).clamp(-1, POSITIONS).long() + 1
    values = pad(curves, (0, 0, 0, 0, 1, 1)).gather(1, index)
    lower, upper = values[:, :-1], values[:, 1:]
    return lower + (d - below) * (upper - lower)


def _mixed(values: Tensor, logits: Tensor) -> Tensor:
    """Return (..., 1, h, w): the mean of (..., K, h, w) values by a softmax of logits."""
    # Written out, with clamped logits instead of a shift by the maximum: a softmax over channels
    # is slow in most runtimes.
    weights = logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT).exp()
    return (weights * values).sum(-3, keepdim=True) / weights.sum(-3, keepdim=True)


def _colour_steps(context: Tensor) -> Tensor:
    """Return (B, 4, 9, h, w): how far each of 2 x 2 pixels is in colour from the 3 x 3 around.

    Args:
        context: (B, 3, H, W); the 3 x 3 are its means over 2 x 2 pixels.
    """
    around = avg_pool2d(context, 2)
    steps = [
        (
            pixel_unshuffle(context[:, c : c + 1], 2)[:, :, None]
            - _neighbours(around[:, c : c + 1])[:, None]
        ).abs()
        for c in range(3)
    ]
    return (steps[0] + steps[1] + steps[2]) / 3


def _neighbours(d: Tensor) -> Tensor:
    """Return (B, 9, h, w): each pixel's 3 x 3 surroundings, edges repeated."""
    h, w = d.shape[-2:]
    wide = pad(d, (1, 1, 1, 1), mode='replicate')
    return torch.cat([wide[..., y : y + h, x : x + w] for y in range(3) for x in range(3)], 1)
