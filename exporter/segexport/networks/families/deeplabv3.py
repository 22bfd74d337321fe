"""DeepLabV3 as torchvision lays it out: ResNet-50, ResNet-101 or MobileNetV3-Large below, atrous pyramid above.

Chen, Papandreou, Schroff & Adam 2017. The layout of the keys is torchvision's, see `torchvision_layout`.
"""

from __future__ import annotations

import torch
from torch import nn

from segexport.networks.conv_norm import conv_norm_relu
from segexport.networks.families.aspp import ASPP, WIDTH
from segexport.networks.families.mobilenetv3 import LAST_CHANNELS, LOW_CHANNELS, DilatedMobileNetV3
from segexport.networks.families.resnet import DEPTHS, DilatedResNet
from segexport.networks.families.torchvision_layout import (
    RESNET_AUX_CHANNELS,
    RESNET_CHANNELS,
    BackboneAndClassifier,
    Head,
    nearest_resnet,
)
from segexport.networks.network import Plan, Shapes, Sizes


def make_classifier(in_channels: int, head: Head) -> nn.Sequential:
    return nn.Sequential(ASPP(in_channels), *conv_norm_relu(WIDTH, WIDTH, 3), *head.last_layers(WIDTH))


def make_deeplabv3(backbone: str, head: Head) -> BackboneAndClassifier:
    """`backbone`: `ResNet-50`, `ResNet-101` or `MobileNetV3-Large`."""
    if backbone in DEPTHS:
        below: nn.Module = DilatedResNet(DEPTHS[backbone])
        channels, aux_channels = RESNET_CHANNELS, RESNET_AUX_CHANNELS
    else:
        below = DilatedMobileNetV3()
        channels, aux_channels = LAST_CHANNELS, LOW_CHANNELS
    return BackboneAndClassifier(below, make_classifier(channels, head), head.aux_classifier(aux_channels))


def plan_deeplabv3(shapes: Shapes) -> Plan:
    """The torchvision DeepLabV3 that the shapes come nearest to."""
    mobile = not any(key.startswith(("backbone.layer", "backbone.conv1")) for key in shapes) and any(
        key.startswith("backbone.16.") for key in shapes
    )
    backbone = "MobileNetV3-Large" if mobile else nearest_resnet(shapes)
    head = Head.read(shapes)
    with torch.device("meta"):
        module = make_deeplabv3(backbone, head)
    return Plan(
        module=module,
        out_channels=head.out_channels,
        variant=head.describe(backbone),
        input_key="backbone.0.0.weight" if mobile else "backbone.conv1.weight",
        sizes=Sizes(),
        reasons=(
            f"backbone.* is {backbone}, {LAST_CHANNELS if mobile else RESNET_CHANNELS} channels deep",
            "classifier.0.convs.0 to .4 are an atrous pyramid (1x1, three 3x3, image pooling)",
            head.reason(),
        ),
        notes=head.notes,
        dropped=head.dropped,
    )
