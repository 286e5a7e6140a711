"""The inputs of the paper's network: focus volume and context (Ashfaq & Mahmood, IJCV 2026).

core/focus/measure.py computes the same DDL for every other backend. It mirrors the image at its
border; the published checkpoints were trained with zeros there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

POOLING = 4
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (dy, dx); the other neighbour is opposite
GREY = (0.2989, 0.5870, 0.1140)


def network_input(
    slices: Sequence[Tensor], wanted: int, dilations: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Compute the focus volume and the context of a sweep, once for all iterations.

    Args:
        slices: S of (B, 3, H, W) RGB, grey levels 0 .. 255 of any type; H and W are multiples
            of POOLING.
        wanted: slices that the volume is to have; see `choose_slices`.
        dilations: r of each focus measure, px.

    Returns:
        (B, wanted * len(dilations), H / 4, W / 4) volume, slice by slice, and the (B, 3, H, W)
        mean of all slices, in [-1, 1].
    """
    # Exact for 8 bits: the sum is scaled once.
    total = torch.zeros(slices[0].shape, device=slices[0].device)
    for slice_ in slices:
        total += slice_
    chosen = choose_slices(len(slices), wanted)
    measured = {i: measure_ddl(_grey(slices[i]), dilations) for i in sorted(set(chosen))}
    return torch.cat([measured[i] for i in chosen], 1), _scaled(total / len(slices))


def choose_slices(count: int, wanted: int) -> list[int]:
    """Return the slices that represent a sweep of `count`: the nearest to `wanted` even positions.

    Halves are rounded to the even number (torch.round, as published). Slices of a short sweep
    are repeated.
    """
    positions = torch.arange(wanted, dtype=torch.float64) * (count - 1) / (wanted - 1)
    return [int(position) for position in torch.round(positions)]


def measure_ddl(grey: Tensor, dilations: Sequence[int]) -> Tensor:
    """Measure how sharp one slice is, zero padded, averaged over 4x4 px.

    The response to dilation r is the sum over four directions e of
    |g(x - re) + g(x + re) - 2 g(x)|, with diagonal offset (r, r): sums of shifted images, in
    an eighth of the time of convolutions.

    Args:
        grey: (B, H, W) in [-1, 1].
        dilations: r of each response, px.

    Returns:
        (B, len(dilations), H / 4, W / 4) >= 0.
    """
    margin = max(dilations)
    twice, padded = 2 * grey, functional.pad(grey, (margin,) * 4)
    responses = [_laplacians(padded, twice, r, margin) for r in dilations]
    return functional.avg_pool2d(torch.stack(responses, 1), POOLING)


def _laplacians(padded: Tensor, twice: Tensor, r: int, margin: int) -> Tensor:
    """Return the response to one dilation, (B, H, W)."""
    height, width = twice.shape[-2:]

    def shifted(dy: int, dx: int) -> Tensor:
        y, x = margin + dy * r, margin + dx * r
        return padded[:, y : y + height, x : x + width]

    total = torch.zeros_like(twice)
    for dy, dx in DIRECTIONS:
        total += (shifted(dy, dx) + shifted(-dy, -dx)).sub_(twice).abs_()
    return total


def _grey(slice_: Tensor) -> Tensor:
    """Return (B, H, W) in [-1, 1]."""
    red, green, blue = (_scaled(channel.float()) for channel in slice_.unbind(1))
    return (GREY[0] * red + GREY[1] * green + GREY[2] * blue).contiguous()


def _scaled(levels: Tensor) -> Tensor:
    return levels / 127.5 - 1
