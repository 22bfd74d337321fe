"""Fast-SCNN: three convolutions down to an eighth, a MobileNetV2-like extractor with a pyramid of pools, both fused.

Poudel, Liwicki & Cipolla 2019, with the keys of Tramac's Fast-SCNN-pytorch: `learning_to_downsample.*`,
`global_feature_extractor.{bottleneckK.B.block,ppm}.*`, `feature_fusion.*`, `classifier.*`, perhaps `auxlayer.*`, which only
helps training. Maps are brought up corners on corners. The first convolution does not pad.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm, conv_norm_relu, named_layers
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.presets import PREPROCESSING

STEM = (32, 48, 64)
WIDTHS = (64, 96, 128)
STRIDES = (2, 2, 1)
BLOCKS = 3
EXPANSION = 6
FUSED = 128
BINS = (1, 2, 3, 6)
AUX_WIDTH = 32
CITYSCAPES = 19
MULTIPLE = 32
AUTHORS = (
    "its authors trained with ImageNet's mean and standard deviation, which are taken where nothing else is said: "
    "--preprocess imagenet"
)


def wrapped(*layers: nn.Module) -> nn.Sequential:
    """Layers under the name `conv`."""
    return named_layers(conv=nn.Sequential(*layers))


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    return wrapped(*conv_norm_relu(in_channels, out_channels, 1))


def depthwise(channels: int, stride: int = 1) -> nn.Sequential:
    return conv_norm(channels, channels, 3, nn.ReLU(), stride=stride, groups=channels)


def separable(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Depthwise, then 1x1, each with batch norm and ReLU."""
    return wrapped(*depthwise(in_channels, stride), *conv_norm_relu(in_channels, out_channels, 1))


def brought_up(x: Tensor, like: Tensor) -> Tensor:
    """To the size of `like`, bilinear, corners on corners."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


class LinearBottleneck(nn.Module):
    """Expand, depthwise, project; plus the input where shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        width = EXPANSION * in_channels
        self.block = nn.Sequential(
            pointwise(in_channels, width), wrapped(*depthwise(width, stride)), *conv_norm(width, out_channels, 1, None)
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return x + out if self.residual else out


class Pyramid(nn.Module):
    """Means over 1, 2x2, 3x3 and 6x6 parts, a quarter of the channels each, next to the map itself."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        for number, _ in enumerate(BINS, 1):
            self.add_module(f"conv{number}", pointwise(channels, channels // len(BINS)))
        self.out = pointwise(2 * channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [
            brought_up(self.get_submodule(f"conv{number}")(F.adaptive_avg_pool2d(x, bins)), x)
            for number, bins in enumerate(BINS, 1)
        ]
        out: Tensor = self.out(torch.cat((x, *pooled), dim=1))
        return out


class FeatureFusion(nn.Module):
    """The extractor's map, four times as high and wide, on the one at an eighth."""

    def __init__(self) -> None:
        super().__init__()
        self.dwconv = wrapped(*depthwise(FUSED))
        self.conv_lower_res = nn.Sequential(nn.Conv2d(FUSED, FUSED, 1), nn.BatchNorm2d(FUSED))
        self.conv_higher_res = nn.Sequential(nn.Conv2d(STEM[-1], FUSED, 1), nn.BatchNorm2d(FUSED))

    def forward(self, at_8: Tensor, at_32: Tensor) -> Tensor:
        lower = F.interpolate(at_32, scale_factor=4, mode="bilinear", align_corners=True)
        return F.relu(self.conv_higher_res(at_8) + self.conv_lower_res(self.dwconv(lower)))


class FastSCNN(nn.Module):
    """`(N, 3, H, W)` → logits `(N, classes, H, W)`."""

    def __init__(self, classes: int = CITYSCAPES, aux_classes: int | None = None) -> None:
        super().__init__()
        first = (nn.Conv2d(3, STEM[0], 3, stride=2, bias=False), nn.BatchNorm2d(STEM[0]), nn.ReLU())
        self.learning_to_downsample = named_layers(
            conv=wrapped(*first), dsconv1=separable(STEM[0], STEM[1], 2), dsconv2=separable(STEM[1], STEM[2], 2)
        )
        self.global_feature_extractor = named_layers(**_stages(), ppm=Pyramid(WIDTHS[-1], FUSED))
        self.feature_fusion = FeatureFusion()
        self.classifier = named_layers(
            dsconv1=separable(FUSED, FUSED),
            dsconv2=separable(FUSED, FUSED),
            conv=nn.Sequential(nn.Dropout(0.1), nn.Conv2d(FUSED, classes, 1)),
        )
        self.auxlayer = None if aux_classes is None else _aux_layer(aux_classes)

    def forward(self, x: Tensor) -> Tensor:
        at_8 = self.learning_to_downsample(x)
        fused = self.feature_fusion(at_8, self.global_feature_extractor(at_8))
        return brought_up(self.classifier(fused), x)


def _stages() -> dict[str, nn.Module]:
    stages: dict[str, nn.Module] = {}
    below = STEM[-1]
    for number, (width, stride) in enumerate(zip(WIDTHS, STRIDES, strict=True), 1):
        rest = (LinearBottleneck(width, width, 1) for _ in range(BLOCKS - 1))
        stages[f"bottleneck{number}"] = nn.Sequential(LinearBottleneck(below, width, stride), *rest)
        below = width
    return stages


def _aux_layer(classes: int) -> nn.Sequential:
    return nn.Sequential(*conv_norm_relu(STEM[-1], AUX_WIDTH, 3), nn.Dropout(0.1), nn.Conv2d(AUX_WIDTH, classes, 1))


def plan_fast_scnn(shapes: Shapes) -> Plan:
    """The Fast-SCNN that the shapes come nearest to."""
    classes = vote(shapes, CITYSCAPES, ("classifier.conv.1.weight", 0), ("classifier.conv.1.bias", 0))
    has_aux = any(key.startswith("auxlayer.") for key in shapes)
    with torch.device("meta"):
        module = FastSCNN(classes, vote(shapes, classes, ("auxlayer.4.weight", 0)) if has_aux else None)
    left_out = ("auxiliary head (auxlayer.*) left out: the mask does not need it",) if has_aux else ()
    return Plan(
        module=module,
        out_channels=classes,
        variant=plural(classes, "class", "classes") + (", auxiliary head" if has_aux else ""),
        input_key="learning_to_downsample.conv.conv.0.weight",
        sizes=Sizes(rule=f"multiples of {MULTIPLE}", default=(256, 256), least=MULTIPLE, multiple=MULTIPLE),
        reasons=(
            "learning_to_downsample, global_feature_extractor and feature_fusion are Fast-SCNN's",
            f"classifier.conv.1 gives {plural(classes, 'channel')}",
        ),
        notes=(*left_out, AUTHORS),
        preprocessing=PREPROCESSING["imagenet"],
        dropped=("auxlayer",) if has_aux else (),
    )
