"""BiSeNetV2: a detailed branch at an eighth, a semantic one at a 32nd, each weighting the other.

Yu et al. 2020, with the keys of CoinCheung's BiSeNet: `detail.S1` to `S3`, `segment.{S1S2,S3,S4,S5_4,S5_5}`, `bga`, `head`, and
where it was saved in training `aux2`, `aux3`, `aux4`, `aux5_4`, which only help that. The last layer of a head tells which
of three versions wrote the file: `conv_out` (until September 2020: bilinear, corners on corners, also inside `bga`),
`conv_out.0` (until July 2021: pixel shuffle), `conv_out.1` (since: bilinear).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm, named_layers
from segexport.networks.network import Plan, Shapes, Sizes, vote

Version: TypeAlias = Literal["August 2020", "pixel shuffle", "bilinear"]
LAST_LAYERS: dict[Version, str] = {
    "August 2020": "head.conv_out",
    "pixel shuffle": "head.conv_out.0",
    "bilinear": "head.conv_out.1",
}
WIDTH, HEAD_WIDTH, AUX_WIDTH = 128, 1024, 128
EXPANSION = 6
FACTOR = 8
AUX = {"aux2": (16, 4), "aux3": (32, 8), "aux4": (64, 16), "aux5_4": (128, 32)}
"""Channels of the map that each auxiliary head reads, and by how much it is smaller than the picture."""
CITYSCAPES = 19
MULTIPLE = 32
AUTHORS = (
    "its authors trained on RGB with the mean and std of their pictures, Cityscapes' being "
    "--mean 0.3257,0.369,0.3223 --std 0.2112,0.2148,0.2115"
)


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution, norm, relu = conv_norm(in_channels, out_channels, kernel, nn.ReLU(), stride=stride)
    return named_layers(conv=convolution, bn=norm, relu=relu)


def depthwise(
    in_channels: int, out_channels: int, activation: nn.Module | None = None, stride: int = 1
) -> nn.Sequential:
    """A 3x3 convolution within each channel, perhaps several for each; batch norm."""
    return conv_norm(in_channels, out_channels, 3, activation, stride=stride, groups=in_channels)


def separable(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Depthwise, batch norm, 1x1 convolution."""
    return nn.Sequential(
        *depthwise(in_channels, in_channels, stride=stride), nn.Conv2d(in_channels, out_channels, 1, bias=False)
    )


class Stem(nn.Module):
    """To a quarter, on two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv_bn_relu(3, 16, stride=2)
        self.left = nn.Sequential(conv_bn_relu(16, 8, 1), conv_bn_relu(8, 16, stride=2))
        self.right = nn.MaxPool2d(3, stride=2, padding=1)
        self.fuse = conv_bn_relu(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        out: Tensor = self.fuse(torch.cat((self.left(x), self.right(x)), dim=1))
        return out


class Gather(nn.Module):
    """3x3, depthwise to six times the channels, 1x1, plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = EXPANSION * channels
        self.conv1 = conv_bn_relu(channels, channels)
        self.dwconv = depthwise(channels, width, nn.ReLU())
        self.conv2 = conv_norm(width, channels, 1, None)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(self.dwconv(self.conv1(x))) + x)


class GatherDown(nn.Module):
    """The same to half the size, with two depthwise convolutions, and one next to the input."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = EXPANSION * in_channels
        self.conv1 = conv_bn_relu(in_channels, in_channels)
        self.dwconv1 = depthwise(in_channels, width, stride=2)
        self.dwconv2 = depthwise(width, width, nn.ReLU())
        self.conv2 = conv_norm(width, out_channels, 1, None)
        self.shortcut = nn.Sequential(*separable(in_channels, out_channels, stride=2), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(self.dwconv2(self.dwconv1(self.conv1(x)))) + self.shortcut(x))


class Context(nn.Module):
    """The mean of the whole map, added everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(WIDTH)
        self.conv_gap = conv_bn_relu(WIDTH, WIDTH, 1)
        self.conv_last = conv_bn_relu(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_last(self.conv_gap(self.bn(x.mean((2, 3), keepdim=True))) + x)
        return out


class Aggregation(nn.Module):
    """Details weighted by semantics, semantics weighted by details, summed at an eighth."""

    def __init__(self, *, bilinear: bool) -> None:
        super().__init__()
        self.bilinear = bilinear
        self.left1 = separable(WIDTH, WIDTH)
        self.left2 = nn.Sequential(*conv_norm(WIDTH, WIDTH, 3, None, stride=2), nn.AvgPool2d(3, stride=2, padding=1))
        self.right1 = conv_norm(WIDTH, WIDTH, 3, None)
        self.right2 = separable(WIDTH, WIDTH)
        self.conv = conv_norm(WIDTH, WIDTH, 3, nn.ReLU())

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        left = self.left1(detail) * self.brought_up(self.right1(semantic)).sigmoid()
        right = self.brought_up(self.left2(detail) * self.right2(semantic).sigmoid())
        out: Tensor = self.conv(left + right)
        return out

    def brought_up(self, x: Tensor) -> Tensor:
        """Four times as high and wide."""
        if self.bilinear:
            return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=True)
        return F.interpolate(x, scale_factor=4, mode="nearest")


def make_head(version: Version, width: int, classes: int) -> nn.Sequential:
    """A map at an eighth → logits at the picture's size."""
    last: nn.Module
    if version == "August 2020":
        last = nn.Conv2d(width, classes, 1)
        up = [nn.Upsample(scale_factor=FACTOR, mode="bilinear", align_corners=True)]
    elif version == "pixel shuffle":
        last = nn.Sequential(nn.Conv2d(width, FACTOR**2 * classes, 1), nn.PixelShuffle(FACTOR))
        up = []
    else:
        up_factor = nn.Upsample(scale_factor=FACTOR, mode="bilinear", align_corners=False)
        last = nn.Sequential(nn.Identity(), nn.Conv2d(width, classes, 1), up_factor)
        up = []
    layers = named_layers(conv=conv_bn_relu(WIDTH, width), conv_out=last)
    for layer in up:
        layers.add_module("up", layer)
    return layers


def make_aux_head(version: Version, channels: int, factor: int, classes: int) -> nn.Sequential:
    """The keys of one; it is never run."""
    last: nn.Module
    if version == "August 2020":
        last = nn.Conv2d(AUX_WIDTH, classes, 1)
    else:
        before = conv_bn_relu(AUX_WIDTH, factor**2)
        shuffles = version == "pixel shuffle"
        last = nn.Sequential(
            before if shuffles else nn.Sequential(nn.Identity(), before),
            nn.Conv2d(factor**2, factor**2 * classes if shuffles else classes, 1),
        )
    return named_layers(conv=conv_bn_relu(channels, AUX_WIDTH), conv_out=last)


class BiSeNetV2(nn.Module):
    """`(N, 3, H, W)` → logits `(N, classes, H, W)`, H and W multiples of 32."""

    def __init__(
        self,
        classes: int = CITYSCAPES,
        *,
        version: Version = "bilinear",
        head_width: int = HEAD_WIDTH,
        aux: bool = False,
    ) -> None:
        super().__init__()
        self.detail = named_layers(
            S1=nn.Sequential(conv_bn_relu(3, 64, stride=2), conv_bn_relu(64, 64)),
            S2=nn.Sequential(conv_bn_relu(64, 64, stride=2), conv_bn_relu(64, 64), conv_bn_relu(64, 64)),
            S3=nn.Sequential(conv_bn_relu(64, WIDTH, stride=2), conv_bn_relu(WIDTH, WIDTH), conv_bn_relu(WIDTH, WIDTH)),
        )
        self.segment = named_layers(
            S1S2=Stem(),
            S3=nn.Sequential(GatherDown(16, 32), Gather(32)),
            S4=nn.Sequential(GatherDown(32, 64), Gather(64)),
            S5_4=nn.Sequential(GatherDown(64, WIDTH), Gather(WIDTH), Gather(WIDTH), Gather(WIDTH)),
            S5_5=Context(),
        )
        self.bga = Aggregation(bilinear=version == "August 2020")
        self.head = make_head(version, head_width, classes)
        for name, (channels, factor) in AUX.items() if aux else ():
            self.add_module(name, make_aux_head(version, channels, factor, classes))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.bga(self.detail(x), self.segment(x)))
        return out


def plan_bisenetv2(shapes: Shapes) -> Plan:
    """The BiSeNetV2 that the shapes come nearest to."""
    version: Version = next((v for v, layer in LAST_LAYERS.items() if f"{layer}.weight" in shapes), "bilinear")
    last = LAST_LAYERS[version]
    shuffled = FACTOR**2 if version == "pixel shuffle" else 1
    classes = max(vote(shapes, CITYSCAPES * shuffled, (f"{last}.weight", 0), (f"{last}.bias", 0)) // shuffled, 1)
    head_width = vote(
        shapes, HEAD_WIDTH, ("head.conv.conv.weight", 0), ("head.conv.bn.weight", 0), (f"{last}.weight", 1)
    )
    aux = any(key.startswith("aux") for key in shapes)
    with torch.device("meta"):
        module = BiSeNetV2(classes, version=version, head_width=head_width, aux=aux)
    left_out = ("auxiliary heads (aux2 to aux5_4) left out: the mask does not need them",) if aux else ()
    return Plan(
        module=module,
        out_channels=classes,
        variant=f"{plural(classes, 'class', 'classes')}, {version} head" + (", auxiliary heads" if aux else ""),
        input_key="detail.S1.0.conv.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", default=(256, 256), least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            "detail, segment and bga are BiSeNetV2's",
            f"{last} is the last layer, as in the version with the {version} head; it gives {plural(classes, 'channel')}",
        ),
        notes=(*left_out, AUTHORS),
        dropped=tuple(AUX) if aux else (),
    )
