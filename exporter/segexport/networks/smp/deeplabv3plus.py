"""`DeepLabV3Plus` of segmentation_models_pytorch: separable atrous pyramid, then the encoder's map at a quarter.

Chen et al. 2018. Keys `decoder.aspp.0` the pyramid, `decoder.aspp.{1,2}`, `decoder.block1` the shallow map's 48
channels, `decoder.block2`. Keys do not show the encoder's output stride nor the rates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from segexport.networks.conv_norm import conv_norm_relu
from segexport.networks.families.aspp import ASPP, RATES, WIDTH, separable_conv_norm_relu
from segexport.networks.network import Plan, Shapes, vote
from segexport.networks.smp.encoders import MOST_DEPTH, Encoder, read_encoder
from segexport.networks.smp.layout import (
    EncoderDecoder,
    Member,
    make_classification_head,
    make_plan,
    read_classes,
    read_classification,
)

OUTPUT_STRIDE = 16
SHALLOW = 1  # the map at a quarter of the picture
SHALLOW_WIDTH = 48
LEAST_DEPTH = 3
NOTE = (
    f"encoder_output_stride {OUTPUT_STRIDE}, decoder_atrous_rates {'-'.join(map(str, RATES))} and upsampling 4, "
    "the library's defaults, are taken: keys do not show them"
)


class DeepLabV3PlusDecoder(nn.Module):
    """An encoder's maps → `(N, width, H / 4, W / 4)`."""

    def __init__(self, maps: tuple[int, ...], width: int, *, separable: bool) -> None:
        super().__init__()
        pyramid = ASPP(maps[-1], width, separable=separable)
        self.aspp = nn.Sequential(pyramid, *separable_conv_norm_relu(width, width))
        self.up = nn.UpsamplingBilinear2d(scale_factor=4 if len(maps) > LEAST_DEPTH else 2)
        self.block1 = conv_norm_relu(maps[SHALLOW], SHALLOW_WIDTH, 1)
        self.block2 = separable_conv_norm_relu(SHALLOW_WIDTH + width, width)

    def forward(self, maps: list[Tensor]) -> Tensor:
        deep = self.up(self.aspp(maps[-1]))
        out: Tensor = self.block2(torch.cat((deep, self.block1(maps[SHALLOW])), dim=1))
        return out


def make_smp_deeplabv3plus(
    encoder: Encoder,
    depth: int = MOST_DEPTH,
    width: int = WIDTH,
    classes: int = 1,
    classification: int | None = None,
    *,
    separable: bool = True,
) -> EncoderDecoder:
    """`width` of the decoder; `separable`: the pyramid's 3x3 convolutions."""
    return EncoderDecoder(
        encoder.make(depth, True),
        DeepLabV3PlusDecoder(encoder.channels[:depth], width, separable=separable),
        nn.Sequential(nn.Conv2d(width, classes, 1), nn.UpsamplingBilinear2d(scale_factor=4)),
        make_classification_head(encoder.channels[depth - 1], classification),
    )


def plan_smp_deeplabv3plus(shapes: Shapes) -> Plan:
    """The library's DeepLabV3Plus that the shapes come nearest to."""
    encoder, classes = read_encoder(shapes), read_classes(shapes)
    depth, width = read_depth(shapes, encoder), read_width(shapes)
    separable = "decoder.aspp.0.convs.1.0.weight" not in shapes
    with torch.device("meta"):
        module = make_smp_deeplabv3plus(
            encoder, depth, width, classes, read_classification(shapes), separable=separable
        )
    member = Member(
        decoder=f"{'' if separable else 'full 3x3 '}pyramid {width} wide",
        reason="decoder.aspp.0.convs.0 to .4 are an atrous pyramid, decoder.block1 and .block2 bring the map at a quarter",
        note=NOTE,
        multiple=min(OUTPUT_STRIDE, 2**depth),
    )
    return make_plan(module, encoder, depth, classes, member)


def read_depth(shapes: Shapes, encoder: Encoder) -> int:
    """The encoder's map that is as wide as what the pyramid reads."""
    pyramid = "decoder.aspp.0.convs"
    reads = vote(
        shapes, encoder.channels[-1], (f"{pyramid}.0.0.weight", 1), (f"{pyramid}.1.0.0.weight", 0),
        (f"{pyramid}.1.0.weight", 1), (f"{pyramid}.4.1.weight", 1),
    )  # fmt: skip
    possible = range(LEAST_DEPTH, MOST_DEPTH + 1)
    return next((depth for depth in possible if encoder.channels[depth - 1] == reads), MOST_DEPTH)


def read_width(shapes: Shapes) -> int:
    return vote(
        shapes, WIDTH, ("decoder.aspp.0.project.0.weight", 0), ("decoder.aspp.2.weight", 0),
        ("decoder.block2.0.1.weight", 0), ("segmentation_head.0.weight", 1),
    )  # fmt: skip
