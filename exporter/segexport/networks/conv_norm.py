"""Convolution, batch norm, activation: what every backbone and head is made of.

Keys as torchvision and others name them: `0` the convolution, `1` its batch norm; an activation has none.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

EPS = 1e-5  # PyTorch's own; MobileNetV3 has another


def same_conv(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias that pads to keep its map's size (before the stride)."""
    padding = (kernel - 1) // 2 * dilation
    return nn.Conv2d(
        in_channels, out_channels, kernel, stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )


def normed(convolution: nn.Conv2d, activation: nn.Module | None, eps: float = EPS) -> nn.Sequential:
    """The convolution, batch norm, activation."""
    layers = [convolution, nn.BatchNorm2d(convolution.out_channels, eps=eps)]
    return nn.Sequential(*layers) if activation is None else nn.Sequential(*layers, activation)


def conv_norm(
    in_channels: int, out_channels: int, kernel: int, activation: nn.Module | None, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return normed(same_conv(in_channels, out_channels, kernel, stride=stride, groups=groups), activation)


def conv_norm_relu(in_channels: int, out_channels: int, kernel: int, rate: int = 1) -> nn.Sequential:
    return normed(same_conv(in_channels, out_channels, kernel, dilation=rate), nn.ReLU())


def separable_conv(in_channels: int, out_channels: int, rate: int = 1) -> nn.Sequential:
    """A 3x3 convolution within each channel, then a 1x1 across them; neither has a bias."""
    within = nn.Conv2d(in_channels, in_channels, 3, padding=rate, dilation=rate, groups=in_channels, bias=False)
    return nn.Sequential(within, nn.Conv2d(in_channels, out_channels, 1, bias=False))


def named_layers(**layers: nn.Module) -> nn.Sequential:
    """One after the other, under names instead of numbers."""
    return nn.Sequential(OrderedDict(layers))
