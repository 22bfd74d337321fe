"""MobileNetV2's layers, the last stride replaced by dilation 2 where asked.

Sandler et al. 2018, table 2. Keys as torchvision names them: `0` the stem, `1` to `17` the blocks, `18` the last
convolution; in a block `conv.J.{0,1}` are a convolution and its batch norm, the last two entries of `conv` are the
projection and its batch norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from segexport.networks.conv_norm import conv_norm, normed, same_conv

STEM_CHANNELS = 32
LAST_CHANNELS = 1280
DILATION = 2


class RowV2(NamedTuple):
    """One line of the paper's table; the stride is the first block's."""

    expansion: int
    out: int
    blocks: int
    stride: int


TABLE = (
    RowV2(1, 16, 1, 1),
    RowV2(6, 24, 2, 2),
    RowV2(6, 32, 3, 2),
    RowV2(6, 64, 4, 2),
    RowV2(6, 96, 3, 1),
    RowV2(6, 160, 3, 2),
    RowV2(6, 320, 1, 1),
)
ROWS_AT_32 = 2  # the last rows work at a 32nd of the picture, or dilated at a 16th


class InvertedResidualV2(nn.Module):
    """Expand, depthwise, project; plus the input where shapes agree and the table has no stride."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        width = expansion * in_channels
        expand = [] if expansion == 1 else [conv_norm(in_channels, width, 1, nn.ReLU6())]
        step = stride if dilation == 1 else 1
        depthwise = same_conv(width, width, 3, stride=step, dilation=dilation, groups=width)
        self.conv = nn.Sequential(
            *expand,
            normed(depthwise, nn.ReLU6()),
            *conv_norm(width, out_channels, 1, None),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out + x if self.residual else out


def make_features(*, dilated: bool) -> nn.Sequential:
    """`(N, 3, H, W)` → `(N, 1280, ⌈H/32⌉, ⌈W/32⌉)`, a sixteenth where dilated."""
    return nn.Sequential(
        conv_norm(3, STEM_CHANNELS, 3, nn.ReLU6(), stride=2),
        *_blocks(dilated=dilated),
        conv_norm(TABLE[-1].out, LAST_CHANNELS, 1, nn.ReLU6()),
    )


def _blocks(*, dilated: bool) -> Iterator[nn.Module]:
    below = STEM_CHANNELS
    for number, row in enumerate(TABLE):
        dilation = DILATION if dilated and number >= len(TABLE) - ROWS_AT_32 else 1
        for index in range(row.blocks):
            yield InvertedResidualV2(below, row.out, row.expansion, row.stride if index == 0 else 1, dilation)
            below = row.out
