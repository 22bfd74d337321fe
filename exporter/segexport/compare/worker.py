"""Child process in which a new model file is opened and run for the first time."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from segexport.compare.comparison import run_file
from segexport.compare.new_file import open_new
from segexport.errors import SegExportError
from segexport.process.worker import Say, serve
from segruntime.errors import DelegateWarning, SegRuntimeError


def _run(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """`path` on the pictures in the files `frames`; its masks into the file `masks`, or why it is refused."""
    path = Path(job["path"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DelegateWarning)  # slower without it, and seldom right
            segmenter = open_new(path)
        frames = [np.load(name, allow_pickle=False) for name in job["frames"]]
        ran = run_file(segmenter, frames, say, limit_s=job["limit_s"])
    except DelegateWarning as warning:
        return {"refused": f"{path.name}: XNNPACK refuses it ({warning.reason})"}
    except (SegExportError, SegRuntimeError) as error:
        told = str(error).replace(str(path), path.name)
        return {"refused": next((told.partition(advice)[0] for advice in _OF_OLD_FILES if advice in told), told)}
    np.save(job["masks"], ran.masks)
    return {"contract": ran.contract.to_json(), "invoke_ms": ran.invoke_ms}


_OF_OLD_FILES = ("; the file is cut off", "; copy or export it again")
"""Where the runtime begins to advise somebody whose file was made long ago."""


def _load() -> None:
    import ai_edge_litert.interpreter
    import onnxruntime

    del ai_edge_litert, onnxruntime
    gc.freeze()  # what is loaded stays: looking through it after each job would take longer than a small job


if __name__ == "__main__":
    serve(_run, _load)
