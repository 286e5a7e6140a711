"""The focus measure of core/focus/measure.py as a graph, for backends on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from sff_ros.core.focus.measure import DILATIONS, DIRECTIONS, POOLING

# OpenCV's weights of red, green and blue in 2^-15: sums of 8-bit images are exact in fp32.
GREY = (9798 / 32768, 19235 / 32768, 3735 / 32768)


class Ddl(nn.Module):
    """Directional dilated Laplacian: one slice in, its pooled responses out; no weights."""

    def forward(self, image: Tensor) -> Tensor:
        """Measure one slice.

        Args:
            image: (1, 3, H, W) RGB grey levels, as float; a grey image three times. H and W are
                even and larger than the widest dilation.

        Returns:
            (1, 4, H / 2, W / 2), as on the host: exactly for 8 bits, up to a grey level in 65,535
            for 16.
        """
        red, green, blue = image.chunk(3, 1)
        # Rounded, as by OpenCV.
        grey = torch.floor(red * GREY[0] + green * GREY[1] + blue * GREY[2] + 0.5)
        margin = max(DILATIONS)
        wide = pad(grey, (margin,) * 4, mode='reflect')
        maps = [_laplacians(wide, grey, r, margin) for r in DILATIONS]
        # Rows first: a sum over all pixels at once would lose digits.
        mean = grey.mean(3, keepdim=True).mean(2, keepdim=True)
        return avg_pool2d(torch.cat(maps, 1), POOLING) / torch.where(mean > 0, mean, 1.0)


def _laplacians(wide: Tensor, grey: Tensor, r: int, margin: int) -> Tensor:
    """Return (1, 1, H, W): the sum over the directions of |g(x - re) + g(x + re) - 2 g(x)|."""

    def shifted(dy: int, dx: int) -> Tensor:
        y, x = margin + dy * r, margin + dx * r
        # Ends count from the far side, so that no size enters the graph.
        return wide[..., y : y - 2 * margin or None, x : x - 2 * margin or None]

    responses = [(shifted(dy, dx) + shifted(-dy, -dx) - 2 * grey).abs() for dy, dx in DIRECTIONS]
    return responses[0] + responses[1] + responses[2] + responses[3]
