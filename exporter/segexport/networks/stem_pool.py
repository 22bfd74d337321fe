"""ResNet's stem pool (3x3, stride 2, padding 1) without the padding of minus infinity, which poisons int8 ranges.

Needs: the tensor before it is a ReLU's, so nothing in it is below zero. Does: pads with zeros, then pools without
padding. Holds after: the same numbers, bit for bit, since a zero never beats the maximum of values that are zero or
more.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class StemPool(nn.Module):
    """`(N, C, H, W)`, nothing below zero → `(N, C, ceil(H / 2), ceil(W / 2))`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, (1, 1, 1, 1)), kernel_size=3, stride=2)
