"""Bilinear upsampling with the corner pixels on each other (`align_corners=True`), as two 1x1 convolutions.

Needs: a fixed input size. Does: rows, then columns, become channels, and a 1x1 convolution makes each wanted one out of
the two nearest. Holds after: what `nn.Upsample(mode="bilinear", align_corners=True)` gives, to rounding. That one cannot
stay: onnx2tf 1.29 reads an ONNX Resize from opset 18 on as `align_corners=False`, without a word. Products with
matrices or with shares of gathered rows cannot stand in for it: onnx2tf mixes up axes that are equally long.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.anchor import anchor


class CornerUpsample(nn.Module):
    """`(N, C, H, W)` → `(N, C, factor * H, factor * W)`."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        by_rows = F.conv2d(x.permute(0, 2, 3, 1), shares(height, self.factor))  # (N, factor * H, W, C)
        by_columns = F.conv2d(by_rows.permute(0, 2, 1, 3), shares(width, self.factor))  # (N, factor * W, factor * H, C)
        return anchor(by_columns.permute(0, 3, 2, 1))


def shares(length: int, factor: int) -> Tensor:
    """`(m, n, 1, 1)` float32, 0..1: place `i` of the `m` wanted lies at `i * (n - 1) / (m - 1)` of the `n` there are."""
    wanted = factor * length
    places = [index * (length - 1) / (wanted - 1) for index in range(wanted)]
    rows = [[max(0.0, 1 - abs(place - index)) for index in range(length)] for place in places]
    return torch.tensor(rows)[:, :, None, None]
