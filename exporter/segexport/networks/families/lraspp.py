"""LR-ASPP on MobileNetV3-Large as torchvision lays it out: two maps, a sixteenth and an eighth of the picture.

Howard et al. 2019, figure 10. Keys `backbone.{0..16}` as in DeepLabV3 on the same backbone, `classifier.cbr`,
`classifier.scale.1`, `classifier.low_classifier`, `classifier.high_classifier`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm_relu
from segexport.networks.families.aspp import GlobalMean
from segexport.networks.families.mobilenetv3 import LAST_CHANNELS, LOW_BLOCK, LOW_CHANNELS, DilatedMobileNetV3
from segexport.networks.families.torchvision_layout import VOC_CLASSES
from segexport.networks.network import Plan, Shapes, Sizes, vote

WIDTH = 128


class LRASPPHead(nn.Module):
    """`(N, 40, H, W)` and `(N, 960, ⌈H/2⌉, ⌈W/2⌉)` → logits `(N, classes, H, W)`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cbr = conv_norm_relu(LAST_CHANNELS, WIDTH, 1)
        self.scale = nn.Sequential(GlobalMean(), nn.Conv2d(LAST_CHANNELS, WIDTH, 1, bias=False), nn.Sigmoid())
        self.low_classifier = nn.Conv2d(LOW_CHANNELS, classes, 1)
        self.high_classifier = nn.Conv2d(WIDTH, classes, 1)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        scaled = self.cbr(high) * self.scale(high)
        scaled = F.interpolate(scaled, size=low.shape[2:], mode="bilinear", align_corners=False)
        logits: Tensor = self.low_classifier(low) + self.high_classifier(scaled)
        return logits


class LRASPP(nn.Module):
    """`(N, 3, H, W)` → logits `(N, classes, H, W)`: what torchvision returns under `out`."""

    def __init__(self, classes: int = VOC_CLASSES) -> None:
        super().__init__()
        self.backbone = DilatedMobileNetV3()
        self.classifier = LRASPPHead(classes)

    def forward(self, x: Tensor) -> Tensor:
        low = high = x
        for index, layer in enumerate(self.backbone):
            high = layer(high)
            low = high if index == LOW_BLOCK else low
        return F.interpolate(self.classifier(low, high), size=x.shape[2:], mode="bilinear", align_corners=False)


def plan_lraspp(shapes: Shapes) -> Plan:
    """LR-ASPP with the classes that the shapes show; nothing else can differ."""
    classes = vote(
        shapes,
        VOC_CLASSES,
        *((f"classifier.{name}_classifier.{kind}", 0) for name in ("low", "high") for kind in ("weight", "bias")),
    )
    with torch.device("meta"):
        module = LRASPP(classes)
    return Plan(
        module=module,
        out_channels=classes,
        variant=f"MobileNetV3-Large, {plural(classes, 'class', 'classes')}",
        input_key="backbone.0.0.weight",
        sizes=Sizes(),
        reasons=(
            f"backbone.* is MobileNetV3-Large, {LAST_CHANNELS} channels deep",
            "classifier.cbr and classifier.scale.1 weigh the deep map, classifier.low_classifier reads the one before",
            f"both classifiers give {plural(classes, 'channel')}",
        ),
    )
