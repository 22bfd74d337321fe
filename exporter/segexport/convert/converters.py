"""The converters: each makes the same float32 .tflite, in an environment of its own, and none is right for every network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ONNX, PROGRAM = "network.onnx", "network.pt2"
"""What a converter reads: the ONNX file, or the program of torch.export, which a foreign ONNX file has not."""
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """`worker`, next to this file, runs in the environment of the converter's name; `source`: `ONNX` or `PROGRAM`.

    `borrowed`: modules of the exporter's own environment that it finds after its own.
    """

    worker: str
    source: str
    summary: str
    borrowed: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return Path(__file__).parent / self.worker


CONVERTERS: dict[str, Converter] = {
    "direct": Converter(worker="direct.py", source=ONNX, summary="onnx2tf 2, ONNX straight to TFLite; seconds"),
    "tf": Converter(worker="tf.py", source=ONNX, summary="onnx2tf 1 and TensorFlow's TFLiteConverter"),
    "litert-torch": Converter(
        worker="litert_torch.py", source=PROGRAM, summary="PyTorch straight to TFLite; x86-64", borrowed=("torch",)
    ),
}
"""In the order in which `auto` tries them."""
