"""SegNet on ResNet: bottleneck layers below, the same mirrored above, and one unpool with the stem pool's indices.

Layout of the keys: `first_conv.{0,1}` (7x7 convolution, batch norm; the pool has none), `encoder.L.B.*` for ResNet's layers
1 to 4, `decoder.L.B.*` for their mirror images (the last block of each leads to the next: a transposed convolution
doubles the size, in `decoder.3` a 3x3 convolution keeps it), `last_conv.{0,1}`. Blocks as in `resnet.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.families.resnet import DEPTHS, Bottleneck, make_layer
from segexport.networks.network import Plan, Shapes, Sizes, vote

MULTIPLE = 32
MOST_BLOCKS = 64
USUAL_DEPTH = DEPTHS["ResNet-50"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegResNetWidths:
    """Channels of the stem, inner channels of layers 1 to 4, channels between the last two convolutions; blocks a layer."""

    stem: int = 64
    layers: tuple[int, ...] = (64, 128, 256, 512)
    last: int = 64
    encoder: tuple[int, ...] = USUAL_DEPTH
    decoder: tuple[int, ...] = USUAL_DEPTH[::-1]

    def describe(self) -> str:
        """`ResNet-50 and its mirror image`."""
        name = next(
            (name for name, depth in DEPTHS.items() if depth == self.encoder), f"blocks {_dashes(self.encoder)}"
        )
        words = [name, "its mirror image" if self.decoder == self.encoder[::-1] else f"above {_dashes(self.decoder)}"]
        widths = (self.stem, *self.layers)
        return " and ".join(words) + (f", widths {_dashes(widths)}" if widths != (64, 64, 128, 256, 512) else "")


class UpBottleneck(nn.Module):
    """The bottleneck that ends a layer of the decoder: twice the size where `double`, other channels, plus the input."""

    def __init__(self, in_channels: int, width: int, out_channels: int, *, double: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2: nn.Module
        shortcut: nn.Module
        if double:
            self.conv2 = nn.ConvTranspose2d(width, width, 2, stride=2, bias=False)
            shortcut = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False)
        else:
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class SegResNet(nn.Module):
    """`(N, 3, H, W)` → logits `(N, out_channels, H, W)`; the windows of the 3x3 pool overlap, those of the unpool do not."""

    def __init__(self, widths: SegResNetWidths, out_channels: int = 1) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, widths.stem, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(widths.stem),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1, return_indices=True),
        )
        self.encoder = _make_encoder(widths)
        self.decoder = _make_decoder(widths)
        self.last_conv = nn.Sequential(
            nn.ConvTranspose2d(widths.stem, widths.last, 2, stride=2, bias=False),
            nn.Conv2d(widths.last, out_channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x, indices = self.first_conv(x)
        x = self.decoder(self.encoder(x))
        x = F.max_unpool2d(x, indices, kernel_size=(2, 2), stride=(2, 2))
        out: Tensor = self.last_conv(x)
        return out


def _make_encoder(widths: SegResNetWidths) -> nn.Sequential:
    layers, below = [], widths.stem
    for index, (width, blocks) in enumerate(zip(widths.layers, widths.encoder, strict=True)):
        layers.append(make_layer(below, width, blocks, stride=1 if index == 0 else 2))
        below = Bottleneck.expansion * width
    return nn.Sequential(*layers)


def _make_decoder(widths: SegResNetWidths) -> nn.Sequential:
    downwards = widths.layers[::-1]
    targets = (*(Bottleneck.expansion * width for width in downwards[1:]), widths.stem)
    layers = []
    for index, (width, out_channels, blocks) in enumerate(zip(downwards, targets, widths.decoder, strict=True)):
        plain = [Bottleneck(Bottleneck.expansion * width, width) for _ in range(blocks - 1)]
        up = UpBottleneck(Bottleneck.expansion * width, width, out_channels, double=index < len(downwards) - 1)
        layers.append(nn.Sequential(*plain, up))
    return nn.Sequential(*layers)


def plan_segresnet(shapes: Shapes) -> Plan:
    """The SegResNet that the shapes come nearest to."""
    widths = read_widths(shapes)
    out_channels = vote(shapes, 1, ("last_conv.1.weight", 0), ("last_conv.1.bias", 0))
    with torch.device("meta"):
        module = SegResNet(widths, out_channels)
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=widths.describe(),
        input_key="first_conv.0.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            f"encoder.0 to .3 are bottleneck layers of {_dashes(widths.encoder)} blocks, decoder.0 to .3 of "
            f"{_dashes(widths.decoder)}",
            f"last_conv.1 gives {out_channels} channel{'s' if out_channels > 1 else ''}",
        ),
    )


def read_widths(shapes: Shapes) -> SegResNetWidths:
    """Widths and depths as most of the tensors have them; ResNet-50's where there are none."""
    usual = SegResNetWidths()
    layers = tuple(
        vote(shapes, width, *((f"encoder.{index}.0.{name}.weight", 0) for name in ("conv1", "bn1", "conv2", "bn2")))
        for index, width in enumerate(usual.layers)
    )
    return SegResNetWidths(
        stem=vote(shapes, usual.stem, ("first_conv.0.weight", 0), ("first_conv.1.weight", 0), ("first_conv.1.bias", 0)),
        layers=layers,
        last=vote(shapes, usual.last, ("last_conv.0.weight", 1), ("last_conv.1.weight", 1)),
        encoder=tuple(_blocks(shapes, f"encoder.{index}", count) for index, count in enumerate(usual.encoder)),
        decoder=tuple(_blocks(shapes, f"decoder.{index}", count) for index, count in enumerate(usual.decoder)),
    )


def _blocks(shapes: Shapes, layer: str, usual: int) -> int:
    blocks = {match[1] for key in shapes if (match := re.match(rf"{layer}\.(\d{{1,2}})\.", key))}
    return min(len(blocks), MOST_BLOCKS) or usual


def _dashes(numbers: tuple[int, ...]) -> str:
    return "-".join(map(str, numbers))
