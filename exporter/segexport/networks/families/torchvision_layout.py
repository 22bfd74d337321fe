"""What torchvision's FCN and DeepLabV3 share: a dilated backbone, a classifier, perhaps an auxiliary one.

Keys `backbone.*`, `classifier.*`, `aux_classifier.*`; `classifier.4` is the last layer, `classifier.5` a 1x1
convolution that people append to the 21 classes. The auxiliary classifier is read, counted and dropped: it only helps
training.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import plural
from segexport.networks.conv_norm import conv_norm_relu
from segexport.networks.families.resnet import DEPTHS
from segexport.networks.network import Shapes, vote

VOC_CLASSES = 21
RESNET_CHANNELS, RESNET_AUX_CHANNELS = 2048, 1024


class BackboneAndClassifier(nn.Module):
    """`(N, 3, H, W)` → logits `(N, C, H, W)`: what torchvision returns under `out`."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> Tensor:
        logits = self.classifier(self.backbone(x))
        return F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the keys say about the classifiers."""

    classes: int
    bias: bool = True
    appended: int | None = None
    """Outputs of a 1x1 convolution on the classes."""
    aux_classes: int | None = None

    @classmethod
    def read(cls, shapes: Shapes) -> Head:
        last = "classifier.4"
        classes = vote(shapes, VOC_CLASSES, (f"{last}.weight", 0), (f"{last}.bias", 0), ("classifier.5.weight", 1))
        return cls(
            classes=classes,
            bias=f"{last}.weight" not in shapes or f"{last}.bias" in shapes,
            appended=_outputs(shapes, "classifier.5.", "classifier.5", 1),
            aux_classes=_outputs(shapes, "aux_classifier.", "aux_classifier.4", VOC_CLASSES),
        )

    @property
    def out_channels(self) -> int:
        return self.classes if self.appended is None else self.appended

    @property
    def notes(self) -> tuple[str, ...]:
        if self.aux_classes is None:
            return ()
        return ("auxiliary head (aux_classifier.*) left out: the mask does not need it",)

    @property
    def dropped(self) -> tuple[str, ...]:
        return () if self.aux_classes is None else ("aux_classifier",)

    def describe(self, backbone: str) -> str:
        """`ResNet-50, auxiliary head, 21 classes`."""
        aux = [] if self.aux_classes is None else ["auxiliary head"]
        last = plural(self.classes, "class", "classes")
        return ", ".join(
            [backbone, *aux, last if self.appended is None else f"appended 1x1 layer {self.classes}→{self.appended}"]
        )

    def reason(self) -> str:
        """How the keys show the number of channels."""
        if self.appended is None:
            return f"classifier.4, the last layer, gives {plural(self.classes, 'channel')}"
        return (
            f"classifier.5 is a 1x1 convolution appended to the {self.classes} of classifier.4, giving {self.appended}"
        )

    def last_layers(self, in_channels: int) -> list[nn.Module]:
        """`classifier.4`, and `classifier.5` where there is one."""
        last = nn.Conv2d(in_channels, self.classes, 1, bias=self.bias)
        return [last] if self.appended is None else [last, nn.Conv2d(self.classes, self.appended, 1)]

    def aux_classifier(self, in_channels: int) -> nn.Sequential | None:
        return None if self.aux_classes is None else make_fcn_classifier(in_channels, Head(classes=self.aux_classes))


def make_fcn_classifier(in_channels: int, head: Head) -> nn.Sequential:
    """A 3x3 convolution to a quarter of the channels, then the classes: FCN's classifier, anybody's auxiliary one."""
    width = in_channels // 4
    return nn.Sequential(*conv_norm_relu(in_channels, width, 3), nn.Dropout(0.1), *head.last_layers(width))


def nearest_resnet(shapes: Shapes) -> str:
    """By the number of blocks in layer3, where the two differ."""
    blocks = {key.split(".")[2] for key in shapes if key.startswith("backbone.layer3.")}
    return min(DEPTHS, key=lambda name: abs(DEPTHS[name][2] - len(blocks)))


def _outputs(shapes: Shapes, prefix: str, layer: str, usual: int) -> int | None:
    """Channels that `layer` gives, or None where no key starts with `prefix`."""
    if not any(key.startswith(prefix) for key in shapes):
        return None
    return vote(shapes, usual, (f"{layer}.weight", 0), (f"{layer}.bias", 0))
