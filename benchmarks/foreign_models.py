"""Model files that others made, with the contract that each one needs: facts of their authors and of the files' tensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from segruntime.contract import Contract


def contract(meaning: str, value_range: tuple[float, float], **quantized: Any) -> dict[str, Any]:
    """256x256, RGB, NHWC; `quantized`: scale and zero point of `input` and `output`, which are then uint8."""
    channels = 2 if meaning == "logits" else 1
    size = {"width": 256, "height": 256, "layout": "NHWC", "dtype": "uint8" if quantized else "float32"}
    stretch = {"color": "rgb", "value_range": list(value_range), "resize": "stretch", "interpolation": "bilinear"}
    person = {"meaning": meaning, "channels": channels, "person_channel": channels - 1, "labels": []}
    return {
        "format": "segedge.contract",
        "version": 1,
        "input": {**size, **stretch, **quantized.get("input", {})},
        "output": {**size, **person, **quantized.get("output", {})},
        "threshold": 0.5,
    }


CONTRACTS = {
    "selfie_256.onnx": contract("probability", (0.0, 1.0)),
    "selfie_256.tflite": contract("probability", (0.0, 1.0)),
    "mnv3_float.tflite": contract("logits", (-1.0, 1.0)),
    "mnv3_uint8.tflite": contract(
        "logits",
        (-1.0, 1.0),
        input={"scale": 0.007843137718737125, "zero_point": 127},
        output={"scale": 0.08694140613079071, "zero_point": 116},
    ),
}


def with_contracts(folder: Path, target: Path) -> list[Path]:
    """Copy those that are in `folder` to `target`, each with its contract beside it.

    Raises:
        FileNotFoundError: one is not there.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name, said in CONTRACTS.items():
        Contract.from_json(said)
        shutil.copyfile(folder / name, target / name)
        (target / f"{Path(name).stem}.contract.json").write_text(json.dumps(said, indent=1) + "\n")
    return [target / name for name in CONTRACTS]
