"""ExtremeC3: three dilated branches a module, a coarse encoder at a quarter of the picture and fine details at a half.

Park et al. 2019 (clovaai/ext_portrait_segmentation). Layout of the keys: `encoder.{level1,b1,level2_0,level2.K,b2,
level3_0,level3.K,b3}.*`, `upsample.{0,1}`, `Fine.{0,1}.*`, `classifier.{0,2}`. Dilations are no keys: they are the
original's.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

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

Rates: TypeAlias = tuple[int, int, int]
STEM, SECOND, THIRD, FINE = 24, 48, 56, 24
DOWN_RATES: Rates = (1, 2, 3)
SECOND_RATES: Rates = (1, 3, 4)
FIRST_OF_THIRD_RATES: Rates = (1, 3, 5)
RATES: Rates = (2, 4, 8)
USUAL_BLOCKS = (1, 5)
MOST_BLOCKS = 32
MULTIPLE = 4
NOTES = (
    "dilations are no keys: they are taken as in the original",
    AUTHORS,
    "its authors trained with a hinge loss, whose scores stay near -1 and 1: probabilities stay near 0.27 and 0.73",
)


def branch(in_channels: int, out_channels: int, rate: int) -> nn.Sequential:
    """Depthwise 3x3 with a rate, then 1x1; where the rate is above 1, a column and a row of its reach come first."""
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=rate, dilation=rate, groups=in_channels, bias=False)
    return named_layers(conv=nn.Sequential(*_cross(in_channels, rate), depthwise, conv(in_channels, out_channels, 1)))


def _cross(channels: int, rate: int) -> tuple[nn.Module, ...]:
    if rate == 1:
        return ()
    reach, pad = 2 * rate - 1, rate - 1
    return (
        nn.Conv2d(channels, channels, (reach, 1), padding=(pad, 0), groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.PReLU(channels),
        nn.Conv2d(channels, channels, (1, reach), padding=(0, pad), groups=channels, bias=False),
        nn.BatchNorm2d(channels),
    )


class ThreeBranches(nn.Module):
    """A third of the channels, then three branches side by side."""

    def __init__(self, in_channels: int, out_channels: int, rates: Rates, *, stride: int = 1) -> None:
        super().__init__()
        third = out_channels // 3
        self.c1 = wrapped_conv(in_channels, third, 3 if stride == 2 else 1, stride=stride)
        self.d1 = branch(third, out_channels - 2 * third, rates[0])
        self.d2 = branch(third, third, rates[1])
        self.d3 = branch(third, third, rates[2])

    def forward(self, x: Tensor) -> Tensor:
        x = self.c1(x)
        return torch.cat((self.d1(x), self.d2(x), self.d3(x)), dim=1)


class Down(ThreeBranches):
    """Half as high and wide; batch norm, PReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, DOWN_RATES, stride=2)
        self.bn = nn.BatchNorm2d(out_channels, eps=EPS)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.bn(super().forward(x)))
        return out


class C3Module(ThreeBranches):
    """Plus the input where asked; batch norm, PReLU."""

    def __init__(self, in_channels: int, out_channels: int, rates: Rates, *, residual: bool = True) -> None:
        super().__init__(in_channels, out_channels, rates)
        self.bn = norm_prelu(out_channels)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        normed: Tensor = self.bn(x + out if self.residual else out)
        return normed


class ExtremeC3Encoder(nn.Module):
    """`(N, 3, H, W)` → `(N, 112, H/4, W/4)`; smaller pictures are put next to the maps."""

    def __init__(self, blocks: tuple[int, int]) -> None:
        super().__init__()
        self.level1 = conv_norm_prelu(3, STEM, 3, stride=2)
        self.halved = nn.AvgPool2d(2)
        self.b1 = norm_prelu(STEM + 3)
        self.level2_0 = Down(STEM + 3, SECOND)
        self.level2 = nn.Sequential(*(C3Module(SECOND, SECOND, SECOND_RATES) for _ in range(blocks[0])))
        self.b2 = norm_prelu(2 * SECOND + 3)
        self.level3_0 = C3Module(2 * SECOND + 3, THIRD, FIRST_OF_THIRD_RATES, residual=False)
        self.level3 = nn.Sequential(*(C3Module(THIRD, THIRD, RATES) for _ in range(blocks[1])))
        self.b3 = norm_prelu(2 * THIRD)

    def forward(self, image: Tensor) -> Tensor:
        at_2 = self.halved(image)
        before = self.level2_0(self.b1(torch.cat((self.level1(image), at_2), dim=1)))
        x = self.b2(torch.cat((self.level2(before), before, self.halved(at_2)), dim=1))
        before = self.level3_0(x)
        out: Tensor = self.b3(torch.cat((before, self.level3(before)), dim=1))
        return out


class ExtremeC3(nn.Module):
    """`(N, 3, H, W)` → logits `(N, classes, H, W)`, H and W multiples of 4."""

    def __init__(self, blocks: tuple[int, int] = USUAL_BLOCKS, classes: int = 1) -> None:
        super().__init__()
        self.encoder = ExtremeC3Encoder(blocks)
        self.upsample = nn.Sequential(conv(2 * THIRD, FINE, 1), nn.BatchNorm2d(FINE), doubled_corners())
        self.Fine = nn.Sequential(wrapped_conv(3, FINE, 3, stride=2), C3Module(FINE, FINE, RATES))
        self.classifier = nn.Sequential(norm_prelu(FINE), doubled_corners(), conv(FINE, classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.upsample(self.encoder(image)) + self.Fine(image))
        return out


def plan_extremec3(shapes: Shapes) -> Plan:
    """The ExtremeC3 that the shapes come nearest to."""
    blocks = (
        count_blocks(shapes, 2, USUAL_BLOCKS[0], MOST_BLOCKS),
        count_blocks(shapes, 3, USUAL_BLOCKS[1], MOST_BLOCKS),
    )
    classes = vote(shapes, 1, ("classifier.2.weight", 0))
    with torch.device("meta"):
        module = ExtremeC3(blocks, classes)
    return Plan(
        module=module,
        out_channels=classes,
        variant=f"{blocks[0]} and {blocks[1]} modules",
        input_key="encoder.level1.conv.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", default=(224, 224), least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            f"encoder.level2 and encoder.level3 are {blocks[0]} and {blocks[1]} modules of three branches; Fine is next to",
            f"classifier gives {plural(classes, 'channel')}",
        ),
        notes=NOTES,
        preprocessing=PREPROCESSING,
        color=COLOR,
    )
