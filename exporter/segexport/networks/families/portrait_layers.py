"""What SINet and ExtremeC3 are made of: PReLU for each channel, batch norm with an epsilon of its own, no biases.

Park et al. 2019 (clovaai/ext_portrait_segmentation).
"""

from __future__ import annotations

from torch import nn

from segexport.networks.conv_norm import named_layers

EPS = 1e-3
AUTHORS = (
    "its authors trained on BGR, divided by 255 once more after mean and std of bytes: "
    "--color bgr --mean 0.420802,0.453721,0.519047 --std 63.97182,65.1337,68.29726 --scale 1"
)


def norm_prelu(channels: int) -> nn.Sequential:
    """Batch norm, PReLU."""
    return named_layers(bn=nn.BatchNorm2d(channels, eps=EPS), act=nn.PReLU(channels))


def conv(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that pads to keep its map's size, before the stride."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def wrapped_conv(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """The same under the name `conv`."""
    return named_layers(conv=conv(in_channels, out_channels, kernel, stride=stride, groups=groups))


def conv_norm_prelu(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, PReLU."""
    return named_layers(
        conv=conv(in_channels, out_channels, kernel, stride=stride),
        bn=nn.BatchNorm2d(out_channels, eps=EPS),
        act=nn.PReLU(out_channels),
    )


def doubled_corners(factor: int = 2) -> nn.Upsample:
    """`factor` times as high and wide, corners on corners."""
    return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=True)
