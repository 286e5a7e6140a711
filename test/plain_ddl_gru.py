"""The paper's network once more, word by word and slow, with stand-in weights.

It judges other sizes, slice counts and iterations, where the recorded case has no answer; the
case judges it. Whoever imports this is skipped where PyTorch is not installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install torch')
functional = torch.nn.functional

# `stack` (5, 64, 96, 3) uint8, and `predictions` (4, 64, 96) that the authors' own network gives
# for it with the stand-in weights, after each of 4 iterations.
CASE = Path(__file__).parent / 'network' / 'ddl_gru_case.npz'

Weights = dict[str, Any]
Stack = npt.NDArray[np.uint8]


def standin_weights(like: Mapping[str, Any]) -> Weights:
    """Return weights by rule, each drawn by its own name: a wrong name gives other numbers.

    Kernels are N(0, 1 / fan-in), biases N(0, 0.02^2).
    """
    weights = {}
    for name, tensor in like.items():
        shape = tuple(tensor.shape)
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        std = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.02
        values = rng.standard_normal(shape) * std
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


def random_stack(slices: int, height: int, width: int, seed: int = 0) -> Stack:
    """Return (S, H, W, 3) coarse noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (slices, -(-height // 3), -(-width // 3), 3))
    return small.repeat(3, 1).repeat(3, 2)[:, :height, :width].astype(np.uint8)


class PlainDdlGru:
    """The network as section 1 to 5 of the method read; nothing fused, nothing saved."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def predictions(self, stack: Stack, iterations: int) -> npt.NDArray[np.float32]:
        """Return (iterations, H, W); H and W are multiples of 4."""
        slices = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1
        places = np.linspace(0, len(stack) - 1, 15, dtype=np.float32)
        with torch.inference_mode():
            volume = dense_volume(slices[[int(i) for i in np.rint(places)]])
            states, gates = self.start(slices.mean(0, keepdim=True))
            return np.stack(list(self._iterate(volume, states, gates, iterations)))

    def conv(self, name: str, x: Any, stride: int = 1) -> Any:
        kernel = self.weights[f'{name}.weight']
        bias = self.weights[f'{name}.bias']
        return functional.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2)

    def block(self, name: str, x: Any, stride: int = 1) -> Any:
        norm = functional.instance_norm
        y = torch.relu(norm(self.conv(f'{name}.conv1', x, stride)))
        y = torch.relu(norm(self.conv(f'{name}.conv2', y)))
        if f'{name}.downsample.0.weight' in self.weights:
            x = norm(self.conv(f'{name}.downsample.0', x, stride))
        return torch.relu(x + y)

    def start(self, context: Any) -> tuple[list[Any], list[Any]]:
        """Return the three states and (z, r, q) biases, finest first."""
        x = torch.relu(functional.instance_norm(self.conv('cnet.conv1', context)))
        maps = []
        for layer in range(1, 6):
            x = self.block(f'cnet.layer{layer}.0', x, 1 if layer == 1 else 2)
            x = self.block(f'cnet.layer{layer}.1', x)
            maps.append(x)
        states, gates = [], []
        for i, name in enumerate(('08', '16', '32')):
            heads = []
            for head in (f'cnet.outputs{name}.0', f'cnet.outputs{name}.1'):
                if name == '32':
                    heads.append(self.conv(head, maps[4]))
                else:
                    heads.append(self.conv(f'{head}.1', self.block(f'{head}.0', maps[2 + i])))
            states.append(torch.tanh(heads[0]))
            zrq = self.conv(f'context_zqr_convs.{i}', torch.relu(heads[1]))
            gates.append(zrq.split(128, 1))
        return states, gates

    def gru(self, name: str, h: Any, gates: Any, *inputs: Any) -> Any:
        x = torch.cat(inputs, 1)
        hx = torch.cat([h, x], 1)
        z = torch.sigmoid(self.conv(f'{name}.convz', hx) + gates[0])
        r = torch.sigmoid(self.conv(f'{name}.convr', hx) + gates[1])
        q = torch.tanh(self.conv(f'{name}.convq', torch.cat([r * h, x], 1)) + gates[2])
        return (1 - z) * h + z * q

    def _iterate(self, volume: Any, states: list[Any], gates: list[Any], iterations: int) -> Any:
        fine, middle, coarse = states
        d = torch.zeros(1, 1, *volume.shape[2:])
        for _ in range(iterations):
            coarse = self.gru('update_block.gru32', coarse, gates[2], halved(middle))
            middle = self.gru(
                'update_block.gru16', middle, gates[1], halved(fine), enlarged(coarse, middle)
            )
            features = self.features(volume, d)
            fine = self.gru('update_block.gru08', fine, gates[0], features, enlarged(middle, fine))
            head = torch.relu(self.conv('update_block.depth_head.conv1', fine))
            d = d + self.conv('update_block.depth_head.conv2', head)
            mask = torch.relu(self.conv('update_block.mask.0', fine))
            yield upsampled(0.25 * self.conv('update_block.mask.2', mask), d)

    def features(self, volume: Any, d: Any) -> Any:
        parts = []
        for name, x in (('c', volume), ('f', d)):
            for i in (1, 2):
                x = torch.relu(self.conv(f'update_block.encoder.conv{name}{i}', x))
            parts.append(x)
        joined = torch.relu(self.conv('update_block.encoder.conv', torch.cat(parts, 1)))
        return torch.cat([joined, d], 1)


def dense_volume(slices: Any) -> Any:
    """Return (1, 4 S, H / 4, W / 4) by 16 dense convolutions of (S, 3, H, W) in [-1, 1]."""
    grey = (slices * torch.tensor([0.2989, 0.5870, 0.1140])[:, None, None]).sum(1, keepdim=True)
    volumes = []
    for r in (1, 2, 3, 4):
        kernels = torch.zeros(4, 1, 2 * r + 1, 2 * r + 1)
        kernels[:, 0, r, r] = -2
        for i, (dy, dx) in enumerate(((0, r), (r, 0), (r, r), (r, -r))):
            kernels[i, 0, r + dy, r + dx] += 1
            kernels[i, 0, r - dy, r - dx] += 1
        volumes.append(functional.conv2d(grey, kernels, padding=r).abs().sum(1))
    merged = torch.stack(volumes, 1).flatten(0, 1)  # (S, 4, H, W) -> (4 S, H, W)
    return functional.avg_pool2d(merged[None], 4)


def halved(x: Any) -> Any:
    return functional.avg_pool2d(x, 3, 2, 1)


def enlarged(x: Any, like: Any) -> Any:
    return functional.interpolate(x, like.shape[2:], mode='bilinear', align_corners=True)


def upsampled(mask: Any, d: Any) -> npt.NDArray[np.float32]:
    """Return (H, W): the convex combination of the 3x3 neighbours of 4 d."""
    height, width = d.shape[2:]
    weights = torch.softmax(mask.view(9, 4, 4, height, width), 0)
    neighbours = functional.unfold(4 * d, 3, padding=1).view(9, 1, 1, height, width)
    fine = (weights * neighbours).sum(0)  # (4, 4, h, w)
    return np.asarray(fine.permute(2, 0, 3, 1).reshape(4 * height, 4 * width))
