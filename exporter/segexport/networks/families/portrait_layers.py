"""What SINet and ExtremeC3 are made of: PReLU for each channel, batch norm with an epsilon of its own, no biases.

Park et al. 2019 (clovaai/ext_portrait_segmentation).
"""

from __future__ import annotations

import re

from torch import nn

from segexport.networks.conv_norm import named_layers
from segexport.networks.network import Shapes
from segexport.presets import Preprocessing

EPS = 1e-3
COLOR = "bgr"
PREPROCESSING = Preprocessing(
    name="custom",
    mean=tuple(value / 255 for value in (107.304565, 115.69884, 132.35703)),
    std=(63.97182, 65.1337, 68.29726),  # for 0..1 too: the authors divide by 255 once more after mean and std of bytes
)
AUTHORS = (
    "its authors trained on BGR, divided by 255 after mean and std of bytes, which is taken where nothing else is said: "
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


def count_blocks(shapes: Shapes, level: int, usual: int, most: int) -> int:
    """Modules of `encoder.level2` or `encoder.level3`, as their keys are numbered; `usual` where there is none."""
    found = [int(match[1]) for key in shapes if (match := re.match(rf"encoder\.level{level}\.(\d{{1,2}})\.", key))]
    return min(max(found, default=usual - 1) + 1, most)
