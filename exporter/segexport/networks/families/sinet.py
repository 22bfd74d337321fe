"""SINet: spatial squeeze modules, and a decoder that lets details in where the coarse classes are unsure.

Park et al. 2019 (clovaai/ext_portrait_segmentation). Layout of the keys: `encoder.{level1,level2_0,level2.K,BR2,level3_0,
level3.K,BR3,classifier}.*`, `bn_3`, `level2_C`, `bn_2`, `classifier.1`. The average pools inside the modules are no
keys: they are the original's, and the kernels, which are, have to be its too.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import named_layers
from segexport.networks.families.portrait_layers import (
    AUTHORS,
    COLOR,
    EPS,
    PREPROCESSING,
    conv,
    conv_norm_prelu,
    count_blocks,
    doubled_corners,
    norm_prelu,
    wrapped_conv,
)
from segexport.networks.network import Plan, Shapes, Sizes, vote

Squeeze: TypeAlias = tuple[int, int]
"""Kernel of a branch, and by how much its map is averaged down before."""
BRANCHES: tuple[tuple[Squeeze, Squeeze], ...] = (
    ((3, 1), (5, 1)),
    ((3, 1), (3, 1)),
    ((3, 1), (5, 1)),
    ((3, 1), (3, 1)),
    ((5, 1), (3, 2)),
    ((5, 2), (3, 4)),
    ((3, 1), (3, 1)),
    ((5, 1), (5, 1)),
    ((3, 2), (3, 4)),
    ((3, 1), (5, 2)),
)
"""Of each module; level 3 begins with the third, however long level 2 is."""
LEVEL3_FROM = 2
STEM, FIRST, SECOND, THIRD = 12, 16, 48, 96
USUAL_BLOCKS = (2, 8)
MULTIPLE = 32
NOTES = ("the average pools inside its modules are no keys: they are taken as in the original's configuration", AUTHORS)


class ChannelWeights(nn.Module):
    """Each channel times a weight that all channels' means decide; one layer where `divide` is 1, else two."""

    def __init__(self, channels: int, divide: int) -> None:
        super().__init__()
        hidden = channels // divide
        layers = [nn.Linear(channels, hidden), nn.PReLU(hidden)]
        if divide > 1:
            layers += [nn.Linear(hidden, channels), nn.PReLU(channels)]
        self.dense = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.dense(x.mean((2, 3)))
        return x * weights[:, :, None, None]


def weighted_down(in_channels: int, out_channels: int, divide: int) -> nn.Sequential:
    """Half as high and wide: depthwise convolution, channel weights, 1x1 convolution, batch norm, PReLU."""
    return named_layers(
        conv=nn.Sequential(
            conv(in_channels, in_channels, 3, stride=2, groups=in_channels),
            ChannelWeights(in_channels, divide),
            conv(in_channels, out_channels, 1),
        ),
        bn=nn.BatchNorm2d(out_channels, eps=EPS),
        act=nn.PReLU(out_channels),
    )


class Branch(nn.Module):
    """Averaged down, depthwise and 1x1 convolution, brought up again, batch norm."""

    def __init__(self, in_channels: int, out_channels: int, squeeze: Squeeze) -> None:
        super().__init__()
        kernel, factor = squeeze
        self.down_res = nn.AvgPool2d(factor) if factor > 1 else nn.Identity()
        self.conv = nn.Sequential(
            conv(in_channels, in_channels, kernel, groups=in_channels), nn.BatchNorm2d(in_channels, eps=EPS)
        )
        self.act_conv1x1 = nn.Sequential(nn.PReLU(in_channels), conv(in_channels, out_channels, 1))
        self.up_res = doubled_corners(factor) if factor > 1 else nn.Identity()
        self.bn = nn.BatchNorm2d(out_channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.up_res(self.act_conv1x1(self.conv(self.down_res(x)))))
        return out


class SqueezeModule(nn.Module):
    """Half the channels, shuffled between the two groups they come from; two branches side by side; batch norm, PReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, branches: tuple[Squeeze, Squeeze], *, residual: bool
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.c1 = wrapped_conv(in_channels, half, 1, groups=2)
        self.d1 = Branch(half, out_channels - half, branches[0])
        self.d2 = Branch(half, half, branches[1])
        self.BR = norm_prelu(out_channels)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        mixed = shuffled(self.c1(x))
        out = torch.cat((self.d1(mixed), self.d2(mixed)), dim=1)
        normed: Tensor = self.BR(x + out if self.residual else out)
        return normed


def shuffled(x: Tensor) -> Tensor:
    """Channels of the first and of the second half by turns."""
    first, second = x.chunk(2, dim=1)
    return torch.stack((first, second), dim=2).flatten(1, 2)


class SINetEncoder(nn.Module):
    """The layers; who calls which, and with what next to it, is SINet's."""

    def __init__(self, blocks: tuple[int, int], second: int, third: int, classes: int) -> None:
        super().__init__()
        self.level1 = conv_norm_prelu(3, STEM, 3, stride=2)
        self.level2_0 = weighted_down(STEM, FIRST, 1)
        self.level2 = _level(FIRST, second, BRANCHES[: blocks[0]])
        self.BR2 = norm_prelu(second + FIRST)
        self.level3_0 = weighted_down(second + FIRST, second, 2)
        self.level3 = _level(second, third, BRANCHES[LEVEL3_FROM : LEVEL3_FROM + blocks[1]])
        self.BR3 = norm_prelu(third + second)
        self.classifier = wrapped_conv(third + second, classes, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Level 2's map at a quarter, and the coarse classes at an eighth."""
        before = self.level2_0(self.level1(image))
        at_4 = self.level2(before)
        before = self.level3_0(self.BR2(torch.cat((before, at_4), dim=1)))
        coarse = self.classifier(self.BR3(torch.cat((before, self.level3(before)), dim=1)))
        return at_4, coarse


def _level(in_channels: int, channels: int, modules: tuple[tuple[Squeeze, Squeeze], ...]) -> nn.Sequential:
    return nn.Sequential(
        *(
            SqueezeModule(channels if index else in_channels, channels, branches, residual=index > 0)
            for index, branches in enumerate(modules)
        )
    )


class SINet(nn.Module):
    """`(N, 3, H, W)` → logits `(N, classes, H, W)`, H and W multiples of 32."""

    def __init__(
        self, blocks: tuple[int, int] = USUAL_BLOCKS, second: int = SECOND, third: int = THIRD, classes: int = 2
    ) -> None:
        super().__init__()
        self.encoder = SINetEncoder(blocks, second, third, classes)
        self.up = doubled_corners()
        self.bn_3 = nn.BatchNorm2d(classes, eps=EPS)
        self.level2_C = conv_norm_prelu(second, classes, 1)
        self.bn_2 = nn.BatchNorm2d(classes, eps=EPS)
        self.classifier = nn.Sequential(doubled_corners(), conv(classes, classes, 3))

    def forward(self, image: Tensor) -> Tensor:
        at_4, coarse = self.encoder(image)
        coarse = self.bn_3(self.up(coarse))
        unsure = 1 - F.softmax(coarse, dim=1).amax(1, keepdim=True)
        fine = self.bn_2(self.up(self.level2_C(at_4) * unsure + coarse))
        out: Tensor = self.classifier(fine)
        return out


def plan_sinet(shapes: Shapes) -> Plan:
    """The SINet that the shapes come nearest to."""
    blocks = (
        count_blocks(shapes, 2, USUAL_BLOCKS[0], len(BRANCHES)),
        count_blocks(shapes, 3, USUAL_BLOCKS[1], len(BRANCHES) - LEVEL3_FROM),
    )
    second = vote(shapes, SECOND, ("encoder.level2.0.BR.bn.weight", 0), ("level2_C.conv.weight", 1))
    third = vote(shapes, THIRD, ("encoder.level3.0.BR.bn.weight", 0), ("encoder.level3.1.BR.bn.weight", 0))
    classes = vote(shapes, 2, ("classifier.1.weight", 0), ("bn_2.weight", 0), ("bn_3.weight", 0))
    with torch.device("meta"):
        module = SINet(blocks, max(second, 2) // 2 * 2, max(third, 2) // 2 * 2, classes)
    return Plan(
        module=module,
        out_channels=classes,
        variant=f"{blocks[0]} and {blocks[1]} modules, widths {second}-{third}",
        input_key="encoder.level1.conv.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", default=(224, 224), least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            f"encoder.level2 and encoder.level3 are {blocks[0]} and {blocks[1]} modules of two branches",
            f"classifier gives {plural(classes, 'channel')}",
        ),
        notes=NOTES,
        preprocessing=PREPROCESSING,
        color=COLOR,
    )
