"""Child process: ONNX → float32 TFLite by onnx2tf 2, whose `flatbuffer_direct` writes the file itself, without TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from segexport.process.worker import Say, serve

_MADE = "made"


def _load() -> None:
    import onnx2tf.onnx2tf  # noqa: F401 - `onnx2tf` alone loads nothing


def _convert(job: dict[str, Any], say: Say) -> dict[str, Any]:
    import onnx2tf

    say("ONNX to TFLite")
    onnx2tf.convert(
        input_onnx_file_path=job["source"],
        output_folder_path=_MADE,
        tflite_backend="flatbuffer_direct",
        not_use_onnxsim=True,
        non_verbose=True,
        verbosity="error",
    )
    shutil.move(f"{_MADE}/{Path(job['source']).stem}_float32.tflite", job["target"])
    return {}


if __name__ == "__main__":
    serve(_convert, _load)
