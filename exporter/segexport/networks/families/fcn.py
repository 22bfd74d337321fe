"""FCN as torchvision lays it out: a dilated ResNet-50 or ResNet-101, then two convolutions.

Long, Shelhamer & Darrell 2015. The layout of the keys is torchvision's, see `torchvision_layout`.
"""

from __future__ import annotations

import torch

from segexport.networks.families.resnet import DEPTHS, DilatedResNet
from segexport.networks.families.torchvision_layout import (
    RESNET_AUX_CHANNELS,
    RESNET_CHANNELS,
    BackboneAndClassifier,
    Head,
    make_fcn_classifier,
    nearest_resnet,
)
from segexport.networks.network import Plan, Shapes, Sizes


def make_fcn(backbone: str, head: Head) -> BackboneAndClassifier:
    """`backbone`: `ResNet-50` or `ResNet-101`."""
    return BackboneAndClassifier(
        DilatedResNet(DEPTHS[backbone]),
        make_fcn_classifier(RESNET_CHANNELS, head),
        head.aux_classifier(RESNET_AUX_CHANNELS),
    )


def plan_fcn(shapes: Shapes) -> Plan:
    """The torchvision FCN that the shapes come nearest to."""
    backbone = nearest_resnet(shapes)
    head = Head.read(shapes)
    with torch.device("meta"):
        module = make_fcn(backbone, head)
    return Plan(
        module=module,
        out_channels=head.out_channels,
        variant=head.describe(backbone),
        input_key="backbone.conv1.weight",
        sizes=Sizes(),
        reasons=(
            f"backbone.* is {backbone}, {RESNET_CHANNELS} channels deep",
            "classifier.0 is one 3x3 convolution to 512 channels",
            head.reason(),
        ),
        notes=head.notes,
        dropped=head.dropped,
    )
