"""Write the golden files of torchvision's networks: what its own DeepLabV3, FCN and LR-ASPP give for the lively weights.

    python3 -m venv tv && tv/bin/pip install torch==2.14.1 torchvision==0.29.1
    tv/bin/python tests/exporter/golden/make_torchvision_golden.py

Only this script and its neighbour need torchvision, in an environment of their own: it does not import next to the
project's CPU torch.
"""

from __future__ import annotations

import inspect

import torch
import torchvision  # noqa: TID251  the golden numbers are torchvision's
from measure import measure, write
from torch import nn
from torchvision.models import segmentation  # noqa: TID251  as above

# name: factory, auxiliary head, classes, outputs of an appended layer, (height, width). The long sizes are for the
# pyramid: rate 36 reaches something only where the map, an eighth or a sixteenth of the picture, is longer than 36
CASES = {
    "deeplabv3/resnet50_aux_21": ("deeplabv3_resnet50", True, 21, None, (64, 96)),
    "deeplabv3/resnet50_aux_21_appended_1": ("deeplabv3_resnet50", True, 21, 1, (64, 96)),
    "deeplabv3/resnet50_2": ("deeplabv3_resnet50", False, 2, None, (65, 97)),
    "deeplabv3/resnet50_1": ("deeplabv3_resnet50", False, 1, None, (64, 320)),
    "deeplabv3/resnet101_aux_21": ("deeplabv3_resnet101", True, 21, None, (64, 96)),
    "deeplabv3/resnet101_1": ("deeplabv3_resnet101", False, 1, None, (312, 56)),
    "deeplabv3/mobilenetv3_aux_21": ("deeplabv3_mobilenet_v3_large", True, 21, None, (64, 96)),
    "deeplabv3/mobilenetv3_aux_21_appended_1": ("deeplabv3_mobilenet_v3_large", True, 21, 1, (97, 65)),
    "deeplabv3/mobilenetv3_2": ("deeplabv3_mobilenet_v3_large", False, 2, None, (650, 72)),
    "deeplabv3/mobilenetv3_1": ("deeplabv3_mobilenet_v3_large", False, 1, None, (64, 640)),
    "fcn/resnet50_aux_21": ("fcn_resnet50", True, 21, None, (64, 96)),
    "fcn/resnet50_aux_21_appended_1": ("fcn_resnet50", True, 21, 1, (64, 96)),
    "fcn/resnet50_2": ("fcn_resnet50", False, 2, None, (65, 97)),
    "fcn/resnet101_aux_21": ("fcn_resnet101", True, 21, None, (64, 96)),
    "fcn/resnet101_1": ("fcn_resnet101", False, 1, None, (97, 65)),
    "lraspp/mobilenetv3_21": ("lraspp_mobilenet_v3_large", False, 21, None, (64, 96)),
    "lraspp/mobilenetv3_2": ("lraspp_mobilenet_v3_large", False, 2, None, (97, 65)),
    "lraspp/mobilenetv3_1": ("lraspp_mobilenet_v3_large", False, 1, None, (128, 128)),
}


def make_model(factory: str, aux: bool, classes: int, appended: int | None) -> nn.Module:
    make = getattr(segmentation, factory)
    head = {"aux_loss": aux} if "aux_loss" in inspect.signature(make).parameters else {}
    model: nn.Module = make(weights=None, weights_backbone=None, num_classes=classes, **head)
    if appended is not None:
        model.classifier.append(nn.Conv2d(classes, appended, 1))
    return model.eval()


def main() -> None:
    for path, (factory, aux, classes, appended, size) in CASES.items():
        model = make_model(factory, aux, classes, appended)
        about = {
            "factory": factory,
            "aux": aux,
            "classes": classes,
            "appended": appended,
            "input_size": size,
            "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
        }
        write(path, about | measure(path.rpartition("/")[2], model, size, lambda out: out["out"]))


if __name__ == "__main__":
    main()
