"""SegNet: VGG16's convolutions with batch norm, pools that keep their indices, and a decoder that unpools with them.

Badrinarayanan, Kendall & Cipolla 2017. Layout of the keys: `stageK_encoder.N.*` and `stageK_decoder.N.*`, K from 1 to 5,
N = 0, 3, 6 for the convolutions (the batch norms follow at N + 1); the last stage ends in a plain convolution. Decoder
stage K mirrors encoder stage 6 - K.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segexport.networks.network import Plan, Shapes, Sizes, vote

STAGES = 5
MULTIPLE = 2**STAGES
MOST_CONVOLUTIONS = 16
VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MIRRORED = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class SegNetWidths:
    """Output channels of every convolution with a batch norm, by stage, in the order of the forward pass."""

    encoder: tuple[tuple[int, ...], ...] = VGG16
    decoder: tuple[tuple[int, ...], ...] = MIRRORED

    def describe(self) -> str:
        """`VGG16, widths 64-128-256-512-512`."""
        widths = "-".join(str(stage[-1]) for stage in self.encoder)
        usual = [len(stage) for stage in self.encoder] == [len(stage) for stage in VGG16]
        return f"{'VGG16' if usual else f'{sum(map(len, self.encoder))} convolutions below'}, widths {widths}"


def make_stage(in_channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Convolution, batch norm, ReLU for each width."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        in_channels = width
    return nn.Sequential(*layers)


class SegNet(nn.Module):
    """`(N, 3, H, W)` → logits `(N, out_channels, H, W)`."""

    def __init__(self, widths: SegNetWidths, out_channels: int = 1) -> None:
        super().__init__()
        below = 3
        for number, stage in enumerate(widths.encoder, 1):
            self.add_module(f"stage{number}_encoder", make_stage(below, stage))
            below = stage[-1]
        for number, stage in enumerate(widths.decoder, 1):
            layers = make_stage(below, stage)
            below = stage[-1]
            if number == STAGES:
                layers.append(nn.Conv2d(below, out_channels, 3, padding=1))
            self.add_module(f"stage{number}_decoder", layers)
        self.pool = nn.MaxPool2d(2, 2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        pooled: list[tuple[Tensor, torch.Size]] = []
        for number in range(1, STAGES + 1):
            x = self.get_submodule(f"stage{number}_encoder")(x)
            size = x.size()
            x, indices = self.pool(x)
            pooled.append((indices, size))
        for number in range(1, STAGES + 1):
            indices, size = pooled[-number]
            x = self.unpool(x, indices, output_size=size)
            x = self.get_submodule(f"stage{number}_decoder")(x)
        return x


def plan_segnet(shapes: Shapes) -> Plan:
    """The SegNet that the shapes come nearest to."""
    widths = read_widths(shapes)
    last = f"stage{STAGES}_decoder.{3 * len(widths.decoder[-1])}"
    out_channels = vote(shapes, 1, (f"{last}.weight", 0), (f"{last}.bias", 0))
    with torch.device("meta"):
        module = SegNet(widths, out_channels)
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=widths.describe(),
        input_key="stage1_encoder.0.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            f"stage1_encoder to stage{STAGES}_encoder are 3x3 convolutions with batch norm, "
            f"stage1_decoder to stage{STAGES}_decoder mirror them",
            f"{last}, the last layer, gives {out_channels} channel{'s' if out_channels > 1 else ''}",
        ),
    )


def read_widths(shapes: Shapes) -> SegNetWidths:
    """Every width from its own convolution and its batch norm; where an unpool needs its pool's channels, those."""
    encoder = tuple(_stage(shapes, f"stage{k + 1}_encoder", usual) for k, usual in enumerate(VGG16))
    decoder = []
    for k, usual in enumerate(MIRRORED):
        name = f"stage{k + 1}_decoder"
        if k == STAGES - 1:
            decoder.append(_stage(shapes, name, usual, plain=1))
        else:
            decoder.append((*_stage(shapes, name, usual)[:-1], encoder[STAGES - 2 - k][-1]))
    return SegNetWidths(encoder=encoder, decoder=tuple(decoder))


def _stage(shapes: Shapes, name: str, usual: tuple[int, ...], plain: int = 0) -> tuple[int, ...]:
    """`plain`: convolutions at the end that have no batch norm."""
    places = {int(match[1]) for key in shapes if (match := re.match(rf"{name}\.(\d{{1,2}})\.", key))}
    found = sum(place % 3 == 0 for place in places) - plain
    count = min(found, MOST_CONVOLUTIONS) if found > 0 else len(usual)
    return tuple(
        vote(
            shapes,
            usual[min(index, len(usual) - 1)],
            (f"{name}.{3 * index}.weight", 0),
            (f"{name}.{3 * index + 1}.weight", 0),
            (f"{name}.{3 * index}.bias", 0),
        )
        for index in range(count)
    )
