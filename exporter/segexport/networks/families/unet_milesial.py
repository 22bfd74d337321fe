"""The U-Net of milesial's Pytorch-UNet: one double convolution, levels down by max pools, levels up to logits.

Layout of the keys: `inc.double_conv.{0,1,3,4}`, `downK.maxpool_conv.1.double_conv.*`, `upK.conv.double_conv.*`, `outc.conv`,
and `upK.up` where a transposed convolution doubles the map; without it that is done bilinearly, corners on corners.
Any widths, any number of levels; convolutions before a batch norm have a bias in files from before 2021.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import named_layers
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.presets import PREPROCESSING

MOST_LEVELS = 12  # 4096 pixels halved twelve times is one
USUAL_LEVELS, USUAL_WIDTH = 4, 64
AUTHORS = "its authors trained on RGB in 0..1, which is taken where nothing else is said: --preprocess unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvPair:
    """Output channels of two convolutions."""

    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """`downs` begins with the block at full size; `ups` with the deepest; `upsampled` is None where it is bilinear."""

    downs: tuple[ConvPair, ...]
    ups: tuple[ConvPair, ...]
    upsampled: tuple[int, ...] | None

    @property
    def levels(self) -> int:
        return len(self.ups)

    def describe(self) -> str:
        """`transposed upsampling, widths 64-128-256-512-1024`."""
        how = "bilinear" if self.upsampled is None else "transposed"
        return f"{how} upsampling, widths {'-'.join(str(block.second) for block in self.downs)}"


def double_conv(in_channels: int, block: ConvPair, *, bias: bool) -> nn.Sequential:
    """Twice: 3x3 convolution, batch norm, ReLU."""
    return named_layers(
        double_conv=nn.Sequential(
            nn.Conv2d(in_channels, block.first, 3, padding=1, bias=bias),
            nn.BatchNorm2d(block.first),
            nn.ReLU(),
            nn.Conv2d(block.first, block.second, 3, padding=1, bias=bias),
            nn.BatchNorm2d(block.second),
            nn.ReLU(),
        )
    )


class Up(nn.Module):
    """Doubled, padded with zeros to the size of the map next to it, put behind that, and a block."""

    def __init__(self, below: int, beside: int, upsampled: int | None, block: ConvPair, *, bias: bool) -> None:
        super().__init__()
        self.up: nn.Module
        if upsampled is None:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        else:
            self.up = nn.ConvTranspose2d(below, upsampled, 2, stride=2)
        self.conv = double_conv(beside + (below if upsampled is None else upsampled), block, bias=bias)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)
        rows, columns = (skip.shape[axis] - x.shape[axis] for axis in (2, 3))
        if rows or columns:
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        out: Tensor = self.conv(torch.cat((skip, x), dim=1))
        return out


class MilesialUNet(nn.Module):
    """`(N, 3, H, W)` → logits `(N, out_channels, H, W)`."""

    def __init__(self, widths: Widths, out_channels: int = 2, *, bias: bool = False) -> None:
        super().__init__()
        self.levels = widths.levels
        first, *deeper = widths.downs
        self.inc = double_conv(3, first, bias=bias)
        below = first.second
        for level, block in enumerate(deeper, 1):
            down = nn.Sequential(nn.MaxPool2d(2), double_conv(below, block, bias=bias))
            self.add_module(f"down{level}", named_layers(maxpool_conv=down))
            below = block.second
        for level, block in enumerate(widths.ups, 1):
            upsampled = None if widths.upsampled is None else widths.upsampled[level - 1]
            beside = widths.downs[self.levels - level].second
            self.add_module(f"up{level}", Up(below, beside, upsampled, block, bias=bias))
            below = block.second
        self.outc = named_layers(conv=nn.Conv2d(below, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.inc(x)]
        for level in range(1, self.levels + 1):
            maps.append(self.get_submodule(f"down{level}")(maps[-1]))
        x = maps.pop()
        for level in range(1, self.levels + 1):
            x = self.get_submodule(f"up{level}")(x, maps.pop())
        out: Tensor = self.outc(x)
        return out


def plan_unet_milesial(shapes: Shapes) -> Plan:
    """The member that the shapes come nearest to."""
    widths = read_widths(shapes)
    out_channels = vote(shapes, 2, ("outc.conv.weight", 0), ("outc.conv.bias", 0))
    with torch.device("meta"):
        module = MilesialUNet(widths, out_channels, bias="inc.double_conv.0.bias" in shapes)
    multiple = 2**widths.levels
    up = "up1.up is no key, so maps are doubled bilinearly" if widths.upsampled is None else "upK.up double the maps"
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=widths.describe(),
        input_key="inc.double_conv.0.weight",
        sizes=Sizes(
            rule=f"any from {multiple} pixels; multiples of {multiple} are best",
            default=(max(256, multiple),) * 2,
            least=multiple,
        ),
        reasons=(
            f"inc, down1 to down{widths.levels} and up1 to up{widths.levels} hold two 3x3 convolutions each; {up}",
            f"outc gives {plural(out_channels, 'channel')}",
        ),
        notes=(AUTHORS,),
        preprocessing=PREPROCESSING["unit"],
    )


def read_widths(shapes: Shapes) -> Widths:
    """Every width from its own tensors; those of the original where there are none."""
    found = [int(match[1]) for key in shapes if (match := re.match(r"(?:down|up)(\d{1,2})\.", key))]
    levels = min(max(found, default=USUAL_LEVELS), MOST_LEVELS)
    levels = max(levels, 1)
    bilinear = any(re.match(r"up\d+\.conv\.", key) for key in shapes) and not any(
        re.match(r"up\d+\.up\.", key) for key in shapes
    )
    usual = [USUAL_WIDTH * 2**level for level in range(levels + 1)]
    downs = [_block(shapes, "inc", usual[0])] + [
        _block(shapes, f"down{level}.maxpool_conv.1", usual[level]) for level in range(1, levels + 1)
    ]
    ups = [_block(shapes, f"up{level}.conv", usual[levels - level]) for level in range(1, levels + 1)]
    upsampled = [
        vote(shapes, usual[levels - level], (f"up{level}.up.weight", 1), (f"up{level}.up.bias", 0))
        for level in range(1, levels + 1)
    ]
    return Widths(downs=tuple(downs), ups=tuple(ups), upsampled=None if bilinear else tuple(upsampled))


def _block(shapes: Shapes, path: str, usual: int) -> ConvPair:
    conv = f"{path}.double_conv"
    return ConvPair(
        first=vote(shapes, usual, (f"{conv}.0.weight", 0), (f"{conv}.1.weight", 0), (f"{conv}.3.weight", 1)),
        second=vote(shapes, usual, (f"{conv}.3.weight", 0), (f"{conv}.4.weight", 0), (f"{conv}.4.bias", 0)),
    )
