"""The paper's context encoder ("cnet"): initial states and context at three scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the size, or divides it by the stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


class ResidualBlock(nn.Module):
    """Two normalised convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.conv2 = convolution(outputs, outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = convolution(inputs, outputs, kernel=1, stride=stride)
            self.downsample = nn.Sequential(projection, nn.InstanceNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu_(functional.instance_norm(self.conv1(x)))
        y = functional.relu_(functional.instance_norm(self.conv2(y)))
        return functional.relu_(y + self.downsample(x))


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(inputs, outputs, stride), ResidualBlock(outputs, outputs))


def _head(hidden: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(hidden, hidden), convolution(hidden, hidden))


class ContextEncoder(nn.Module):
    """Computes initial states and context from the context image, at 1/4, 1/8 and 1/16."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = convolution(3, 64, kernel=7)
        self.layer1 = _layer(64, 64, 1)
        self.layer2 = _layer(64, 96, 2)
        self.layer3 = _layer(96, hidden, 2)
        self.layer4 = _layer(hidden, hidden, 2)
        self.layer5 = _layer(hidden, hidden, 2)
        # Index 0 of each: the hidden state; 1: the context.
        self.outputs08 = nn.ModuleList(_head(hidden) for _ in range(2))
        self.outputs16 = nn.ModuleList(_head(hidden) for _ in range(2))
        self.outputs32 = nn.ModuleList(convolution(hidden, hidden) for _ in range(2))

    def forward(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return (state in (-1, 1), context >= 0) at each scale, finest first.

        Args:
            image: (B, 3, H, W) in [-1, 1].
        """
        x = functional.relu_(functional.instance_norm(self.conv1(image)))
        quarter = self.layer3(self.layer2(self.layer1(x)))
        eighth = self.layer4(quarter)
        scales = (
            (self.outputs08, quarter),
            (self.outputs16, eighth),
            (self.outputs32, self.layer5(eighth)),
        )
        return [(torch.tanh(head[0](x)), functional.relu_(head[1](x))) for head, x in scales]
