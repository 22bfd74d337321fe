"""MobileUNet: cheap on any processor, for people against their background; `examples/train.py` trains it.

Two plain convolutions to a quarter, stages of inverted residuals (Sandler et al. 2018) to a 32nd, the mean of the whole picture
added there (Liu, Rabinovich & Berg 2015), sums of a pyramid on the way up (Lin et al. 2017), and at half the size four logits
a pixel, one for each that it stands for.

Keys: `stem.K.{0,1}`, `stages.S.B.{expand,depthwise,project}.{0,1}`, `context.{0,2}`, `narrow.K.{0,1}`, `skip.K.{0,1}`,
`blend.K.{0,1}.{0,1}`, the last one `blend.K.{0,1}`, `head`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.presets import PREPROCESSING

MOST = 12  # stages, or blocks in one: 4096 pixels halved twelve times is one
SHUFFLED = 2
"""Each map of the head becomes this many pixels each way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks at one size; the first of them halves it."""

    out: int
    blocks: int
    expansion: int
    """Channels of the depthwise convolution, as a multiple of the block's input."""
    kernel: int


STEM = (16, 24)
STAGES = (
    Stage(out=40, blocks=3, expansion=3, kernel=3),
    Stage(out=64, blocks=4, expansion=4, kernel=5),
    Stage(out=80, blocks=3, expansion=3, kernel=5),
)


def activation() -> nn.Module:
    """ReLU6: a range that int8 knows beforehand."""
    return nn.ReLU6(inplace=True)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; plus the input where shapes agree."""

    def __init__(self, in_channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        width = stage.expansion * in_channels
        self.expand = conv_norm(in_channels, width, 1, activation())
        self.depthwise = conv_norm(width, width, stage.kernel, activation(), stride=stride, groups=width)
        self.project = conv_norm(width, stage.out, 1, None)
        self.residual = stride == 1 and in_channels == stage.out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.residual else out


class MobileUNet(nn.Module):
    """`(N, 3, H, W)` → logits `(N, out_channels, H, W)`; H and W are multiples of two."""

    def __init__(self, stem: Sequence[int] = STEM, stages: Sequence[Stage] = STAGES, out_channels: int = 1) -> None:
        super().__init__()
        widths = (3, *stem, *(stage.out for stage in stages))
        self.stem = nn.ModuleList(
            conv_norm(below, width, 3, activation(), stride=2) for below, width in zip(widths, stem, strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*_blocks(below, stage)) for below, stage in zip(widths[len(stem) :], stages, strict=False)
        )
        lowest = widths[-1]
        self.context = nn.Sequential(nn.Conv2d(lowest, lowest, 1), activation(), nn.Conv2d(lowest, lowest, 1))
        self.narrow, self.skip, self.blend = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for below, width in zip(widths[:1:-1], widths[-2:0:-1], strict=True):
            self.narrow.append(conv_norm(below, width, 1, None))
            self.skip.append(conv_norm(width, width, 1, None))
            within = conv_norm(width, width, 3, activation(), groups=width)
            is_last = len(self.skip) == len(widths) - 2
            self.blend.append(within if is_last else nn.Sequential(within, conv_norm(width, width, 1, activation())))
        self.head = nn.Conv2d(widths[1], SHUFFLED**2 * out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for stage in (*self.stem, *self.stages):
            x = stage(x)
            maps.append(x)
        x = maps.pop()
        x = x + self.context(x.mean((2, 3), keepdim=True))
        for narrow, skip, blend in zip(self.narrow, self.skip, self.blend, strict=True):
            beside = maps.pop()
            x = F.interpolate(narrow(x), size=beside.shape[2:], mode="bilinear", align_corners=False)
            x = blend(F.relu6(x + skip(beside), inplace=True))
        return F.pixel_shuffle(self.head(x), SHUFFLED)


def _blocks(below: int, stage: Stage) -> Iterator[nn.Module]:
    for index in range(stage.blocks):
        yield InvertedResidual(stage.out if index else below, stage, 1 if index else 2)


def plan_mobile_unet(shapes: Shapes) -> Plan:
    """The MobileUNet that the shapes come nearest to."""
    stem = list(_read_stem(shapes))
    stages = list(_read_stages(shapes, stem[-1]))
    logits = vote(shapes, SHUFFLED**2, ("head.weight", 0), ("head.bias", 0))
    out_channels = max(1, logits // SHUFFLED**2)
    with torch.device("meta"):
        module = MobileUNet(stem, stages, out_channels)
    multiple = 2 ** (len(stem) + len(stages))
    widths = "-".join(map(str, (*stem, *(stage.out for stage in stages))))
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=f"widths {widths}",
        input_key="stem.0.0.weight",
        sizes=Sizes(
            rule=f"multiples of {multiple}",
            default=(max(256, multiple), max(256, multiple)),
            least=multiple,
            multiple=multiple,
        ),
        reasons=(
            f"stem and stages are {plural(len(stem), 'convolution')} and {plural(len(stages), 'stage')} of inverted residuals",
            f"head gives {SHUFFLED}x{SHUFFLED} pixels of {plural(out_channels, 'channel')}",
        ),
        preprocessing=PREPROCESSING["unit"],
    )


def _count(shapes: Shapes, pattern: str, usual: int) -> int:
    """How many are numbered from 0."""
    found = [int(match[1]) for key in shapes if (match := re.match(pattern, key))]
    return min(max(found) + 1, MOST) if found else usual


def _read_stem(shapes: Shapes) -> Iterator[int]:
    for index in range(_count(shapes, r"stem\.(\d{1,2})\.", len(STEM))):
        keys = (f"stem.{index}.0.weight", f"stem.{index}.1.weight", f"stem.{index}.1.bias")
        yield vote(shapes, STEM[min(index, len(STEM) - 1)], *((key, 0) for key in keys))


def _read_stages(shapes: Shapes, below: int) -> Iterator[Stage]:
    for index in range(_count(shapes, r"stages\.(\d{1,2})\.", len(STAGES))):
        usual = STAGES[min(index, len(STAGES) - 1)]
        first = f"stages.{index}.0"
        expand, depthwise, project = (f"{first}.{name}.0.weight" for name in ("expand", "depthwise", "project"))
        wide = vote(shapes, usual.expansion * below, (expand, 0), (depthwise, 0), (project, 1))
        stage = Stage(
            out=vote(shapes, usual.out, (project, 0), (f"{first}.project.1.weight", 0)),
            blocks=_count(shapes, rf"stages\.{index}\.(\d{{1,2}})\.", usual.blocks),
            expansion=max(1, wide // below),
            kernel=vote(shapes, usual.kernel, (depthwise, 2), (depthwise, 3)),
        )
        yield stage
        below = stage.out
