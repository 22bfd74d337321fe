"""DeepLabV3 as torchvision lays it out: ResNet-50, ResNet-101 or MobileNetV3-Large below, atrous pyramid above.

Chen, Papandreou, Schroff & Adam 2017. Keys `backbone.*`, `classifier.*`, `aux_classifier.*`; `classifier.5` is a 1x1
convolution that people append to the 21 classes. The auxiliary head is read, counted and dropped: it only helps
training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.mobilenetv3 import LAST_CHANNELS, TABLE, DilatedMobileNetV3
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.networks.resnet import DEPTHS, DilatedResNet

RATES = (12, 24, 36)
WIDTH = 256
VOC_CLASSES = 21
MOBILENET_AUX_CHANNELS = TABLE[3].out  # the head taps the first block at an eighth of the input


def conv_norm_relu(in_channels: int, out_channels: int, kernel: int, rate: int = 1) -> nn.Sequential:
    padding = kernel // 2 * rate
    convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=rate, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


class GlobalMean(nn.Module):
    """`(N, C, H, W)` → `(N, C, 1, 1)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class ImagePooling(nn.Sequential):
    """The whole map in one pixel, spread over the map again (nearest of one pixel is what bilinear of it is)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(GlobalMean(), *conv_norm_relu(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # nn.Sequential's
        return F.interpolate(pooled, size=x.shape[2:], mode="nearest")


class ASPP(nn.Module):
    """Five views of the map, at different distances, projected to `WIDTH` channels."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                conv_norm_relu(in_channels, WIDTH, 1),
                *(conv_norm_relu(in_channels, WIDTH, 3, rate) for rate in RATES),
                ImagePooling(in_channels, WIDTH),
            ]
        )
        self.project = conv_norm_relu(len(self.convs) * WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(torch.cat([conv(x) for conv in self.convs], dim=1))
        return out


def make_classifier(in_channels: int, classes: int, *, bias: bool = True, appended: int | None = None) -> nn.Sequential:
    """The head; `appended` outputs of a 1x1 convolution on its classes."""
    layers: list[nn.Module] = [
        ASPP(in_channels),
        *conv_norm_relu(WIDTH, WIDTH, 3),
        nn.Conv2d(WIDTH, classes, 1, bias=bias),
    ]
    if appended is not None:
        layers.append(nn.Conv2d(classes, appended, 1))
    return nn.Sequential(*layers)


def make_aux_classifier(in_channels: int, classes: int) -> nn.Sequential:
    middle = in_channels // 4
    return nn.Sequential(*conv_norm_relu(in_channels, middle, 3), nn.Dropout(0.1), nn.Conv2d(middle, classes, 1))


class DeepLabV3(nn.Module):
    """`(N, 3, H, W)` → logits `(N, C, H, W)`: what torchvision returns under `out`."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> Tensor:
        logits = self.classifier(self.backbone(x))
        return F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


def plan_deeplabv3(shapes: Shapes) -> Plan:
    """The torchvision DeepLabV3 that the shapes come nearest to."""
    mobile = not any(key.startswith(("backbone.layer", "backbone.conv1")) for key in shapes) and any(
        key.startswith("backbone.16.") for key in shapes
    )
    backbone = "MobileNetV3-Large" if mobile else _nearest_resnet(shapes)
    features, aux_features = (LAST_CHANNELS, MOBILENET_AUX_CHANNELS) if mobile else (2048, 1024)
    classes = vote(
        shapes, VOC_CLASSES, ("classifier.4.weight", 0), ("classifier.4.bias", 0), ("classifier.5.weight", 1)
    )
    appended = _outputs(shapes, "classifier.5")
    aux_classes = _outputs(shapes, "aux_classifier.4", any_of="aux_classifier.")
    bias = "classifier.4.weight" not in shapes or "classifier.4.bias" in shapes
    with torch.device("meta"):
        module = DeepLabV3(
            DilatedMobileNetV3() if mobile else DilatedResNet(DEPTHS[backbone]),
            make_classifier(features, classes, bias=bias, appended=appended),
            None if aux_classes is None else make_aux_classifier(aux_features, aux_classes),
        )
    out_channels = classes if appended is None else appended
    return Plan(
        module=module,
        out_channels=out_channels,
        variant=_describe(backbone, classes, appended, has_aux=aux_classes is not None),
        input_key="backbone.0.0.weight" if mobile else "backbone.conv1.weight",
        sizes=Sizes(),
        reasons=(
            f"backbone.* is {backbone}, {features} channels deep",
            "classifier.0.convs.0 to .4 are an atrous pyramid (1x1, three 3x3, image pooling)",
            _last_layer(classes, appended),
        ),
        notes=() if aux_classes is None else ("auxiliary head (aux_classifier.*) left out: the mask does not need it",),
        dropped=() if aux_classes is None else ("aux_classifier",),
    )


def _nearest_resnet(shapes: Shapes) -> str:
    """By the number of blocks in layer3, where the two differ."""
    blocks = {key.split(".")[2] for key in shapes if key.startswith("backbone.layer3.")}
    return min(DEPTHS, key=lambda name: abs(DEPTHS[name][2] - len(blocks)))


def _outputs(shapes: Shapes, layer: str, any_of: str = "") -> int | None:
    """Channels that `layer` gives, or None where no key starts with `any_of` (the layer itself unless given)."""
    if not any(key.startswith(any_of or f"{layer}.") for key in shapes):
        return None
    return vote(shapes, VOC_CLASSES if any_of else 1, (f"{layer}.weight", 0), (f"{layer}.bias", 0))


def _describe(backbone: str, classes: int, appended: int | None, *, has_aux: bool) -> str:
    words = [backbone]
    if has_aux:
        words.append("auxiliary head")
    words.append(
        f"{classes} class{'es' if classes > 1 else ''}"
        if appended is None
        else f"appended 1x1 layer {classes}→{appended}"
    )
    return ", ".join(words)


def _last_layer(classes: int, appended: int | None) -> str:
    if appended is None:
        return f"classifier.4, the last layer, gives {classes} channel{'s' if classes > 1 else ''}"
    return f"classifier.5 is a 1x1 convolution appended to the {classes} of classifier.4, giving {appended}"
