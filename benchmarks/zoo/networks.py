"""The networks of the zoo, by the constructors of the libraries that people take them from; nothing is downloaded.

The libraries are imported where a network is made; the names can be had without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn

from segexport.networks.libraries.imports import library


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`build()` gives `(1, 3, H, W) float32, normalised → (1, classes, h, w) float32 logits`; the last class is the person.

    saved: what its user has, one of `SAVED`. settings: what its constructor was given, as a training script logs it.
    """

    title: str
    library: str
    classes: int
    build: Callable[[], nn.Module]
    saved: str = "folder"
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return SAVED[self.saved]


SAVED = {"state dict": ".pth", "Lightning checkpoint": ".ckpt", "folder": ""}
"""What is saved → the suffix of its name; a folder is what `save_pretrained` writes."""


class Logits(nn.Module):
    """A network of transformers as others are called: the picture in, its logits out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor) -> Tensor:
        logits: Tensor = self.network(pixel_values=pixel_values).logits
        return logits


def _smp(decoder: str, encoder: str, saved: str = "state dict", **options: Any) -> Network:
    settings = {"arch": decoder, "encoder_name": encoder, "in_channels": 3, "out_classes": 1, **options}
    return Network(
        saved=saved,
        settings=settings,
        title=f"{decoder}, {encoder.removeprefix('tu-').removeprefix('timm-')}",
        library="segmentation-models-pytorch",
        classes=1,
        build=partial(_build_smp, decoder, encoder, options),
    )


def _build_smp(decoder: str, encoder: str, options: dict[str, Any]) -> nn.Module:
    make = getattr(library("segmentation_models_pytorch"), decoder)
    made: nn.Module = make(encoder_name=encoder, encoder_weights=None, classes=1, **options)
    return made


def _transformers(title: str, kind: str, **settings: Any) -> Network:
    build = partial(_build_transformers, kind, settings)
    return Network(title=title, library="transformers", classes=2, build=build)


def _build_transformers(kind: str, settings: dict[str, Any]) -> nn.Module:
    transformers = library("transformers")
    config = getattr(transformers, f"{kind}Config")(num_labels=2, **settings)
    return Logits(getattr(transformers, f"{kind}ForSemanticSegmentation")(config))


def _upernet_convnext() -> nn.Module:
    """The layers of ConvNeXt-tiny, a quarter as wide."""
    transformers = library("transformers")
    backbone = transformers.ConvNextConfig(
        depths=[2, 2, 4, 2], hidden_sizes=[24, 48, 96, 192], out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=64, num_labels=2, use_auxiliary_head=False, auxiliary_in_channels=96
    )
    return Logits(transformers.UperNetForSemanticSegmentation(config))


NETWORKS: dict[str, Network] = {
    "unet_resnet18": _smp("Unet", "resnet18"),
    "unet_mobilenet_v2": _smp("Unet", "mobilenet_v2"),
    "unet_efficientnet_b0": _smp("Unet", "efficientnet-b0"),
    "unet_mobilenetv3": _smp("Unet", "tu-mobilenetv3_large_100", "Lightning checkpoint"),
    "unet_mit_b0": _smp("Unet", "mit_b0"),
    "unet_convnext": _smp("Unet", "tu-convnext_atto"),
    "unetplusplus_resnet18": _smp("UnetPlusPlus", "resnet18"),
    "manet_mobilenet_v2": _smp("MAnet", "mobilenet_v2", "folder"),
    "linknet_resnet18": _smp("Linknet", "resnet18"),
    "fpn_resnet18": _smp("FPN", "resnet18"),
    "pan_resnet18": _smp("PAN", "resnet18", "Lightning checkpoint"),
    "pspnet_resnet18": _smp("PSPNet", "resnet18"),
    "deeplabv3plus_mobilenet_v2": _smp("DeepLabV3Plus", "mobilenet_v2"),
    "upernet_resnet18": _smp("UPerNet", "resnet18", "folder"),
    "smp_segformer_mit_b0": _smp("Segformer", "mit_b0", "folder"),
    "segformer_b0": _transformers("SegFormer, b0", "Segformer"),
    "mobilevit_xxs": _transformers(
        "MobileViT, xx-small with DeepLabV3",
        "MobileViT",
        hidden_sizes=[64, 80, 96],
        neck_hidden_sizes=[16, 16, 24, 48, 64, 80, 320],
        expand_ratio=2.0,
        image_size=256,
    ),
    "mobilenetv2_deeplab": _transformers("MobileNetV2 with DeepLabV3+", "MobileNetV2", image_size=256),
    "upernet_convnext": Network(
        title="UPerNet, ConvNeXt-tiny a quarter as wide", library="transformers", classes=2, build=_upernet_convnext
    ),
}
