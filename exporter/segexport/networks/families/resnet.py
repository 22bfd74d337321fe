"""ResNet's blocks and layers, and the bottleneck ResNet as a backbone, with strides replaced by dilation where asked.

He, Zhang, Ren & Sun 2015, with the stride in the 3x3 convolution; dilation as in Chen et al. 2017 (DeepLabV3). Keys as
torchvision names them: `conv1`, `bn1`, `layerL.B.{conv1,bn1,conv2,bn2,conv3,bn3,downsample.0,downsample.1}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

DEPTHS = {"ResNet-50": (3, 4, 6, 3), "ResNet-101": (3, 4, 23, 3)}


class BasicBlock(nn.Module):
    """Two 3x3, both dilated, the first one with the stride, plus the input."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = make_downsample(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 (stride and dilation here), 1x1 to four times the width, plus the input."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = make_downsample(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + shortcut)


Block: TypeAlias = type[BasicBlock] | type[Bottleneck]


def make_downsample(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """What the input passes where the block changes its shape."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def make_layer(
    in_channels: int,
    width: int,
    blocks: int,
    *,
    stride: int = 1,
    dilations: tuple[int, int] = (1, 1),
    block: Block = Bottleneck,
) -> nn.Sequential:
    """`blocks` of them; the first has the stride. `dilations`: its own, that of the layer before, and that of the others."""
    first = block(in_channels, width, stride, dilations[0])
    rest = (block(block.expansion * width, width, dilation=dilations[1]) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


class DilatedResNet(nn.Module):
    """`(N, 3, H, W)` → `(N, 2048, ⌈H/8⌉, ⌈W/8⌉)`: layer3 and layer4 dilate by 2 and 4 where others stride."""

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = make_layer(64, 64, blocks[0])
        self.layer2 = make_layer(256, 128, blocks[1], stride=2)
        self.layer3 = make_layer(512, 256, blocks[2], dilations=(1, 2))
        self.layer4 = make_layer(1024, 512, blocks[3], dilations=(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer3(self.layer2(self.layer1(x)))
        out: Tensor = self.layer4(x)
        return out
