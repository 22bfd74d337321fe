"""U-Net with batch norm, any widths, any number of output channels.

Layout of the keys: `downs.K.conv.{0,1,3,4}`, `bottle_neck.conv.*`, `ups.2K` (transposed convolution), `ups.2K+1.conv.*`,
`final_conv`. Source of the architecture: Ronneberger, Fischer & Brox 2015, with padded convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DoubleConv(nn.Module):
    """Twice: 3x3 convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class UNet(nn.Module):
    """`(N, in_channels, H, W)` → logits `(N, out_channels, H, W)`.

    Where H or W is not a multiple of `2 ** len(widths)`, the upsampled tensor is resized (bilinear) to its skip's size.
    """

    def __init__(self, widths: Sequence[int], in_channels: int = 3, out_channels: int = 1) -> None:
        super().__init__()
        self.downs = nn.ModuleList(
            DoubleConv(before, width) for before, width in zip([in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2, 2)
        self.bottle_neck = DoubleConv(widths[-1], 2 * widths[-1])
        self.ups = nn.ModuleList()
        below = 2 * widths[-1]
        for width in reversed(widths):
            self.ups.append(nn.ConvTranspose2d(below, width, 2, 2))
            self.ups.append(DoubleConv(2 * width, width))
            below = width
        self.final_conv = nn.Conv2d(widths[0], out_channels, 1)

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
