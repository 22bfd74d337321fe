"""MobileNetV3-Large as a backbone, its last stride replaced by dilation 2 (output stride 16).

Howard et al. 2019, table 1. Keys as torchvision names them inside DeepLabV3: `0` the stem, `1` to `15` the blocks,
`16` the last convolution; in a block `block.J.{0,1}` are a convolution and its batch norm, `block.J.{fc1,fc2}`
squeeze and excite.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.conv_norm import normed, same_conv

BATCH_NORM_EPS = 0.001  # not PyTorch's 1e-5
STEM_CHANNELS = 16
LAST_CHANNELS = 960


class RowV3(NamedTuple):
    """One line of the paper's table; a row with a dilation keeps its map's size, whatever its stride says."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    hardswish: bool
    stride: int
    dilation: int = 1


TABLE = (
    RowV3(3, 16, 16, False, False, 1),
    RowV3(3, 64, 24, False, False, 2),
    RowV3(3, 72, 24, False, False, 1),
    RowV3(5, 72, 40, True, False, 2),
    RowV3(5, 120, 40, True, False, 1),
    RowV3(5, 120, 40, True, False, 1),
    RowV3(3, 240, 80, False, True, 2),
    RowV3(3, 200, 80, False, True, 1),
    RowV3(3, 184, 80, False, True, 1),
    RowV3(3, 184, 80, False, True, 1),
    RowV3(3, 480, 112, True, True, 1),
    RowV3(3, 672, 112, True, True, 1),
    RowV3(5, 672, 160, True, True, 2, dilation=2),
    RowV3(5, 960, 160, True, True, 1, dilation=2),
    RowV3(5, 960, 160, True, True, 1, dilation=2),
)


LOW_BLOCK = 4  # the first block at an eighth of the picture: auxiliary heads and LR-ASPP read its map
LOW_CHANNELS = TABLE[LOW_BLOCK - 1].out


def squeezed_channels(expanded: int) -> int:
    """A quarter, rounded to a multiple of 8, and up once more where that loses over a tenth."""
    quarter = expanded // 4
    rounded = max(8, (quarter + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * quarter else rounded + 8


class SqueezeExcite(nn.Module):
    """Scales every channel by a hard sigmoid of what the whole map holds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed_channels(channels), 1)
        self.fc2 = nn.Conv2d(squeezed_channels(channels), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(pooled))))


def normed_v3(convolution: nn.Conv2d, activation: nn.Module | None) -> nn.Sequential:
    return normed(convolution, activation, BATCH_NORM_EPS)


class InvertedResidualV3(nn.Module):
    """Expand, depthwise, squeeze and excite, project; plus the input where shapes agree and the table has no stride."""

    def __init__(self, in_channels: int, row: RowV3) -> None:
        super().__init__()
        activation = nn.Hardswish if row.hardswish else nn.ReLU
        stride = row.stride if row.dilation == 1 else 1
        layers: list[nn.Module] = []
        if row.expanded != in_channels:
            layers.append(normed_v3(same_conv(in_channels, row.expanded, 1), activation()))
        width = row.expanded
        depthwise = same_conv(width, width, row.kernel, stride=stride, dilation=row.dilation, groups=width)
        layers.append(normed_v3(depthwise, activation()))
        if row.squeeze:
            layers.append(SqueezeExcite(row.expanded))
        layers.append(normed_v3(same_conv(row.expanded, row.out, 1), None))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and in_channels == row.out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return out + x if self.residual else out


class DilatedMobileNetV3(nn.Sequential):
    """`(N, 3, H, W)` → `(N, 960, ⌈H/16⌉, ⌈W/16⌉)`."""

    def __init__(self) -> None:
        widths = [STEM_CHANNELS, *(row.out for row in TABLE)]
        super().__init__(
            normed_v3(same_conv(3, STEM_CHANNELS, 3, stride=2), nn.Hardswish()),
            *(InvertedResidualV3(width, row) for width, row in zip(widths, TABLE, strict=False)),
            normed_v3(same_conv(widths[-1], LAST_CHANNELS, 1), nn.Hardswish()),
        )
