"""The origin's own DeepLabV3-like class: a ResNet-50 stem and layers 1-3, a chain of dilated convolutions, a decoder.

The checkpoint lists its modules under several names. 12.15 M parameters leave room for one stem and one set of
layers only, so `in_conv`, `begin_resnet_layers.0`, `resnet_4.0` and `renset_2.0` (spelt so) are one module, and so on:

    in_conv, in_bn             begin_resnet_layers.{0,1}    resnet_4.{0,1}    renset_2.{0,1}
    resnet_4_layers.0          resnet_2_layers.0            resnet_4.4        renset_2.4          layer1
    resnet_4_layers.{1,2}                                   resnet_4.{5,6}                        layer2, layer3
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.families.resnet import make_layer
from segexport.networks.network import Plan, Shapes, Sizes, vote

RATES = (6, 12, 18)
WIDTH = 256
SIZE = (224, 224)


class DeepLabV3Custom(nn.Module):
    """`(N, 3, 224, 224)` → logits `(N, C, 224, 224)`; layer1 runs once, though its output is used twice."""

    def __init__(self, out_channels: int = 1) -> None:
        super().__init__()
        self.in_conv = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.in_bn = nn.BatchNorm2d(64)
        stem = (self.in_conv, self.in_bn, nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
        layers = (make_layer(64, 64, 3), make_layer(256, 128, 4, stride=2), make_layer(512, 256, 6, stride=2))
        self.begin_resnet_layers = nn.Sequential(*stem)
        self.resnet_4_layers = nn.ModuleList(layers)
        self.resnet_4 = nn.Sequential(*stem, *layers)
        self.aspp_conv1 = nn.Conv2d(1024, WIDTH, 1, bias=False)
        self.aspp_bn = nn.BatchNorm2d(WIDTH)
        for rate in RATES:
            self.add_module(f"aspp_conv3_r{rate}", nn.Conv2d(WIDTH, WIDTH, 3, padding=rate, dilation=rate, bias=False))
        self.conv1_encoder = nn.Conv2d(5 * WIDTH, WIDTH, 1, bias=False)
        self.b1_encoder = nn.BatchNorm2d(WIDTH)
        self.resnet_2_layers = nn.ModuleList(layers[:1])
        self.renset_2 = nn.Sequential(*stem, *layers[:1])
        self.low_level_conv = nn.Conv2d(256, WIDTH, 1, bias=False)
        self.low_level_bn = nn.BatchNorm2d(WIDTH)
        self.conv3_decoder = nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1, bias=False)
        self.bn_decoder = nn.BatchNorm2d(WIDTH)
        self.final_conv = nn.Conv2d(WIDTH, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        layer1, layer2, layer3 = self.resnet_4_layers
        low = layer1(self.begin_resnet_layers(x))
        high = F.relu(self.b1_encoder(self.conv1_encoder(self._chain(layer3(layer2(low))))))
        high = F.interpolate(high, scale_factor=4, mode="nearest")
        low = F.relu(self.low_level_bn(self.low_level_conv(low)))
        out = F.relu(self.bn_decoder(self.conv3_decoder(torch.cat((low, high), dim=1))))
        logits: Tensor = self.final_conv(F.interpolate(out, scale_factor=4, mode="nearest"))
        return logits

    def _chain(self, x: Tensor) -> Tensor:
        """Each dilated convolution works on the result of the one before; all share one batch norm.

        The class averages the last one to 14x14 and appends that too: at 224x224 it is 14x14 already, and
        appended as it is.
        """
        links = [F.relu(self.aspp_bn(self.aspp_conv1(x)))]
        for rate in RATES:
            links.append(F.relu(self.aspp_bn(self.get_submodule(f"aspp_conv3_r{rate}")(links[-1]))))
        return torch.cat((*links, links[-1]), dim=1)


def plan_deeplabv3_custom(shapes: Shapes) -> Plan:
    """The custom class; only its output channels can differ."""
    out_channels = vote(shapes, 1, ("final_conv.weight", 0), ("final_conv.bias", 0))
    with torch.device("meta"):
        module = DeepLabV3Custom(out_channels)
    return Plan(
        module=module,
        out_channels=out_channels,
        variant="ResNet-50 stem and layers 1-3, chained dilations 6-12-18",
        input_key="in_conv.weight",
        sizes=Sizes(rule="224x224 only", default=SIZE, fixed=SIZE),
        reasons=(
            "aspp_conv3_r6, _r12 and _r18 are 256→256: a chain of dilated convolutions, not a pyramid",
            "in_conv, begin_resnet_layers.0, resnet_4.0 and renset_2.0 have one shape: one stem under four names",
            f"final_conv gives {out_channels} channel{'s' if out_channels > 1 else ''}",
        ),
        notes=("the average pool to 14x14 changes nothing at 224x224 and is left out",),
    )
