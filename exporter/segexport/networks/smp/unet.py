"""`Unet` of segmentation_models_pytorch: a classifier's layers below, nearest upsampling and two convolutions above.

Keys `decoder.blocks.K.{conv1,conv2}.{0,1}`, deepest block first; as many blocks as the encoder has depth. The library
takes multiples of 32 up to version 0.4 and any size since; multiples are the same in all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm_relu
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

USUAL_CHANNELS = (256, 128, 64, 32, 16)
NOTE = "decoder_interpolation 'nearest', the library's default, is taken: keys do not show it"


class DecoderBlock(nn.Module):
    """Twice as long and wide, next to the encoder's map of that size; two 3x3 convolutions."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(in_channels + skip_channels, out_channels, 3)
        self.conv2 = conv_norm_relu(out_channels, out_channels, 3)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skip is not None:
            x = torch.cat((x, skip), dim=1)
        out: Tensor = self.conv2(self.conv1(x))
        return out


class UnetDecoder(nn.Module):
    """An encoder's maps → `(N, channels[-1], H, W)`; the last block has no map next to it."""

    def __init__(self, maps: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        deepest, *skips = reversed(maps)
        self.blocks = nn.ModuleList(
            DecoderBlock(*widths) for widths in zip((deepest, *channels[:-1]), (*skips, 0), channels, strict=True)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        x, *skips = reversed(maps)
        for block, skip in zip(self.blocks, (*skips, None), strict=True):
            x = block(x, skip)
        return x


def make_smp_unet(
    encoder: Encoder, channels: Sequence[int] = USUAL_CHANNELS, classes: int = 1, classification: int | None = None
) -> EncoderDecoder:
    """`channels` of the decoder's blocks, one for each map of the encoder that is used."""
    depth = len(channels)
    return EncoderDecoder(
        encoder.make(depth, False),
        UnetDecoder(encoder.channels[:depth], channels),
        nn.Sequential(nn.Conv2d(channels[-1], classes, 3, padding=1)),
        make_classification_head(encoder.channels[depth - 1], classification),
    )


def plan_smp_unet(shapes: Shapes) -> Plan:
    """The library's Unet that the shapes come nearest to."""
    encoder, channels, classes = read_encoder(shapes), read_channels(shapes), read_classes(shapes)
    depth = len(channels)
    with torch.device("meta"):
        module = make_smp_unet(encoder, channels, classes, read_classification(shapes))
    member = Member(
        decoder=f"decoder {'-'.join(map(str, channels))}",
        reason=f"decoder.blocks.* are {plural(depth, 'block')} of two 3x3 convolutions without attention",
        note=NOTE,
        multiple=2**depth,
    )
    return make_plan(module, encoder, depth, classes, member)


def read_channels(shapes: Shapes) -> tuple[int, ...]:
    """The width of each block, from both of its convolutions; the usual ones where there are none."""
    found = [int(match[1]) for key in shapes if (match := re.match(r"decoder\.blocks\.(\d{1,2})\.", key))]
    depth = min(max(found, default=MOST_DEPTH - 1) + 1, MOST_DEPTH)
    return tuple(_width(shapes, f"decoder.blocks.{index}", USUAL_CHANNELS[index]) for index in range(depth))


def _width(shapes: Shapes, block: str, usual: int) -> int:
    layers = (f"{block}.{conv}.{layer}.weight" for conv in ("conv1", "conv2") for layer in (0, 1))
    return vote(shapes, usual, *((layer, 0) for layer in layers))
