"""One network of the zoo as its user would have it: what was saved, an .onnx and a .pt2; run in a process of its own.

python write.py JOB      JOB: JSON, {"name", "pictures": a .npy (N, H, W, 3) uint8 RGB, "folder"}

Its last line on standard output is JSON: parameters, versions, the person's share of the pixels, the largest logit.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

# the folder itself would hide modules of the same names
sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from zoo.lively import make_lively  # noqa: E402
from zoo.networks import NETWORKS, Logits, Network  # noqa: E402

SEED = 5
OPSET = 18
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PACKAGES = ("torch", "onnxscript", "timm")


def main() -> None:
    """Make it, write it, tell of it."""
    job = json.loads(sys.argv[1])
    network = NETWORKS[job["name"]]
    torch.manual_seed(SEED)
    pixels = torch.from_numpy(np.load(job["pictures"])).permute(0, 3, 1, 2) / 255
    pictures = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    module = network.build()
    lively = make_lively(module, pictures, network.classes)
    target = Path(job["folder"]) / job["name"]
    save(module, network, target.with_suffix(network.suffix))
    write(module, pictures[:1].clone(), target)
    facts: dict[str, Any] = {
        "parameters": sum(p.numel() for p in module.parameters()),
        "packages": {name: metadata.version(name) for name in (network.library, *PACKAGES)},
        "person": lively.person,
        "largest_logit": lively.largest_logit,
    }
    print(json.dumps(facts))


def save(module: nn.Module, network: Network, target: Path) -> None:
    """What is left of a training: `target`, a file or a folder."""
    inner: Any = module.network if isinstance(module, Logits) else module
    if network.saved == "folder":
        inner.save_pretrained(target)
    elif network.saved == "state dict":
        torch.save(inner.state_dict(), target)
    else:
        weights = {f"model.{key}": value for key, value in inner.state_dict().items()}
        torch.save(
            {"state_dict": weights, "hyper_parameters": dict(network.settings), "pytorch-lightning_version": "2.5"},
            target,
        )


def write(module: nn.Module, example: torch.Tensor, target: Path) -> None:
    """`target` with .onnx and with .pt2, in the way that PyTorch's pages tell."""
    with torch.no_grad():
        torch.onnx.export(
            module,
            (example,),
            str(target.with_suffix(".onnx")),
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        torch.export.save(torch.export.export(module, (example,)), target.with_suffix(".pt2"))


if __name__ == "__main__":
    main()
