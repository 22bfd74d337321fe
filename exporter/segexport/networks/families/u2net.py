"""U²-Net: a U-Net whose every stage is a U-Net of its own; six maps of scores, and the seventh made of them.

Qin et al. 2020 (xuebinqin/U-2-Net): U2NET, U2NETP and any other widths. Layout of the keys: `stageK.rebnconvN.{conv_s1,bn_s1}`,
`stageKd.*` on the way up, `side1` to `side6`, `outconv`. Dilations are no keys: they are the original's.

The original's forward gives seven maps through a sigmoid each; the first, of `outconv`, is the mask. Here it comes before
its sigmoid: that one is the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import named_layers
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.presets import PREPROCESSING

HEIGHTS = {"stage1": 7, "stage2": 6, "stage3": 5, "stage4": 4, "stage5": 4, "stage6": 4}
DILATED = ("stage5", "stage6", "stage5d")
DOWN = tuple(HEIGHTS)
UP = ("stage5d", "stage4d", "stage3d", "stage2d", "stage1d")
SIDES = {
    "side1": "stage1d",
    "side2": "stage2d",
    "side3": "stage3d",
    "side4": "stage4d",
    "side5": "stage5d",
    "side6": "stage6",
}
NOTES = (
    "its first output, of outconv, is the mask; the other six are for training",
    "that output's own sigmoid is the head (--head sigmoid, as auto does), so it is not applied twice",
    "its authors trained with ImageNet's mean and standard deviation, which are taken where nothing else is said: "
    "--preprocess imagenet; they divided by each picture's largest value before, and stretch each mask to 0..1 "
    "afterwards, which the files made here do not",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """Channels inside a stage, and those that it gives."""

    inside: int
    out: int


SMALL = {stage: Width(inside=16, out=64) for stage in (*DOWN, *UP)}
FULL = {
    "stage1": Width(inside=32, out=64),
    "stage2": Width(inside=32, out=128),
    "stage3": Width(inside=64, out=256),
    "stage4": Width(inside=128, out=512),
    "stage5": Width(inside=256, out=512),
    "stage6": Width(inside=256, out=512),
    "stage5d": Width(inside=256, out=512),
    "stage4d": Width(inside=128, out=256),
    "stage3d": Width(inside=64, out=128),
    "stage2d": Width(inside=32, out=64),
    "stage1d": Width(inside=16, out=64),
}
MEMBERS = {"U2NETP": SMALL, "U2NET": FULL}


def conv_relu(in_channels: int, out_channels: int, rate: int = 1) -> nn.Sequential:
    """3x3 convolution with bias, batch norm, ReLU."""
    return named_layers(
        conv_s1=nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate),
        bn_s1=nn.BatchNorm2d(out_channels),
        relu_s1=nn.ReLU(),
    )


def halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, stride=2, ceil_mode=True)


def brought_up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class StagePlan(nn.Module):
    """A convolution, plus a U-Net of `height` levels on what it gives; where `dilated` no level is halved."""

    def __init__(self, in_channels: int, width: Width, height: int, *, dilated: bool) -> None:
        super().__init__()
        self.height, self.dilated = height, dilated
        self.rebnconvin = conv_relu(in_channels, width.out)
        for level in range(1, height + 1):
            below = width.out if level == 1 else width.inside
            self.add_module(f"rebnconv{level}", conv_relu(below, width.inside, self.rate(level)))
        for level in range(1, height):
            above = width.out if level == 1 else width.inside
            self.add_module(f"rebnconv{level}d", conv_relu(2 * width.inside, above, self.rate(level)))

    def rate(self, level: int) -> int:
        """The dilation of a level, both ways; the last level, which is not halved, dilates in its place."""
        if self.dilated:
            return 1 << (level - 1)
        return 2 if level == self.height else 1

    def forward(self, x: Tensor) -> Tensor:
        x = self.rebnconvin(x)
        first = x
        maps: list[Tensor] = []
        for level in range(1, self.height):
            maps.append(self.get_submodule(f"rebnconv{level}")(x))
            x = maps[-1] if self.dilated or level == self.height - 1 else halved(maps[-1])
        x = self.get_submodule(f"rebnconv{self.height}")(x)
        for level in range(self.height - 1, 0, -1):
            beside = maps[level - 1]
            x = self.get_submodule(f"rebnconv{level}d")(torch.cat((brought_up(x, beside), beside), dim=1))
        out: Tensor = x + first
        return out


class U2Net(nn.Module):
    """`(N, 3, H, W)` → logits `(N, out_channels, H, W)`."""

    def __init__(self, widths: Mapping[str, Width], out_channels: int = 1) -> None:
        super().__init__()
        below = 3
        for stage in DOWN:
            self.add_module(stage, make_stage(stage, below, widths))
            below = widths[stage].out
        for stage in UP:
            beside = widths[stage.removesuffix("d")].out
            self.add_module(stage, make_stage(stage, below + beside, widths))
            below = widths[stage].out
        for side, stage in SIDES.items():
            self.add_module(side, nn.Conv2d(widths[stage].out, out_channels, 3, padding=1))
        self.outconv = nn.Conv2d(len(SIDES) * out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps: dict[str, Tensor] = {}
        for stage in DOWN:
            maps[stage] = x = self.get_submodule(stage)(x)
            x = x if stage == DOWN[-1] else halved(x)
        for stage in UP:
            beside = maps[stage.removesuffix("d")]
            maps[stage] = x = self.get_submodule(stage)(torch.cat((brought_up(x, beside), beside), dim=1))
        scores = [self.get_submodule(side)(maps[stage]) for side, stage in SIDES.items()]
        out: Tensor = self.outconv(torch.cat([brought_up(score, scores[0]) for score in scores], dim=1))
        return out


def make_stage(stage: str, in_channels: int, widths: Mapping[str, Width]) -> StagePlan:
    height = HEIGHTS[stage.removesuffix("d")]
    return StagePlan(in_channels, widths[stage], height, dilated=stage in DILATED)


def plan_u2net(shapes: Shapes) -> Plan:
    """The U²-Net that the shapes come nearest to."""
    widths = {stage: read_width(shapes, stage) for stage in SMALL}
    out_channels = vote(shapes, 1, ("side1.weight", 0), ("side2.weight", 0), ("outconv.weight", 0), ("outconv.bias", 0))
    with torch.device("meta"):
        module = U2Net(widths, out_channels)
    name = next((name for name, usual in MEMBERS.items() if usual == widths), None)
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=name or f"stages of {'-'.join(str(widths[stage].out) for stage in DOWN)} channels",
        input_key="stage1.rebnconvin.conv_s1.weight",
        sizes=Sizes(default=(320, 320)),
        reasons=(
            "stage1 to stage6 and stage5d to stage1d are U-Nets of their own, side1 to side6 give their scores",
            f"outconv gives {plural(out_channels, 'channel')}",
        ),
        notes=NOTES,
        preprocessing=PREPROCESSING["imagenet"],
    )


def read_width(shapes: Shapes, stage: str) -> Width:
    """Of one stage, from several of its layers; U2NETP's where there are none."""
    out = ("rebnconvin.conv_s1.weight", "rebnconvin.bn_s1.weight", "rebnconv1d.conv_s1.weight")
    inside = ("rebnconv1.conv_s1.weight", "rebnconv1.bn_s1.weight", "rebnconv2.conv_s1.weight")
    return Width(
        inside=vote(shapes, SMALL[stage].inside, *((f"{stage}.{key}", 0) for key in inside)),
        out=vote(shapes, SMALL[stage].out, *((f"{stage}.{key}", 0) for key in out)),
    )
