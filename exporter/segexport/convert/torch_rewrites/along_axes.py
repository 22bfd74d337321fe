"""A weighted sum of rows and one of columns for every place: what pools and resizings do that no converter knows.

Needs: the weights, which do not depend on the picture, and the same for every row, every column and every channel.
Does: turns one axis to the channels, where a 1x1 convolution sums over it, then the other.
Holds after: the same numbers to rounding; two convolutions, whose int8 weights have a scale for each output line, whatever the
    sizes are.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class AlongAxes(nn.Module):
    """`(N, C, H, W)` → `(N, C, h, w)`; `rows`: `(h, H)`, `columns`: `(w, W)`, float32."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows[:, :, None, None].contiguous())
        self.register_buffer("columns", columns[:, :, None, None].contiguous())

    def forward(self, x: Tensor) -> Tensor:
        narrow = F.conv2d(x.permute(0, 3, 1, 2), self.columns)  # (N, w, C, H)
        small = F.conv2d(narrow.permute(0, 3, 2, 1), self.rows)  # (N, h, C, w)
        return small.permute(0, 2, 1, 3)
