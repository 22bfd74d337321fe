"""Write the golden files of segmentation_models_pytorch: what its own networks give for the lively weights.

    python3 -m venv tv && tv/bin/pip install torch==2.14.1 torchvision==0.29.1 segmentation-models-pytorch==0.6.0
    tv/bin/python tests/exporter/golden/make_smp_golden.py

and for the files of older versions, next to the same torch:

    tv/bin/pip install --no-deps --target old segmentation-models-pytorch==0.2.1 timm==0.4.12 \
        pretrainedmodels==0.7.4 efficientnet-pytorch==0.6.3 munch six        # or 0.3.4, 0.9.7, 0.7.4, 0.7.1
    PYTHONPATH=old tv/bin/python tests/exporter/golden/make_smp_golden.py

Only this script and its neighbour need torchvision (the library imports it), in an environment of their own. No
weights are fetched.
"""

from __future__ import annotations

import re
from typing import Any

import segmentation_models_pytorch as smp
import torch
import torchvision  # noqa: TID251  the library is built on it
from measure import measure, write

NEWEST = "0.6.0"
AUX = {"aux_params": {"classes": 4, "dropout": 0.3}}
# name: encoder, classes, what else the library is asked for, (height, width)
UNETS = {
    "resnet18_1": ("resnet18", 1, {}, (64, 96)),
    "resnet34_2": ("resnet34", 2, {}, (96, 64)),
    "resnet50_21": ("resnet50", 21, {}, (64, 96)),
    "resnet101_1": ("resnet101", 1, {}, (64, 96)),
    "resnet152_1": ("resnet152", 1, {}, (64, 64)),
    "mobilenetv2_1": ("mobilenet_v2", 1, {}, (64, 96)),
    "resnet18_classification_3": ("resnet18", 3, AUX, (64, 96)),
    "resnet18_depth_3": ("resnet18", 1, {"encoder_depth": 3, "decoder_channels": (48, 24, 12)}, (72, 40)),
    "resnet50_depth_4": ("resnet50", 1, {"encoder_depth": 4, "decoder_channels": (128, 64, 32, 16)}, (64, 96)),
    "mobilenetv2_depth_4": ("mobilenet_v2", 1, {"encoder_depth": 4, "decoder_channels": (128, 64, 32, 16)}, (64, 96)),
}
# the long sizes are for the pyramid: rate 36 reaches something only where a sixteenth of the picture is longer than 36
DEEPLABS = {
    "resnet18_1": ("resnet18", 1, {}, (64, 640)),
    "resnet34_2": ("resnet34", 2, {}, (96, 64)),
    "resnet50_21": ("resnet50", 21, {}, (64, 640)),
    "resnet101_1": ("resnet101", 1, {}, (64, 96)),
    "resnet152_1": ("resnet152", 1, {}, (64, 64)),
    "mobilenetv2_1": ("mobilenet_v2", 1, {}, (640, 64)),
    "resnet18_classification_3": ("resnet18", 3, AUX, (64, 96)),
    "resnet18_width_64": ("resnet18", 1, {"decoder_channels": 64}, (64, 96)),
}
# what only the newer versions know
NEWER_DEEPLABS = {
    "resnet34_full_1": ("resnet34", 1, {"decoder_aspp_separable": False}, (64, 96)),
    "resnet50_depth_4": ("resnet50", 1, {"encoder_depth": 4}, (64, 96)),
    "resnet18_depth_3": ("resnet18", 1, {"encoder_depth": 3}, (72, 40)),
    "mobilenetv2_depth_4": ("mobilenet_v2", 1, {"encoder_depth": 4}, (64, 96)),
}
OLDER = ("resnet34_2", "mobilenetv2_1")  # the cases that older versions are asked for
# networks of the library that are not known, by the words that the message must have
RELATIVES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "scse attention": ("Unet", "resnet18", {"decoder_attention_type": "scse"}),
    "without batch norm": ("Unet", "resnet18", {"decoder_use_norm": False}),
    "FPN": ("FPN", "resnet18", {}),
    "UnetPlusPlus": ("UnetPlusPlus", "resnet18", {}),
    "UPerNet": ("UPerNet", "resnet18", {}),
    "PSPNet": ("PSPNet", "resnet18", {}),
    "Linknet": ("Linknet", "resnet18", {}),
    "MAnet": ("MAnet", "resnet18", {}),
    "PAN": ("PAN", "resnet18", {}),
    "Segformer": ("Segformer", "resnet18", {}),
    "DeepLabV3 ": ("DeepLabV3", "resnet18", {}),
    "a timm encoder (tu-…)": ("Unet", "tu-resnet18", {}),
    "an EfficientNet encoder": ("Unet", "efficientnet-b0", {}),
    "EfficientNet encoder": ("DeepLabV3Plus", "timm-efficientnet-b0", {}),
    "an SE-ResNet encoder": ("Unet", "se_resnet50", {}),
    "a Mix Transformer encoder": ("Unet", "mit_b0", {}),
    "a DenseNet encoder": ("Unet", "densenet121", {}),
    "a VGG encoder": ("Unet", "vgg11", {}),
    "a ResNeXt encoder": ("Unet", "resnext50_32x4d", {}),
    "another encoder": ("Unet", "mobileone_s0", {}),
}


def one_of_each_kind(model: torch.nn.Module) -> dict[str, list[int]]:
    """Keys and shapes, the first of those that differ in nothing but their numbers."""
    kinds = {re.sub(r"(?<=layer)\d+|(?<=\.)\d+(?=\.)", "#", key): key for key in reversed(list(model.state_dict()))}
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items() if key in kinds.values()}


def mask(out: torch.Tensor | tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return out[0] if isinstance(out, tuple) else out


def main() -> None:
    old = smp.__version__ != NEWEST
    suffix = f"_v{smp.__version__}" if old else ""
    families = {"smp_unet": (smp.Unet, UNETS), "smp_deeplabv3plus": (smp.DeepLabV3Plus, DEEPLABS | NEWER_DEEPLABS)}
    for family, (factory, cases) in families.items():
        for case, (encoder, classes, asked, size) in cases.items():
            if old and case not in OLDER:
                continue
            name = case + suffix
            model = factory(encoder, encoder_weights=None, classes=classes, **asked)
            versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "smp": smp.__version__}
            about = {"encoder": encoder, "classes": classes, "asked": asked, "input_size": size, "versions": versions}
            write(f"{family}/{name}", about | measure(name, model, size, mask))
    if not old:
        relatives = {
            words: one_of_each_kind(getattr(smp, factory)(encoder, encoder_weights=None, **asked))
            for words, (factory, encoder, asked) in RELATIVES.items()
        }
        write("smp_relatives/keys", relatives)


if __name__ == "__main__":
    main()
