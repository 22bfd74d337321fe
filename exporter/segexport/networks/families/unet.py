"""U-Net with batch norm, any widths, any number of output channels.

Layout of the keys: `downs.K.conv.{0,1,3,4}`, `bottle_neck.conv.*`, `ups.2K` (transposed convolution),
`ups.2K+1.conv.*`, `final_conv`. Source of the architecture: Ronneberger, Fischer & Brox 2015, with padded convolutions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.network import Plan, Shapes, Sizes, vote

MOST_LEVELS = 12  # 4096 pixels halved twelve times is one


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetWidths:
    """Output channels of every convolution, in the order of the forward pass."""

    downs: tuple[tuple[int, int], ...]
    bottleneck: tuple[int, int]
    ups: tuple[tuple[int, int, int], ...]
    """Transposed convolution, then the two of the block; the deepest level first."""

    @classmethod
    def doubling(cls, widths: Sequence[int]) -> UNetWidths:
        """The usual shape: both convolutions of a level alike, twice the last width at the bottom."""
        below = 2 * widths[-1]
        return cls(
            downs=tuple((width, width) for width in widths),
            bottleneck=(below, below),
            ups=tuple((width, width, width) for width in reversed(widths)),
        )

    def describe(self) -> str:
        """`widths 64-128-256-512, bottleneck 1024`."""
        widths = [second for _, second in self.downs]
        words = f"widths {'-'.join(map(str, widths))}, bottleneck {self.bottleneck[1]}"
        usual = UNetWidths(
            downs=UNetWidths.doubling(widths).downs,
            bottleneck=(self.bottleneck[1], self.bottleneck[1]),
            ups=UNetWidths.doubling(widths).ups,
        )
        return words if self == usual else f"{words}, uneven inside"


class DoubleConv(nn.Module):
    """Twice: 3x3 convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, middle_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, middle_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(middle_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class UNet(nn.Module):
    """`(N, in_channels, H, W)` → logits `(N, out_channels, H, W)`.

    Where H or W is not a multiple of `2 ** levels`, the upsampled tensor is resized (bilinear) to its skip's size.
    """

    def __init__(self, widths: Sequence[int] | UNetWidths, in_channels: int = 3, out_channels: int = 1) -> None:
        super().__init__()
        plan = widths if isinstance(widths, UNetWidths) else UNetWidths.doubling(widths)
        self.downs = nn.ModuleList()
        below = in_channels
        for first, second in plan.downs:
            self.downs.append(DoubleConv(below, first, second))
            below = second
        self.pool = nn.MaxPool2d(2, 2)
        self.bottle_neck = DoubleConv(below, *plan.bottleneck)
        below = plan.bottleneck[1]
        self.ups = nn.ModuleList()
        for (_, skip), (upsampled, first, second) in zip(reversed(plan.downs), plan.ups, strict=True):
            self.ups.append(nn.ConvTranspose2d(below, upsampled, 2, 2))
            self.ups.append(DoubleConv(skip + upsampled, first, second))
            below = second
        self.final_conv = nn.Conv2d(below, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottle_neck(x)
        for index, skip in enumerate(reversed(skips)):
            x = self.ups[2 * index](x)
            if x.shape[2:] != skip.shape[2:]:
                x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = self.ups[2 * index + 1](torch.cat((skip, x), dim=1))
        out: Tensor = self.final_conv(x)
        return out


def plan_unet(shapes: Shapes) -> Plan:
    """The U-Net that the shapes come nearest to."""
    widths = read_widths(shapes)
    out_channels = vote(shapes, 1, ("final_conv.weight", 0), ("final_conv.bias", 0))
    with torch.device("meta"):
        module = UNet(widths, out_channels=out_channels)
    levels = len(widths.downs)
    multiple = 2**levels
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=widths.describe(),
        input_key="downs.0.conv.0.weight",
        sizes=Sizes(
            rule=f"any from {multiple} pixels; multiples of {multiple} are best",
            default=(max(256, multiple), max(256, multiple)),
            least=multiple,
        ),
        reasons=(
            f"downs.0 to downs.{levels - 1} are {levels} levels of two 3x3 convolutions, "
            f"ups.0 to ups.{2 * levels - 1} mirror them",
            f"final_conv gives {out_channels} channel{'s' if out_channels > 1 else ''}",
        ),
    )


def read_widths(shapes: Shapes) -> UNetWidths:
    """Every width from its own convolution and the tensors around it; the usual ones where there are none."""
    found = [int(match[1]) for key in shapes if (match := re.match(r"downs\.(\d{1,2})\.", key))]
    levels = min(max(found, default=3) + 1, MOST_LEVELS)
    usual = [64 * 2**level for level in range(levels)]
    return UNetWidths(
        downs=tuple(_block(shapes, f"downs.{level}", usual[level]) for level in range(levels)),
        bottleneck=_block(shapes, "bottle_neck", 2 * usual[-1]),
        ups=tuple(_up(shapes, index, width) for index, width in enumerate(reversed(usual))),
    )


def _block(shapes: Shapes, prefix: str, usual: int) -> tuple[int, int]:
    conv = f"{prefix}.conv"
    first = vote(
        shapes, usual, (f"{conv}.0.weight", 0), (f"{conv}.1.weight", 0), (f"{conv}.1.bias", 0), (f"{conv}.3.weight", 1)
    )
    second = vote(shapes, usual, (f"{conv}.3.weight", 0), (f"{conv}.4.weight", 0), (f"{conv}.4.bias", 0))
    return first, second


def _up(shapes: Shapes, index: int, usual: int) -> tuple[int, int, int]:
    upsampled = vote(shapes, usual, (f"ups.{2 * index}.weight", 1), (f"ups.{2 * index}.bias", 0))
    return upsampled, *_block(shapes, f"ups.{2 * index + 1}", usual)
