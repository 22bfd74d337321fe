"""The atrous spatial pyramid of DeepLabV3: one map seen at five distances.

Chen, Papandreou, Schroff & Adam 2017; separable as in Chen et al. 2018 (DeepLabV3+). Keys as torchvision and
segmentation_models_pytorch name them: `convs.0` 1x1, `convs.{1,2,3}` 3x3 at growing rates, `convs.4` image pooling,
`project`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.conv_norm import conv_norm_relu, separable_conv

RATES = (12, 24, 36)
WIDTH = 256


class GlobalMean(nn.Module):
    """`(N, C, H, W)` → `(N, C, 1, 1)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class ImagePooling(nn.Sequential):
    """The whole map in one pixel, spread over the map again (nearest of one pixel is what bilinear of it is)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(GlobalMean(), *conv_norm_relu(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # nn.Sequential's
        return F.interpolate(pooled, size=x.shape[2:], mode="nearest")


class ASPP(nn.Module):
    """Five views of the map, projected to `width` channels: `(N, in_channels, H, W)` → `(N, width, H, W)`."""

    def __init__(self, in_channels: int, width: int = WIDTH, *, separable: bool = False) -> None:
        super().__init__()
        atrous = separable_conv_norm_relu if separable else _full_conv_norm_relu
        self.convs = nn.ModuleList(
            [
                conv_norm_relu(in_channels, width, 1),
                *(atrous(in_channels, width, rate) for rate in RATES),
                ImagePooling(in_channels, width),
            ]
        )
        self.project = conv_norm_relu(len(self.convs) * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(torch.cat([conv(x) for conv in self.convs], dim=1))
        return out


def separable_conv_norm_relu(in_channels: int, out_channels: int, rate: int = 1) -> nn.Sequential:
    return nn.Sequential(separable_conv(in_channels, out_channels, rate), nn.BatchNorm2d(out_channels), nn.ReLU())


def _full_conv_norm_relu(in_channels: int, out_channels: int, rate: int) -> nn.Sequential:
    return conv_norm_relu(in_channels, out_channels, 3, rate)
