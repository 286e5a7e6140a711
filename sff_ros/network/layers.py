"""Layers without normalisation, of which the network is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution of odd side that keeps the size, but for the stride."""
    return nn.Conv2d(inputs, outputs, side, stride, side // 2)


def zero(conv: nn.Conv2d) -> nn.Conv2d:
    """Initialise a convolution to zero, so that a correction starts as none."""
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


class Residual(nn.Module):
    """Two convolutions with a shortcut; initialised as the shortcut alone.

    This replaces normalisation (De and Smith, SkipInit, NeurIPS 2020).
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = zero(conv(outputs, outputs))
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            self.shortcut = nn.Conv2d(inputs, outputs, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        return relu(self.shortcut(x) + self.second(relu(self.first(x))))


class ConvGru(nn.Module):
    """Convolutional GRU (Teed and Deng, RAFT, ECCV 2020); the context enters as gate biases."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = conv(hidden + inputs, 2 * hidden)
        self.candidate = conv(hidden + inputs, hidden)

    def forward(self, state: Tensor, biases: list[Tensor], *inputs: Tensor) -> Tensor:
        """(B, hidden, h, w), gates' and candidate's, inputs in parts -> (B, hidden, h, w)."""
        gate_bias, candidate_bias = biases
        gates = torch.sigmoid(self.gates(torch.cat([state, *inputs], 1)) + gate_bias)
        update, reset = gates.split(self.hidden, 1)
        candidate = self.candidate(torch.cat([reset * state, *inputs], 1))
        return state + update * (torch.tanh(candidate + candidate_bias) - state)
