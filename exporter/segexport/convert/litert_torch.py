"""Child process: a program of torch.export → float32 TFLite by litert-torch.

PyTorch is the one that wrote the program: it is borrowed from the exporter's environment.
"""

from __future__ import annotations

from typing import Any

from segexport.process.worker import Say, serve


def _load() -> None:
    import litert_torch  # noqa: F401


def _convert(job: dict[str, Any], say: Say) -> dict[str, Any]:
    import litert_torch
    import torch

    say("PyTorch to TFLite")
    program = torch.export.load(job["source"])
    _, channels, height, width = program.example_inputs[0][0].shape
    network = litert_torch.to_channel_last_io(program.module(), args=[0], outputs=[0])
    litert_torch.convert(network, (torch.zeros(1, height, width, channels),)).export(job["target"])
    return {}


if __name__ == "__main__":
    serve(_convert, _load)
