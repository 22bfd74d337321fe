"""MODNet on MobileNetV2: a coarse branch, a detailed one, and one that fuses both into the matte.

Ke et al. 2022 (ZHKKKe/MODNet). Layout of the keys: `backbone.model.features.*`, the same tensors once more as
`lr_branch.backbone.model.features.*`, `lr_branch.*`, `hr_branch.*`, `f_branch.*`. A convolution is `layers.0`, its norm
`layers.1.bnorm`: batch norm for the first half of the channels, instance norm, which has no weights, for the rest.

The original's forward gives (semantics, details, matte), each through a sigmoid; only the matte is needed. Here it comes
before its sigmoid: that one is the head.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.conv_norm import conv_norm, named_layers
from segexport.networks.families.mobilenetv2 import LAST_CHANNELS, STEM_CHANNELS, TABLE
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.presets import PREPROCESSING

USUAL_WIDTH = 32
MULTIPLE = 32
AT_2, AT_4, AT_8, AT_16 = 16, 24, 32, 96
"""Channels of MobileNetV2's maps at a half, a quarter … of the picture."""
BLOCK_AT_2, BLOCK_AT_4 = 1, 3
SQUEEZE = 4
ONLY_FOR_TRAINING = ("lr_branch.conv_lr", "hr_branch.conv_hr")
NOTES = (
    "its third output, the matte, is the mask; the heads for semantics and details are left out",
    "the matte's own sigmoid is the head (--head sigmoid, as auto does), so it is not applied twice",
    "its authors trained on RGB in -1..1, which is taken where nothing else is said: --preprocess symmetric",
)


class HalfBatchHalfInstance(nn.Module):
    """Batch norm for the first half of the channels, instance norm for the second."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch_normed = channels // 2
        self.bnorm = nn.BatchNorm2d(self.batch_normed)
        self.inorm = nn.InstanceNorm2d(channels - self.batch_normed)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.bnorm(x[:, : self.batch_normed]), self.inorm(x[:, self.batch_normed :])), dim=1)


def layers(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """Convolution with bias, norm, ReLU."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
    return named_layers(layers=nn.Sequential(convolution, HalfBatchHalfInstance(out_channels), nn.ReLU()))


def last(in_channels: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """A convolution to one channel."""
    return named_layers(layers=nn.Sequential(nn.Conv2d(in_channels, 1, kernel, stride, padding=kernel // 2)))


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class MODNetResidual(nn.Module):
    """MobileNetV2's block, its layers numbered one after the other in `conv`."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = expansion * in_channels
        self.conv = nn.Sequential(
            *(() if expansion == 1 else conv_norm(in_channels, width, 1, nn.ReLU6())),
            *conv_norm(width, width, 3, nn.ReLU6(), stride=stride, groups=width),
            *conv_norm(width, out_channels, 1, None),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class Features(nn.Sequential):
    """`(N, 3, H, W)` → MobileNetV2's maps at a half, a quarter and a 32nd of it."""

    def __init__(self) -> None:
        super().__init__(
            conv_norm(3, STEM_CHANNELS, 3, nn.ReLU6(), stride=2),
            *_blocks(),
            conv_norm(TABLE[-1].out, LAST_CHANNELS, 1, nn.ReLU6()),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps: list[Tensor] = []
        for layer in self:
            x = layer(x)
            maps.append(x)
        return maps[BLOCK_AT_2], maps[BLOCK_AT_4], x


def _blocks() -> Iterator[nn.Module]:
    below = STEM_CHANNELS
    for row in TABLE:
        for index in range(row.blocks):
            yield MODNetResidual(below, row.out, row.expansion, row.stride if index == 0 else 1)
            below = row.out


class Squeeze(nn.Module):
    """Each channel times a weight that all channels' means decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // SQUEEZE, bias=False),
            nn.ReLU(),
            nn.Linear(channels // SQUEEZE, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.fc(self.pool(x).flatten(1))
        return x * weights[:, :, None, None]


class LowResolution(nn.Module):
    """The picture → its map at an eighth, and the backbone's at a half and a quarter."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.se_block = Squeeze(LAST_CHANNELS)
        self.conv_lr16x = layers(LAST_CHANNELS, AT_16, 5)
        self.conv_lr8x = layers(AT_16, AT_8, 5)
        self.conv_lr = last(AT_8, 3, stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        at_2, at_4, at_32 = self.backbone(image)
        at_16 = self.conv_lr16x(doubled(self.se_block(at_32)))
        return at_2, at_4, self.conv_lr8x(doubled(at_16))


class HighResolution(nn.Module):
    """Picture and maps → the detailed map at a half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tohr_enc2x = layers(AT_2, width, 1)
        self.conv_enc2x = layers(width + 3, width, 3, stride=2)
        self.tohr_enc4x = layers(AT_4, width, 1)
        self.conv_enc4x = layers(2 * width, 2 * width, 3)
        self.conv_hr4x = nn.Sequential(
            layers(2 * width + AT_8 + 3, 2 * width, 3), layers(2 * width, 2 * width, 3), layers(2 * width, width, 3)
        )
        self.conv_hr2x = nn.Sequential(
            layers(2 * width, 2 * width, 3),
            layers(2 * width, width, 3),
            layers(width, width, 3),
            layers(width, width, 3),
        )
        self.conv_hr = nn.Sequential(layers(width + 3, width, 3), last(width, 1))

    def forward(self, image: Tensor, at_2: Tensor, at_4: Tensor, at_8: Tensor) -> Tensor:
        half, quarter = (
            F.interpolate(image, scale_factor=s, mode="bilinear", align_corners=False) for s in (0.5, 0.25)
        )
        at_2 = self.tohr_enc2x(at_2)
        fine = self.conv_enc2x(torch.cat((half, at_2), dim=1))
        fine = self.conv_enc4x(torch.cat((fine, self.tohr_enc4x(at_4)), dim=1))
        fine = self.conv_hr4x(torch.cat((fine, doubled(at_8), quarter), dim=1))
        out: Tensor = self.conv_hr2x(torch.cat((doubled(fine), at_2), dim=1))
        return out


class Fusion(nn.Module):
    """Both branches and the picture → the matte's logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_lr4x = layers(AT_8, width, 5)
        self.conv_f2x = layers(2 * width, width, 3)
        self.conv_f = nn.Sequential(layers(width + 3, width // 2, 3), last(width // 2, 1))

    def forward(self, image: Tensor, at_8: Tensor, fine: Tensor) -> Tensor:
        coarse = doubled(self.conv_lr4x(doubled(at_8)))
        fused = doubled(self.conv_f2x(torch.cat((coarse, fine), dim=1)))
        out: Tensor = self.conv_f(torch.cat((fused, image), dim=1))
        return out


class MODNet(nn.Module):
    """`(N, 3, H, W)` → the matte's logits `(N, 1, H, W)`."""

    def __init__(self, width: int = USUAL_WIDTH) -> None:
        super().__init__()
        self.backbone = named_layers(model=named_layers(features=Features()))
        self.lr_branch = LowResolution(self.backbone)
        self.hr_branch = HighResolution(width)
        self.f_branch = Fusion(width)

    def forward(self, image: Tensor) -> Tensor:
        at_2, at_4, at_8 = self.lr_branch(image)
        out: Tensor = self.f_branch(image, at_8, self.hr_branch(image, at_2, at_4, at_8))
        return out


def plan_modnet(shapes: Shapes) -> Plan:
    """The MODNet that the shapes come nearest to."""
    widths = ("hr_branch.tohr_enc2x", "hr_branch.conv_enc2x", "f_branch.conv_lr4x")
    width = max(
        vote(shapes, USUAL_WIDTH, *((f"{path}.layers.0.{kind}", 0) for path in widths for kind in ("weight", "bias"))),
        2,
    )
    with torch.device("meta"):
        module = MODNet(width)
    return Plan(
        module=module,
        out_channels=1,
        variant="MobileNetV2" if width == USUAL_WIDTH else f"MobileNetV2, width {width}",
        input_key="backbone.model.features.0.0.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", default=(512, 512), least=MULTIPLE, multiple=MULTIPLE),
        reasons=("lr_branch, hr_branch and f_branch are MODNet's on MobileNetV2; f_branch gives the matte",),
        notes=NOTES,
        preprocessing=PREPROCESSING["symmetric"],
        dropped=ONLY_FOR_TRAINING,
    )
