"""The paper's network: DDL focus volumes and a multi-scale GRU (Ashfaq & Mahmood, IJCV 2026).

It loads the authors' published checkpoints: the names of modules, and all numbers, are theirs.
Work that every iteration would repeat is done once, outside. Predictions have the units of the
data set that it was trained on (disparity in pixels, or metres of its scenes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sff_ros.core.image import FloatMap
from sff_ros.errors import ModelError
from sff_ros.network.paper.context_encoder import ContextEncoder, convolution
from sff_ros.network.paper.input import POOLING, network_input

SCALE = POOLING  # the estimate has a quarter of the images' resolution
MIN_SIDE_PX = 16  # of one side: a single pixel at 1/16 of the size cannot be normalised

Gates = tuple[Tensor, Tensor]  # what the context adds: (B, 256, h, w) to z and r, (B, 128, h, w)


@dataclass(frozen=True, slots=True)
class DdlGruConfig:
    """Sizes of the network; the defaults are those of the published checkpoints.

    Attributes:
        slices: slices of the focus volume, for sweeps of any length.
        dilations: r of each focus measure, px.
        hidden: channels of each GRU's state and of its context.
        iterations: refinements; the checkpoints were trained with 32.
    """

    slices: int = 15
    dilations: tuple[int, ...] = (1, 2, 3, 4)
    hidden: int = 128
    iterations: int = 32

    @property
    def volume_channels(self) -> int:
        """Channels of the merged focus volume."""
        return self.slices * len(self.dilations)


# ---- parts


class ConvGru(nn.Module):
    """Gated recurrent unit of 3x3 convolutions."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        self.convz = convolution(hidden + inputs, hidden)
        self.convr = convolution(hidden + inputs, hidden)
        self.convq = convolution(hidden + inputs, hidden)

    def forward(self, h: Tensor, context: Gates, *inputs: Tensor) -> Tensor:
        """Return the new state, (B, hidden, h, w)."""
        # One convolution for both gates: they see the same input, which is read once.
        weight = torch.cat([self.convz.weight, self.convr.weight])
        biases = [gate.bias for gate in (self.convz, self.convr) if gate.bias is not None]
        gates = functional.conv2d(_joined(h, *inputs), weight, torch.cat(biases), padding=1)
        z, r = gates.add_(context[0]).sigmoid_().chunk(2, 1)
        q = self.convq(_joined(r * h, *inputs)).add_(context[1]).tanh_()
        return torch.lerp(h, q, z)  # (1 - z) h + z q


class FeatureEncoder(nn.Module):
    """Encodes the focus volume and the current estimate."""

    def __init__(self, volume_channels: int, hidden: int) -> None:
        super().__init__()
        self.convc1 = convolution(volume_channels, 64, kernel=1)
        self.convc2 = convolution(64, 64)
        self.convf1 = convolution(1, 64, kernel=7)
        self.convf2 = convolution(64, 64)
        self.conv = convolution(128, hidden - 1)

    def of_volume(self, volume: Tensor) -> Tensor:
        """Return the part of the last convolution that is the same in every iteration."""
        features = functional.relu_(self.convc2(functional.relu_(self.convc1(volume))))
        return functional.conv2d(features, self.conv.weight[:, :64], self.conv.bias, padding=1)

    def forward(self, of_volume: Tensor, estimate: Tensor) -> Tensor:
        """Return (B, hidden, h, w) features, of which the last is the estimate itself."""
        features = functional.relu_(self.convf2(functional.relu_(self.convf1(estimate))))
        joined = functional.conv2d(features, self.conv.weight[:, 64:], padding=1).add_(of_volume)
        return _joined(functional.relu_(joined), estimate)


class DepthHead(nn.Module):
    """Computes a correction of the estimate from the finest state."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = convolution(hidden, 256)
        self.conv2 = convolution(256, 1)

    def forward(self, h: Tensor) -> Tensor:
        correction: Tensor = self.conv2(functional.relu_(self.conv1(h)))
        return correction


class UpdateBlock(nn.Module):
    """One iteration: the three states, coarsest first, then the estimate."""

    def __init__(self, config: DdlGruConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.encoder = FeatureEncoder(config.volume_channels, hidden)
        self.gru08 = ConvGru(hidden, 2 * hidden)
        self.gru16 = ConvGru(hidden, 2 * hidden)
        self.gru32 = ConvGru(hidden, hidden)
        self.depth_head = DepthHead(hidden)
        self.mask = nn.Sequential(
            convolution(hidden, 256),
            nn.ReLU(inplace=True),
            convolution(256, 9 * SCALE**2, kernel=1),
        )

    def forward(
        self, states: list[Tensor], gates: list[Gates], of_volume: Tensor, estimate: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Return the new states, finest first, and the new estimate, (B, 1, h, w)."""
        fine, middle, coarse = states
        coarse = self.gru32(coarse, gates[2], _halved(middle))
        middle = self.gru16(middle, gates[1], _halved(fine), _enlarged(coarse, middle))
        features = self.encoder(of_volume, estimate)
        fine = self.gru08(fine, gates[0], features, _enlarged(middle, fine))
        return [fine, middle, coarse], estimate + self.depth_head(fine)

    def upsampled(self, fine: Tensor, estimate: Tensor) -> Tensor:
        """Return the estimate at the images' resolution, (B, H, W).

        Each fine value is a convex combination of 3x3 coarse ones (zero padded), times four, as
        in optical flow: the checkpoints were trained so.
        """
        batch, _, height, width = estimate.shape
        mask = 0.25 * self.mask(fine)
        weights = mask.view(batch, 9, SCALE**2, height, width).softmax(1)
        padded = functional.pad(SCALE * estimate, (1, 1, 1, 1))
        total = torch.zeros_like(weights[:, 0])
        for i in range(9):
            y, x = divmod(i, 3)
            total = total + weights[:, i] * padded[:, :, y : y + height, x : x + width]
        return functional.pixel_shuffle(total, SCALE)[:, 0]  # (B, 16, h, w) -> (B, 1, 4h, 4w)


def _joined(*parts: Tensor) -> Tensor:
    """Join channels; the result has the channels of a pixel together in memory."""
    return torch.cat([part.permute(0, 2, 3, 1) for part in parts], 3).permute(0, 3, 1, 2)


def _halved(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=2, padding=1)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[2:], mode='bilinear', align_corners=True)


# ---- the network


class DdlGru(nn.Module):
    """The paper's network; its state dict is that of the published checkpoints."""

    def __init__(self, config: DdlGruConfig | None = None) -> None:
        super().__init__()
        self.config = config or DdlGruConfig()
        hidden = self.config.hidden
        self.cnet = ContextEncoder(hidden)
        self.update_block = UpdateBlock(self.config)
        self.context_zqr_convs = nn.ModuleList(convolution(hidden, 3 * hidden) for _ in range(3))
        # Pixels with their channels together: a fifth faster in the GRU's wide convolutions.
        for part in (self.update_block, self.context_zqr_convs):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, volume: Tensor, context: Tensor, iterations: int) -> Tensor:
        """Predict, with the last estimate alone upsampled.

        Args:
            volume: (B, slices * dilations, H / 4, W / 4), see `network_input`.
            context: (B, 3, H, W) mean of the slices, RGB in [-1, 1]; H and W multiples of 4.
            iterations: refinements, >= 1.

        Returns:
            (B, H, W) in the data set's units.

        Raises:
            ModelError: the input does not fit the network.
        """
        for step in self.refinements(volume, context, iterations):
            last = step  # only the last one is needed
        return self.update_block.upsampled(*last)

    def predictions(self, volume: Tensor, context: Tensor, iterations: int) -> list[Tensor]:
        """Predict after every iteration, as the training loss needs it; see `forward`."""
        steps = self.refinements(volume, context, iterations)
        return [self.update_block.upsampled(fine, estimate) for fine, estimate in steps]

    def refinements(
        self, volume: Tensor, context: Tensor, iterations: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the finest state and the estimate, (B, 1, H / 4, W / 4), of each iteration."""
        self._check(volume, context, iterations)
        states, gates = self.start(context)
        of_volume = self.update_block.encoder.of_volume(volume)
        estimate = torch.zeros_like(volume[:, :1])
        for _ in range(iterations):
            states, estimate = self.update_block(states, gates, of_volume, estimate)
            yield states[0], estimate

    def start(self, context: Tensor) -> tuple[list[Tensor], list[Gates]]:
        """Return the initial states and what the context adds to the gates, finest first."""
        states, gates = [], []
        for layer, scale in zip(self.context_zqr_convs, self.cnet(context), strict=True):
            state, features = (x.contiguous(memory_format=torch.channels_last) for x in scale)
            states.append(state)
            zr, q = layer(features).split([2 * self.config.hidden, self.config.hidden], 1)
            gates.append((zr, q))
        return states, gates

    def _check(self, volume: Tensor, context: Tensor, iterations: int) -> None:
        """Refuse inputs that do not fit the network."""
        height, width = context.shape[2:]
        if iterations < 1:
            raise ModelError(f'iterations must be 1 or more, not {iterations}')
        if height % SCALE or width % SCALE:
            raise ModelError(f'sides must be multiples of {SCALE} px, not {width}x{height}')
        if max(height, width) <= MIN_SIDE_PX:
            raise ModelError(
                f'{width}x{height} is too small: one side must exceed {MIN_SIDE_PX} px'
            )
        expected = (self.config.volume_channels, height // SCALE, width // SCALE)
        if volume.shape[1:] != expected:
            raise ModelError(f'the volume is {tuple(volume.shape[1:])}, expected {expected}')


def predict(network: DdlGru, images: Sequence[npt.NDArray[np.uint8]], iterations: int) -> FloatMap:
    """Predict from the images of one sweep.

    Sides that are no multiples of 4 px are padded with the last pixel, and the result is cropped.

    Args:
        network: with its weights.
        images: S of (H, W) grey or (H, W, 3) RGB, of one shape.
        iterations: refinements, >= 1.

    Returns:
        (H, W) float32 in the units of the data set that the network was trained on.

    Raises:
        ModelError: the images are too small or too large for the memory, or the network
            predicts values that are not finite.
    """
    config = network.config
    height, width = images[0].shape[:2]
    try:
        with torch.inference_mode():
            slices = [_to_tensor(image) for image in images]
            volume, context = network_input(slices, config.slices, config.dilations)
            prediction = network(volume, context, iterations)[0, :height, :width]
    except RuntimeError as err:
        reason = str(err).splitlines()[0]
        raise ModelError(f'the network cannot run at {width}x{height} px: {reason}') from err
    if not prediction.isfinite().all():
        raise ModelError('the network predicts values that are not finite: are these its weights?')
    values: FloatMap = prediction.contiguous().numpy()
    return values


def _to_tensor(image: npt.NDArray[np.uint8]) -> Tensor:
    """Return (1, 3, H', W') uint8 with sides that are multiples of SCALE."""
    rows, columns = (-side % SCALE for side in image.shape[:2])
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    if rows or columns:
        colour = np.pad(colour, ((0, rows), (0, columns), (0, 0)), mode='edge')
    return torch.from_numpy(colour).permute(2, 0, 1)[None]
