"""Write the golden files beside this one: what torchvision's own DeepLabV3 gives for the lively weights.

    python3 -m venv tv && tv/bin/pip install torch==2.14.1 torchvision==0.29.1
    tv/bin/python tests/exporter/golden/make_torchvision_golden.py

Only this script needs torchvision, in an environment of its own: it does not import beside the project's CPU torch.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision  # noqa: TID251  the golden numbers are torchvision's; nothing else imports it
from lively_weights import lively_state_dict, picture, positions
from torch import nn
from torchvision.models import segmentation  # noqa: TID251  as above

# name: factory, auxiliary head, classes, outputs of an appended layer, (height, width). The long sizes are for the
# pyramid: rate 36 reaches something only where the map, an eighth or a sixteenth of the picture, is longer than 36
CASES = {
    "resnet50_aux_21": ("deeplabv3_resnet50", True, 21, None, (64, 96)),
    "resnet50_aux_21_appended_1": ("deeplabv3_resnet50", True, 21, 1, (64, 96)),
    "resnet50_2": ("deeplabv3_resnet50", False, 2, None, (65, 97)),
    "resnet50_1": ("deeplabv3_resnet50", False, 1, None, (64, 320)),
    "resnet101_aux_21": ("deeplabv3_resnet101", True, 21, None, (64, 96)),
    "resnet101_1": ("deeplabv3_resnet101", False, 1, None, (312, 56)),
    "mobilenetv3_aux_21": ("deeplabv3_mobilenet_v3_large", True, 21, None, (64, 96)),
    "mobilenetv3_aux_21_appended_1": ("deeplabv3_mobilenet_v3_large", True, 21, 1, (97, 65)),
    "mobilenetv3_2": ("deeplabv3_mobilenet_v3_large", False, 2, None, (650, 72)),
    "mobilenetv3_1": ("deeplabv3_mobilenet_v3_large", False, 1, None, (64, 640)),
}


def make_model(factory: str, aux: bool, classes: int, appended: int | None) -> nn.Module:
    model: nn.Module = getattr(segmentation, factory)(
        weights=None, weights_backbone=None, aux_loss=aux, num_classes=classes
    )
    if appended is not None:
        model.classifier.append(nn.Conv2d(classes, appended, 1))
    return model.eval()


def fingerprint(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """One number for all keys and shapes, in any order."""
    return zlib.crc32("\n".join(sorted(f"{key} {tuple(shape)}" for key, shape in shapes.items())).encode())


def golden(name: str) -> dict[str, object]:
    """Samples and statistics of one model's `out`, and the shapes of its head."""
    factory, aux, classes, appended, size = CASES[name]
    model = make_model(factory, aux, classes, appended)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()})
    with torch.no_grad():
        out = model(torch.from_numpy(picture(*size)))["out"]
    return {
        "factory": factory,
        "aux": aux,
        "classes": classes,
        "appended": appended,
        "input_size": size,
        "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
        "keys": len(shapes),
        "fingerprint": fingerprint(shapes),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "output_shape": list(out.shape),
        "mean": out.double().mean().item(),
        "std": out.double().std().item(),
        "samples": [
            round(value, 7) for value in out.flatten()[torch.from_numpy(positions(name, out.numel()))].tolist()
        ],
    }


def main() -> None:
    for name in CASES:
        path = Path(__file__).with_name(f"{name}.json")
        path.write_text(json.dumps(golden(name)) + "\n")
        print(path.name)  # noqa: T201  a script that people run by hand


if __name__ == "__main__":
    main()
