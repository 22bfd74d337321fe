"""What a golden file says about a model: its keys, and what it gives for the lively weights. Only the scripts use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lively_weights import fingerprint, lively_state_dict, picture, positions
from torch import Tensor, nn

HERE = Path(__file__).parent


def measure(
    name: str, model: nn.Module, size: tuple[int, int], logits: Callable[[Any], Tensor] = lambda out: out
) -> dict[str, Any]:
    """Samples and statistics of `logits` of the model's output for one picture of `size`, (height, width)."""
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()})
    with torch.no_grad():
        out = logits(model.eval()(torch.from_numpy(picture(*size))))
    samples = out.flatten()[torch.from_numpy(positions(name, out.numel()))].tolist()
    return {
        "keys": len(shapes),
        "fingerprint": fingerprint(shapes),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "output_shape": list(out.shape),
        "mean": out.double().mean().item(),
        "std": out.double().std().item(),
        "samples": [round(value, 7) for value in samples],
    }


def write(path: str, about: dict[str, Any]) -> None:
    """One line of JSON into `path`, from this folder on and without its suffix."""
    (HERE / path).parent.mkdir(exist_ok=True)
    (HERE / f"{path}.json").write_text(json.dumps(about) + "\n")
    print(path)  # noqa: T201  for scripts that people run by hand
